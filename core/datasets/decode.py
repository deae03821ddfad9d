"""From the bytes of an image file to the pixels that a net gets, the same for an import and for the demo."""

from __future__ import annotations

import io
import warnings
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

# Named, because Pillow would also hand some formats to other programs (PostScript to Ghostscript).
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF")
MAX_PIXELS = 64_000_000
MAX_FILE_BYTES = 256 * 1024**2
POLICIES = ("stretch", "pad", "crop")
GREY_MODES = frozenset(("1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"))
DEEP_MODES = frozenset(("I", "F", "I;16", "I;16B", "I;16L", "I;16N"))
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
SIDEWAYS = frozenset(UPRIGHT[orientation] for orientation in (5, 6, 7, 8))  # these exchange the sides

# Pillow warns of large images; whoever exceeds MAX_PIXELS is refused here before a pixel is decoded.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class Unreadable(ValueError):
    """The bytes are no image that can be used; the message is the reason, without the image's name."""


class Target(NamedTuple):
    """What every image becomes: height and width in pixels, 1 or 3 channels, and how it is made to fit.

    policy: `stretch` to the size, `pad` (fit inside, black around) or `crop` (cover, cut off the rest).
    """

    height: int
    width: int
    channels: int
    policy: str = "stretch"


class Decoded(NamedTuple):
    """pixels: uint8 `(H, W, C)`. height and width: of the image before it was resized, as it is looked at.

    grey: the image has no colour (a colour image is only looked at for that when the target has one channel).
    transparent: it was laid on white. frames: more than one means that the first was taken.
    """

    pixels: np.ndarray
    height: int
    width: int
    grey: bool
    transparent: bool
    frames: int


def decode_image(data: bytes, target: Target) -> Decoded:
    """Decode one image file: turned by its EXIF tag, converted to 8 bit, resized with antialiasing.

    Raises Unreadable when it is no image, is damaged, or is larger than MAX_PIXELS.
    """
    if not data:
        raise Unreadable("is empty (0 bytes)")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return _decoded(image, target)
    except Unreadable:
        raise
    except UnidentifiedImageError:
        raise Unreadable("is not an image of a format that is read here") from None
    except Image.DecompressionBombError:
        raise Unreadable(f"has more than the {MAX_PIXELS:,} pixels that are read") from None
    except Exception as error:  # damaged files raise nearly anything in Pillow; the reason goes to the report
        reason = str(error).strip() or type(error).__name__
        raise Unreadable(f"is damaged ({reason})") from error


def _decoded(image: Image.Image, target: Target) -> Decoded:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise Unreadable(f"has {width * height:,} pixels; at most {MAX_PIXELS:,} are read")
    frames = getattr(image, "n_frames", 1)
    side = 2 * max(target.width, target.height)
    if min(width, height) > side:  # a large JPEG is decoded at a fraction of its size, still twice the target
        image.draft(None, (side, side))
    turned = UPRIGHT.get(_orientation(image))
    if turned is not None:
        if turned in SIDEWAYS:
            width, height = height, width
        image = image.transpose(turned)
    grey = image.mode in GREY_MODES
    transparent = image.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in image.info
    converted = _resized(_eight_bit(image, grey, transparent), target)
    pixels = np.asarray(converted)
    if target.channels == 1 and not grey:
        grey = bool((pixels == pixels[..., :1]).all())
        pixels = np.asarray(converted.convert("L"))
    elif target.channels == 3 and grey:
        pixels = np.asarray(converted.convert("RGB"))
    return Decoded(pixels.reshape(target[:3]), height, width, grey, transparent, frames)


def _orientation(image: Image.Image) -> int:
    """The orientation that remains to be undone; 1 where there is none, or where the EXIF block is damaged.

    Read and undone here, not by Pillow's `exif_transpose`: that writes the whole EXIF block again and fails
    on what no writer accepts, such as a negative resolution. Pillow turns a TIFF itself when it loads the
    pixels, and its size is that of the turned image from the start.
    """
    if image.format == "TIFF" or "exif" not in image.info:
        return 1
    try:
        return image.getexif().get(EXIF_ORIENTATION, 1)
    except Exception:  # a damaged EXIF block raises nearly anything in Pillow; it costs no image
        return 1


def _eight_bit(image: Image.Image, grey: bool, transparent: bool) -> Image.Image:
    """The image in mode L or RGB; what shines through is white."""
    if image.mode in DEEP_MODES:
        return Image.fromarray(_scaled(np.asarray(image)))
    mode = "L" if grey else "RGB"
    if not transparent:
        return image if image.mode == mode else image.convert(mode)
    layer = image.convert("RGBA")
    ground = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(ground, layer).convert(mode)


def _scaled(values: np.ndarray) -> np.ndarray:
    """16-bit integers, or floats of 0 to 1, 255 or 65,535, as uint8: scaled, never clipped."""
    low, high = float(values.min()), float(values.max())
    if not 0 <= low <= high <= 65535:
        raise Unreadable(f"has grey values from {low:g} to {high:g}; 0 to 65,535 are read")
    full = 65535
    if values.dtype.kind == "f" and high <= 255:
        full = 1 if high <= 1 else 255
    return np.round(values * (255 / full)).astype(np.uint8)


def _resized(image: Image.Image, target: Target) -> Image.Image:
    size = (target.width, target.height)
    if image.size == size:
        return image
    if target.policy == "pad":
        return ImageOps.pad(image, size, Image.Resampling.BICUBIC)
    if target.policy == "crop":
        return ImageOps.fit(image, size, Image.Resampling.BICUBIC)
    return image.resize(size, Image.Resampling.BICUBIC)
