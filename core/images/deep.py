"""Read samples of more than 8 bits as the file stores them.

Pillow returns one channel at full depth, but of several channels only the first byte of each sample. Such a
file is read a second time for the other byte, in the raw mode of the opposite byte order.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import numpy as np
from PIL import Image, ImageFile

from core.images.strips import array, image_strips, strips

GREY = frozenset(("I", "F", "I;16", "I;16B", "I;16L", "I;16N"))  # Pillow's modes of one deep channel
COLOUR = re.compile(r"(LA|RGB|RGBX|RGBA|RGBa|CMYK);16([BLN])")  # its raw modes of several: layout, order
# libtiff returns the bytes in this machine's order (little-endian wherever TensorFlow runs), which Pillow
# knows only for unsigned samples.
NATIVE = {"I;16BS": "I;16S", "I;32BS": "I;32S", "F;32BF": "F;32F"}
BITS_PER_SAMPLE, PHOTOMETRIC, PLANAR, SAMPLE_FORMAT = 258, 262, 284, 339  # TIFF tags
WHITE_IS_ZERO, UNSIGNED, SEPARATE = 0, 1, 2


class Unsupported(ValueError):
    """The file stores its samples in an unsupported way; the message says which."""


class Samples(NamedTuple):
    """The samples of an image.

    Args:
        values: integers or floats `(H, W, C)` as stored, C = 1 (grey), 3 (RGB) or 4 (CMYK).
        alpha: uint8 `(H, W)`, 255 is opaque; None when nothing is transparent.
        inverted: the largest value is black.
    """

    values: np.ndarray
    alpha: np.ndarray | None
    inverted: bool

    def visible(self, rows: slice) -> np.ndarray:
        """Return the values in some rows that are not fully transparent: `(n, C)`."""
        values = self.values[rows]
        shown = None if self.alpha is None else self.alpha[rows] > 0
        if shown is None or shown.all():
            return values.reshape(-1, values.shape[-1])
        return values[shown]


def is_deep(image: ImageFile.ImageFile) -> bool:
    """Return whether an opened image has more than 8 bits per sample that can be read. Decodes nothing.

    Formats that Pillow reduces by their declared depth (JPEG 2000 and AVIF in colour) count as 8 bits.
    """
    if image.mode in GREY or COLOUR.fullmatch(_raw_mode(image)) is not None or _is_deep_ppm(image):
        return True
    return _tag(image, PLANAR) == SEPARATE and _tag(image, BITS_PER_SAMPLE) > 8


def read_samples(image: ImageFile.ImageFile, data: bytes) -> Samples:
    """Read the samples of an opened deep image. data: the bytes of its file.

    Raises Unsupported for colour in separate planes and for values that are not finite.
    """
    if _tag(image, PLANAR) == SEPARATE and image.mode not in GREY:
        raise Unsupported("stores its colours of 16 bits in separate planes; save it with them interleaved")
    if image.mode in GREY:
        values, alpha = _grey(image, data), None
    elif _is_deep_ppm(image):
        values, alpha = _ppm(image, data), None
    else:
        values, alpha = _colour(image, data)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise Unsupported("has values that are not finite numbers")
    if alpha is None and "transparency" in image.info:  # a PNG names one value or colour that is transparent
        key = np.asarray(image.info["transparency"])
        alpha = np.where((values == key).all(axis=-1), np.uint8(0), np.uint8(255))
    inverted = image.mode in GREY and _tag(image, PHOTOMETRIC) == WHITE_IS_ZERO
    return Samples(values, alpha, inverted)


def _grey(image: ImageFile.ImageFile, data: bytes) -> np.ndarray:
    raw, codec = _raw_mode(image), image.tile[0].codec_name if image.tile else ""
    if codec in ("ppm", "ppm_plain"):
        limit = _ppm_limit(image)  # Pillow scales to 65,535 whatever the file takes for white
        return np.round(np.asarray(image)[..., None] * (limit / 65535)).astype(np.uint16)
    if image.format == "JPEG2000":
        return np.asarray(image)[..., None] >> (16 - _jpeg_2000_bits(data))  # Pillow scales to 16 bits
    swapped = codec == "libtiff" and raw in NATIVE
    values = _read(image, data, NATIVE[raw]) if swapped else array(image)
    if raw == "I;32N" and _tag(image, SAMPLE_FORMAT) == UNSIGNED:
        values = values.view(np.uint32)
    return values.astype(values.dtype.newbyteorder("="), copy=False)[..., None]


def _jpeg_2000_bits(data: bytes) -> int:
    """Return the declared depth of a JPEG 2000 file's first channel, at most 16 (Ssiz in its SIZ marker)."""
    depth = data.find(b"\xff\x4f\xff\x51") + 42
    return min((data[depth] & 0x7F) + 1, 16)


def _colour(image: ImageFile.ImageFile, data: bytes) -> tuple[np.ndarray, np.ndarray | None]:
    match = COLOUR.fullmatch(_raw_mode(image))
    assert match is not None
    layout, byte_order = match.groups()
    if layout == "LA":  # two samples of two bytes: four bytes, as RGBA has them
        samples = _read(image, data, "RGBA").view(">u2")  # as a PNG stores them
        return samples[..., :1].astype(np.uint16), (samples[..., 1] >> 8).astype(np.uint8)
    stored = "RGBA" if layout == "RGBa" else layout
    values = np.zeros((*image.size[::-1], len(image.getbands())), np.uint16)
    high = "B" if byte_order == "B" else "L"
    for order in "BL":  # the first byte of each sample, then the second
        with _as_raw_mode(image, data, f"{stored};16{order}") as found:
            for rows, strip in image_strips(found):
                values[rows] |= np.asarray(strip).astype(np.uint16) << (8 if order == high else 0)
    if image.mode != "RGBA":
        return values, None
    alpha = (values[..., 3] >> 8).astype(np.uint8)
    if layout == "RGBa":  # the colours are stored multiplied by their opacity
        for rows in strips(*alpha.shape):
            opaque = np.maximum(values[rows, :, 3:], 1)
            plain = np.minimum(values[rows, :, :3] * (65535 / opaque), 65535)
            values[rows, :, :3] = plain.round()
    return values[..., :3], alpha


def _is_deep_ppm(image: ImageFile.ImageFile) -> bool:
    if image.format != "PPM" or image.mode != "RGB" or not image.tile:
        return False
    return image.tile[0].codec_name == "ppm" and _ppm_limit(image) > 255


def _ppm_limit(image: ImageFile.ImageFile) -> int:
    """Return the value that is white in a PPM or PGM file."""
    _, limit = cast(tuple[str, int], image.tile[0].args)
    return limit


def _ppm(image: ImageFile.ImageFile, data: bytes) -> np.ndarray:
    shape = (*image.size[::-1], 3)
    count = int(np.prod(shape))
    stored = data[image.tile[0].offset :][: 2 * count]
    if len(stored) < 2 * count:
        raise Unsupported("is damaged (it ends too early)")
    return np.frombuffer(stored, ">u2").reshape(shape).astype(np.uint16)


def _read(opened: ImageFile.ImageFile, data: bytes, raw_mode: str) -> np.ndarray:
    """Read the pixels of an image file in another raw mode than the one that Pillow chose."""
    with _as_raw_mode(opened, data, raw_mode) as image:
        return array(image)


@contextmanager
def _as_raw_mode(opened: ImageFile.ImageFile, data: bytes, raw_mode: str) -> Iterator[ImageFile.ImageFile]:
    with Image.open(io.BytesIO(data), formats=[str(opened.format)]) as image:
        image.tile = [tile._replace(args=_with_raw_mode(tile.args, raw_mode)) for tile in image.tile]
        yield image


def _with_raw_mode(args: Any, raw_mode: str) -> Any:
    return raw_mode if isinstance(args, str) else (raw_mode, *args[1:])


def _raw_mode(image: ImageFile.ImageFile) -> str:
    if not image.tile:
        return ""
    args = image.tile[0].args
    raw = args if isinstance(args, str) else args[0] if args else ""
    return raw if isinstance(raw, str) else ""


def _tag(image: ImageFile.ImageFile, tag: int) -> Any:
    """Return the value of a TIFF tag; None for other formats. Several equal values count as one."""
    value = image.tag_v2.get(tag) if image.format == "TIFF" else None  # type: ignore[attr-defined]
    return value[0] if isinstance(value, tuple) else value
