"""Image files of more than 8 bits a sample, written byte by byte: Pillow writes only one such channel."""

from __future__ import annotations

import struct
import zlib

import numpy as np

PNG_KINDS = {1: 0, 2: 4, 3: 2, 4: 6}  # by the number of channels
TIFF_SAMPLE_FORMATS = {"u": 1, "i": 2, "f": 3}
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))

SHAPE = (5, 7)


def values(channels: int, kind: str = "uint16", top: int = 4096) -> np.ndarray:
    """Random values below `top`, 12 bits unless told otherwise: `(5, 7, channels)`."""
    return np.random.default_rng(channels).integers(0, top, (*SHAPE, channels)).astype(kind)


def expected(stored: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.clip((stored.astype(float) - low) * 255 / (high - low), 0, 255).round().astype("uint8")


def png(values: np.ndarray, *, transparent: tuple[int, ...] = (), interlaced: bool = False) -> bytes:
    """A PNG of 16 bits. values: uint16 `(H, W, C)`, C = 1 grey, 2 with alpha, 3 RGB, 4 with alpha.

    transparent: the value (or colour) that is.
    """
    height, width, channels = values.shape
    header = struct.pack(">IIBBBBB", width, height, 16, PNG_KINDS[channels], 0, 0, interlaced)
    passes = [values]
    if interlaced:
        passes = [values[top::down, left::right] for top, left, down, right in ADAM7]
    rows = [b"\0" + row.astype(">u2").tobytes() for part in passes if part.size for row in part]
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b"")]
    if transparent:
        chunks.insert(1, (b"tRNS", np.array(transparent, ">u2").tobytes()))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def tiff(
    values: np.ndarray,
    *,
    order: str = "<",
    compressed: bool = False,
    photometric: int | None = None,
    extra: int | None = None,
    planar: bool = False,
    orientation: int = 1,
) -> bytes:
    """A TIFF of one strip. values: `(H, W, C)` of any type, stored as it is.

    order: "<" or ">". photometric: 0 where 0 is white. extra: what a fourth channel is (0 unspecified,
    1 alpha that the colours are multiplied by, 2 alpha). planar: a strip for each channel.
    """
    height, width, channels = values.shape
    stored = values.astype(np.dtype(order + values.dtype.str[1:]))
    planes = [stored[..., i] for i in range(channels)] if planar else [stored]
    strips = [np.ascontiguousarray(plane).tobytes() for plane in planes]
    if compressed:
        strips = [zlib.compress(strip) for strip in strips]
    kind = (2 if channels > 2 else 1) if photometric is None else photometric
    tags: list[tuple[int, str, list[int]]] = [
        (256, "I", [width]),
        (257, "I", [height]),
        (258, "H", [8 * values.dtype.itemsize] * channels),
        (259, "H", [8 if compressed else 1]),
        (262, "H", [kind]),
        (273, "I", [0] * len(strips)),
        (274, "H", [orientation]),
        (277, "H", [channels]),
        (278, "I", [height]),
        (279, "I", [len(strip) for strip in strips]),
        (284, "H", [2 if planar else 1]),
        *([(338, "H", [extra])] if extra is not None else []),
        (339, "H", [TIFF_SAMPLE_FORMATS[values.dtype.kind]] * channels),
    ]
    beside = 8 + 2 + 12 * len(tags) + 4  # where values of over four bytes lie
    long = sum(size for size in (struct.calcsize(f"={len(v)}{c}") for _, c, v in tags) if size > 4)
    offset = beside + long
    starts = [offset + sum(map(len, strips[:i])) for i in range(len(strips))]
    entries, far = b"", b""
    for tag, code, numbers in tags:
        packed = struct.pack(f"{order}{len(numbers)}{code}", *(starts if tag == 273 else numbers))
        entry = struct.pack(f"{order}HHI", tag, {"H": 3, "I": 4}[code], len(numbers))
        if len(packed) > 4:
            entry += struct.pack(f"{order}I", beside + len(far))
            far += packed
        else:
            entry += packed.ljust(4, b"\0")
        entries += entry
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}IH", 8, len(tags))
    return head + entries + bytes(4) + far + b"".join(strips)


def ppm(values: np.ndarray, limit: int) -> bytes:
    """A PGM or PPM whose white is `limit`. values: uint16 `(H, W, 1)` or `(H, W, 3)`."""
    height, width, channels = values.shape
    magic = {1: "P5", 3: "P6"}[channels]
    return f"{magic} {width} {height} {limit}\n".encode() + values.astype(">u2").tobytes()
