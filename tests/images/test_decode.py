"""Whatever an image file is, the pixels are those that a person sees."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from core.images.decode import MAX_PIXELS, Unreadable, decode_image
from core.images.target import Target
from core.images.value_range import IMAGE


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(
    data: bytes, height: int = 4, width: int = 4, channels: int = 3, policy: str = "stretch"
) -> np.ndarray:
    return decode_image(data, Target(height, width, channels, policy)).pixels


def test_an_image_of_the_right_size_is_not_changed():
    image = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    assert (pixels(encoded(Image.fromarray(image))) == image).all()


def test_sixteen_bit_is_scaled_not_clipped():
    ramp = np.array([[0, 257, 32896, 65535]] * 4, dtype=np.uint16)
    assert pixels(encoded(Image.fromarray(ramp)), channels=1)[0, :, 0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize(("values", "expected"), [([0.0, 1.0], [0, 255]), ([0.0, 200.0], [0, 200])])
def test_float_images_keep_their_scale(values: list[float], expected: list[int]):
    image = Image.fromarray(np.array([values] * 2, dtype=np.float32))
    assert pixels(encoded(image, "TIFF"), 2, 2, 1)[0, :, 0].tolist() == expected


@pytest.mark.parametrize(("values", "expected"), [([-0.01, 0.01], [0, 255]), ([-5.0, -5.0], [0, 0])])
def test_an_image_without_a_usual_range_is_scaled_by_its_own_values(values: list[float], expected: list[int]):
    image = Image.fromarray(np.array([values] * 2, dtype=np.float32))
    target = Target(2, 2, 1, values=IMAGE)
    assert decode_image(encoded(image, "TIFF"), target).pixels[0, :, 0].tolist() == expected


def test_values_that_no_scale_fits_are_a_reason():
    image = Image.fromarray(np.array([[-5.0, 1.0]], dtype=np.float32))
    with pytest.raises(Unreadable, match="grey values from -5 to 1"):
        pixels(encoded(image, "TIFF"))


def test_transparency_is_laid_on_white_in_colour_grey_and_palette():
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    palette = clear.quantize(4)
    for image in (clear, clear.convert("LA"), palette):
        decoded = decode_image(encoded(image), Target(4, 4, 3))
        assert decoded.transparent
        assert (decoded.pixels == 255).all()


def test_palette_cmyk_and_bilevel_become_rgb():
    red = Image.new("RGB", (4, 4), (255, 0, 0))
    assert pixels(encoded(red.quantize(4)))[0, 0].tolist() == [255, 0, 0]
    assert pixels(encoded(red.convert("CMYK"), "TIFF"))[0, 0].tolist() == [255, 0, 0]
    assert pixels(encoded(Image.new("1", (4, 4), 1)))[0, 0].tolist() == [255, 255, 255]


STORED = {  # how each orientation stores an image that is looked at upright
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: np.rot90,
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}


def turned(upright: np.ndarray, orientation: int) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(STORED[orientation](upright)))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "TIFF", "compressed TIFF"])
@pytest.mark.parametrize("orientation", STORED)
def test_the_orientation_is_undone_in_every_format(orientation: int, kind: str):
    # The corner that a viewer shows top left is white; each orientation stores it somewhere else.
    upright = np.zeros((16, 24, 3), np.uint8)
    upright[:8, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {
        "TIFF": {"tiffinfo": {0x0112: orientation}},
        "compressed TIFF": {"tiffinfo": {0x0112: orientation}, "compression": "tiff_lzw"},
    }.get(kind, {"exif": exif})
    data = encoded(turned(upright, orientation), kind.removeprefix("compressed "), **options)
    decoded = decode_image(data, Target(16, 24, 3))
    assert (decoded.height, decoded.width) == (16, 24)
    assert np.abs(decoded.pixels.astype(int) - upright).mean() < 2  # WebP and AVIF are not exact


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_resolution_that_no_writer_accepts_costs_no_photo(kind: str):
    # An EXIF block of two entries: orientation 6, and a horizontal resolution of -72/1 as signed numbers.
    entries = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0) + struct.pack("<HHII", 0x011A, 10, 1, 38)
    block = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + struct.pack("<Iii", 0, -72, 1)
    sideways = turned(np.zeros((16, 24, 3), np.uint8), 6)
    decoded = decode_image(encoded(sideways, kind, exif=block), Target(16, 24, 3))
    assert (decoded.height, decoded.width) == (16, 24)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of each entry that it cannot read
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_damaged_exif_block_costs_no_photo(kind: str):
    exif = Image.Exif()
    exif[0x0112], exif[0x011A], exif[0x010F] = 6, 72.0, "maker"
    block = exif.tobytes()
    generator = np.random.default_rng(0)
    for _ in range(50):
        damaged = bytearray(block[: generator.integers(8, len(block))])
        damaged[generator.integers(6, len(damaged))] ^= generator.integers(1, 256)
        data = encoded(Image.new("RGB", (12, 8)), kind, exif=bytes(damaged))
        assert decode_image(data, Target(8, 8, 3)).pixels.shape == (8, 8, 3)


def test_reducing_averages_instead_of_picking():
    stripes = np.tile(np.array([[0, 255]], np.uint8), (64, 32))  # one pixel black, one white
    grey = pixels(encoded(Image.fromarray(stripes)), 8, 8, 1)
    assert abs(int(grey[4, 4, 0]) - 128) <= 2


@pytest.mark.parametrize(
    ("policy", "left", "middle"),
    [("stretch", 255, 255), ("pad", 255, 255), ("crop", 255, 255)],
)
def test_every_policy_fills_the_target(policy: str, left: int, middle: int):
    wide = encoded(Image.new("L", (16, 8), 255))
    image = pixels(wide, 8, 8, 1, policy)
    assert image.shape == (8, 8, 1)
    assert (image[4, 0, 0], image[4, 4, 0]) == (left, middle)


def test_pad_adds_black_and_crop_cuts_the_sides():
    wide = np.full((8, 16), 100, np.uint8)
    wide[:, :4] = wide[:, -4:] = 200
    data = encoded(Image.fromarray(wide))
    assert pixels(data, 8, 8, 1, "pad")[0, :, 0].tolist() == [0] * 8
    assert (pixels(data, 8, 8, 1, "crop") == 100).all()


def test_grey_is_told_by_mode_and_by_pixels():
    assert decode_image(encoded(Image.new("L", (4, 4), 9)), Target(4, 4, 3)).grey
    assert decode_image(encoded(Image.new("RGB", (4, 4), (9, 9, 9))), Target(4, 4, 1)).grey
    assert not decode_image(encoded(Image.new("RGB", (4, 4), (9, 9, 8))), Target(4, 4, 1)).grey


def test_a_large_jpeg_is_close_to_its_full_decoding():
    ramp = np.tile(np.linspace(0, 255, 640).astype(np.uint8), (480, 1))
    data = encoded(Image.fromarray(ramp), "JPEG", quality=95)
    expected = np.asarray(Image.fromarray(ramp).resize((32, 24), Image.Resampling.BICUBIC))
    assert np.abs(pixels(data, 24, 32, 1)[..., 0].astype(int) - expected).max() <= 6


def test_too_many_pixels_are_refused_before_decoding():
    side = int(MAX_PIXELS**0.5) + 1
    data = encoded(Image.new("1", (side, side)))
    with pytest.raises(Unreadable, match=r"64,0.* pixels; at most 64,000,000 are read"):
        pixels(data)


def test_formats_that_start_other_programs_are_not_read():
    with pytest.raises(Unreadable, match="not an image of a format"):
        pixels(encoded(Image.new("RGB", (4, 4)), "EPS"))
