"""Decode image files to the pixels that a model gets, in the same way for imports and predictions."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from core.images import deep, value_range
from core.images.strips import image_strips, strips
from core.images.target import Target
from core.images.value_range import Measured

# Named, because Pillow would also hand some formats to other programs (PostScript to Ghostscript).
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF")
MAX_PIXELS = 64_000_000
MAX_SIDE = 65_535  # pixels, as in a JPEG; resizing a longer side takes memory whatever the other one is
MAX_FILE_BYTES = 256 * 1024**2
GREY_MODES = frozenset(("1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"))
EXIF_ORIENTATION = 0x0112
UPRIGHT = {  # what undoes each orientation; 1 is upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = frozenset(UPRIGHT[orientation] for orientation in (5, 6, 7, 8))  # these swap height and width

TOO_LARGE = "needs more memory than an image may take"
OUT_OF_MEMORY = "decoder error -9"  # Pillow's message where one of its decoders gets no memory
JPEG_2000_START = b"jP  \r\n\x87\n"
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

# Pillow warns of large images; those beyond MAX_PIXELS are refused here before a pixel is decoded.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class Unreadable(ValueError):
    """The bytes are not a usable image; the message is the reason, without the image's name."""


class Decoded(NamedTuple):
    """A decoded image.

    Args:
        pixels: uint8 `(H, W, C)`.
        height: before resizing, in the upright orientation.
        width: likewise.
        grey: it has no colour (only checked for colour images when the target has one channel).
        transparent: it was composed on white.
        animated: it has several frames; the first was taken.
        deep: it has more than 8 bits per channel.
        value_range: of a deep image, the values that became 0 and 255, unless the rule is `value_range.FULL`.
        outside: of a deep image, the share of values outside that range, which were clipped.
    """

    pixels: np.ndarray
    height: int
    width: int
    grey: bool
    transparent: bool
    animated: bool
    deep: bool = False
    value_range: tuple[float, float] | None = None
    outside: float = 0.0


def decode_image(data: bytes, target: Target) -> Decoded:
    """Decode one image file: rotate it as its EXIF tag says, convert to 8 bit, resize with antialiasing.

    Raises:
        Unreadable: it is not an image, is damaged, has more than MAX_PIXELS or a side longer than MAX_SIDE,
            or needs more memory than this process may take.
    """
    with _opened(data) as image:
        return _decoded(image, data, target)


def measure_image(data: bytes) -> Measured | None:
    """Measure the values of an image deeper than 8 bits; None for any other, whose pixels are not decoded.

    Raises Unreadable as `decode_image` does.
    """
    with _opened(data) as image:
        _check_size(image)
        return value_range.measure(deep.read_samples(image, data)) if deep.is_deep(image) else None


@contextmanager
def _opened(data: bytes) -> Iterator[ImageFile.ImageFile]:
    """Open an image; every error of Pillow inside the block becomes Unreadable."""
    if not data:
        raise Unreadable("is empty (0 bytes)")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            yield image
    except Unreadable:
        raise
    except deep.Unsupported as error:
        raise Unreadable(str(error)) from None
    except UnidentifiedImageError:
        if data[:4] in TIFF_STARTS:
            raise Unreadable("is a TIFF with samples of a kind that is not read here") from None
        raise Unreadable("is not an image of a format that is read here") from None
    except Image.DecompressionBombError:
        raise Unreadable(f"has more than the {MAX_PIXELS:,} pixels that are read") from None
    except MemoryError:
        raise Unreadable(TOO_LARGE) from None
    except Exception as error:  # damaged files raise nearly anything in Pillow; the reason goes to the report
        reason = str(error).strip() or type(error).__name__
        if OUT_OF_MEMORY in reason:
            raise Unreadable(TOO_LARGE) from None
        if isinstance(error, OSError) and len(data) > 12 and data[4:12] == JPEG_2000_START:
            reason += ", or more memory is needed than an image may take"  # the library reports both alike
        raise Unreadable(f"is damaged ({reason})") from error


def _check_size(image: ImageFile.ImageFile) -> None:
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        raise Unreadable(f"has {pixels:,} pixels; at most {MAX_PIXELS:,} are read")
    if max(image.size) > MAX_SIDE:
        raise Unreadable(f"has {image.height:,}×{image.width:,} pixels; at most {MAX_SIDE:,} a side are read")


def _decoded(image: ImageFile.ImageFile, data: bytes, target: Target) -> Decoded:
    _check_size(image)
    width, height = image.size
    animated = bool(getattr(image, "is_animated", False))  # counting the frames may take hours
    side = 2 * max(target.width, target.height)
    if min(width, height) > side:  # a large JPEG is decoded at a fraction of its size, still twice the target
        image.draft(None, (side, side))
    turned = UPRIGHT.get(_orientation(image))
    if turned in SIDEWAYS:
        width, height = height, width
    grey = image.mode in GREY_MODES
    transparent = image.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in image.info
    is_deep, used, outside = deep.is_deep(image), None, 0.0
    if is_deep and target.values != value_range.FULL:
        samples = deep.read_samples(image, data)
        grey = samples.values.shape[-1] == 1
        used = value_range.range_of_one(samples) if target.values == value_range.IMAGE else target.values
        outside = value_range.share_outside(samples, *used)
        transparent = samples.alpha is not None
        shown = _reduced(samples, used)
        del samples
    else:
        shown = _eight_bit(image, grey, transparent)
    if turned is not None:
        shown = shown.transpose(turned)
    converted = _resized(shown, target)
    pixels = np.asarray(converted)
    if target.channels == 1 and not grey:
        grey = bool((pixels == pixels[..., :1]).all())
        pixels = np.asarray(converted.convert("L"))
    elif target.channels == 3 and grey:
        pixels = np.asarray(converted.convert("RGB"))
    return Decoded(
        pixels.reshape(target[:3]), height, width, grey, transparent, animated, is_deep, used, outside
    )


def _orientation(image: ImageFile.ImageFile) -> int:
    """Return the orientation that remains to be undone; 1 for none, or where the EXIF block is damaged.

    It is not left to Pillow's `exif_transpose`, which rewrites the whole EXIF block and fails on values that
    no writer accepts, such as a negative resolution. Pillow rotates a TIFF itself when it loads the pixels,
    and reports the size of the rotated image from the start.
    """
    if image.format == "TIFF" or "exif" not in image.info:
        return 1
    try:
        return image.getexif().get(EXIF_ORIENTATION, 1)
    except Exception:  # a damaged EXIF block raises nearly anything in Pillow; it costs no image
        return 1


def _eight_bit(image: Image.Image, grey: bool, transparent: bool) -> Image.Image:
    """Convert an image to mode L or RGB; transparent pixels become white."""
    if image.mode in deep.GREY:
        return _full_range(image)
    mode = "L" if grey else "RGB"
    if not transparent:
        return image if image.mode == mode else image.convert(mode)
    shown = Image.new(mode, image.size)
    for rows, strip in image_strips(image):
        layer = strip.convert("RGBA")
        ground = Image.new("RGBA", layer.size, "white")
        shown.paste(Image.alpha_composite(ground, layer).convert(mode), (0, rows.start))
    return shown


def _reduced(samples: deep.Samples, used: tuple[float, float]) -> Image.Image:
    """Convert deep samples to an image in mode L or RGB; transparent pixels become white."""
    height, width, channels = samples.values.shape
    transparent = samples.alpha is not None
    modes = {(1, False): "L", (1, True): "LA", (3, False): "RGB", (3, True): "RGBA", (4, False): "CMYK"}
    shown = Image.new("L" if channels == 1 else "RGB", (width, height))
    for rows in strips(height, width):
        values = value_range.scaled(samples.values[rows], *used)
        if samples.inverted:
            values = 255 - values
        if samples.alpha is not None:
            values = np.concatenate([values, samples.alpha[rows, :, None]], axis=-1)
        strip = Image.frombytes(modes[channels, transparent], values.shape[1::-1], values.tobytes())
        shown.paste(_eight_bit(strip, channels == 1, transparent), (0, rows.start))
    return shown


def _full_range(image: Image.Image) -> Image.Image:
    """Convert 16-bit integers, or floats of 0 to 1, 255 or 65,535, to mode L, for `value_range.FULL`."""
    extremes = [(float(part.min()), float(part.max())) for _, part in _array_strips(image)]
    low, high = min(low for low, _ in extremes), max(high for _, high in extremes)
    if not all(0 <= low <= high <= 65535 for low, high in extremes):
        raise Unreadable(f"has grey values from {low:g} to {high:g}; 0 to 65,535 are read")
    shown = Image.new("L", image.size)
    for rows, values in _array_strips(image):
        full = 65535
        if values.dtype.kind == "f" and high <= 255:
            full = 1 if high <= 1 else 255
        reduced = np.round(values * (255 / full)).astype(np.uint8)
        shown.paste(Image.fromarray(reduced), (0, rows.start))
    return shown


def _array_strips(image: Image.Image) -> Iterator[tuple[slice, np.ndarray]]:
    return ((rows, np.asarray(strip)) for rows, strip in image_strips(image))


def _resized(image: Image.Image, target: Target) -> Image.Image:
    size = (target.width, target.height)
    if image.size == size:
        return image
    if target.policy == "pad":
        return ImageOps.pad(image, size, Image.Resampling.BICUBIC)
    if target.policy == "crop":
        return ImageOps.fit(image, size, Image.Resampling.BICUBIC)
    return image.resize(size, Image.Resampling.BICUBIC)
