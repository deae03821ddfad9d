"""Images deeper than 8 bits become 8 bits by a range of values, from files of every form."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image

from core import datasets
from core.images import strips
from core.images.decode import Unreadable, decode_image, measure_image
from core.images.deep import Samples
from core.images.target import Target
from core.images.value_range import FULL, IMAGE, INNER, measure
from core.importing.importer import import_images
from tests.support.deep_files import SHAPE, expected, png, ppm, tiff, values

pytestmark = pytest.mark.slow


def decoded(data: bytes, channels: int, rule) -> np.ndarray:
    return decode_image(data, Target(*SHAPE, channels, values=rule)).pixels


ORDERS = {"little-endian": "<", "big-endian": ">"}
GREY = {
    "PNG": lambda v: png(v.astype("uint16")),
    "interlaced PNG": lambda v: png(v.astype("uint16"), interlaced=True),
    "PGM with the limit of 16 bits": lambda v: ppm(v.astype("uint16"), 65535),
    "PGM with another limit": lambda v: ppm(v.astype("uint16"), 5000),
    "ASCII PGM": lambda v: f"P2 7 5 5000\n{' '.join(map(str, v.ravel().tolist()))}".encode(),
} | {
    f"{name} {kind} TIFF{' compressed' * compressed}": lambda v, o=order, k=kind, c=compressed: tiff(
        v.astype(k), order=o, compressed=c
    )
    for name, order in ORDERS.items()
    for kind in ("uint16", "int16", "int32", "float32")
    for compressed in (False, True)
}
COLOUR = {
    "PNG": lambda v: png(v),
    "interlaced PNG": lambda v: png(v, interlaced=True),
    "PNG with alpha": lambda v: png(with_fourth(v, 65535)),
    "PPM": lambda v: ppm(v, 65535),
    "PPM with another limit": lambda v: ppm(v, 5000),
} | {
    f"{name} TIFF{' compressed' * compressed}, {layout}": lambda v, o=order, c=compressed, e=extra: tiff(
        v if e is None else with_fourth(v, 65535), order=o, compressed=c, extra=e
    )
    for name, order in ORDERS.items()
    for compressed in (False, True)
    for layout, extra in {"RGB": None, "padded": 0, "alpha": 2, "premultiplied": 1}.items()
}


def with_fourth(stored: np.ndarray, value: int) -> np.ndarray:
    return np.concatenate([stored, np.full((*SHAPE, 1), value, "uint16")], axis=-1)


@pytest.mark.parametrize("kind", GREY)
def test_grey_of_any_file_keeps_its_levels(kind: str):
    stored = values(1)
    assert (decoded(GREY[kind](stored), 1, (0, 4095)) == expected(stored, 0, 4095)).all()


@pytest.mark.parametrize("kind", COLOUR)
def test_colour_of_any_file_keeps_its_levels(kind: str):
    stored = values(3)
    assert (decoded(COLOUR[kind](stored), 3, (0, 4095)) == expected(stored, 0, 4095)).all()


def files() -> dict[str, bytes]:
    """Deep images of each kind, also with transparency, and transparent ones of 8 bits."""
    found = {f"grey {kind}": make(values(1)) for kind, make in GREY.items()}
    found |= {f"colour {kind}": make(values(3)) for kind, make in COLOUR.items()}
    found["PNG with a transparent value"] = png(values(1), transparent=(int(values(1)[0, 0, 0]),))
    found["PNG of grey with alpha"] = png(values(2, top=65536))
    found["PNG with some alpha"] = png(values(4, top=65536))
    found["premultiplied TIFF"] = tiff(values(4, top=65536), extra=1)
    found["white is zero"] = tiff(values(1), photometric=0)
    found["upright TIFF"] = tiff(values(3), orientation=6)
    colours = Image.fromarray(values(4, top=256).astype("uint8"))
    for mode in ("RGBA", "LA", "P"):
        buffer = io.BytesIO()
        colours.convert(mode).save(buffer, "PNG", **({"transparency": 3} if mode == "P" else {}))
        found[f"{mode} of 8 bits"] = buffer.getvalue()
    return found


@pytest.mark.parametrize("kind", files())
def test_an_image_in_strips_is_the_image_in_one_piece(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = files()[kind]
    targets = [
        Target(4, 3, channels, values=rule) for channels in (1, 3) for rule in (IMAGE, FULL, (9, 3000))
    ]

    def read() -> list[object]:
        found: list[object] = [measure_image(data)]
        for target in targets:
            try:
                one = decode_image(data, target)
            except Unreadable as error:  # negative values have no full range
                found.append(str(error))
            else:
                found.append((*one[1:], one.pixels.tolist()))
        return found

    whole = read()
    monkeypatch.setattr(strips, "PIXELS", 2 * SHAPE[1])  # two rows, of five
    assert read() == whole


@pytest.mark.parametrize("count", [1, 2, 7, 1001, 5000])
def test_counted_values_have_the_percentiles_of_sorted_ones(count: int) -> None:
    stored = np.random.default_rng(count).integers(0, 65536, (count, 1, 1)).astype(np.uint16)
    found = measure(Samples(stored, None, inverted=False))
    assert found is not None
    low, inner_low, inner_high, high = np.percentile(stored, [0, *INNER, 100], method="nearest")
    assert found == (low, high, inner_low, inner_high, False)


def test_eight_bits_in_a_sixteen_bit_colour_file_are_not_black():
    stored = values(3, top=256)
    assert (decoded(png(stored), 3, (0, 255)) == stored).all()


def test_unsigned_values_of_32_bits_are_not_negative():
    stored = np.full((*SHAPE, 1), 3_000_000_000, "uint32")
    assert (decoded(tiff(stored), 1, (0, 2**32 - 1)) == expected(stored, 0, 2**32 - 1)).all()


def test_jpeg_2000_of_12_bits_keeps_its_values():
    # Written with 16 bits, then declared to have 12: the middle of the range, which is stored as 0, moves.
    stored = values(1)
    buffer = io.BytesIO()
    shifted = Image.fromarray(stored[..., 0] + np.uint16(2**15 - 2**11))
    shifted.save(buffer, "JPEG2000", irreversible=False, no_jp2=True)
    data = bytearray(buffer.getvalue())
    assert data[:4] == b"\xff\x4f\xff\x51"
    assert data[42] == 15
    data[42] = 11
    assert (decoded(bytes(data), 1, (0, 4095)) == expected(stored, 0, 4095)).all()


def test_values_outside_the_range_are_clipped_and_counted():
    stored = np.zeros((*SHAPE, 1), "int16")
    stored[0, :, 0] = [-2000, -1000, 0, 1000, 2000, 3000, 4000]
    image = decode_image(tiff(stored), Target(*SHAPE, 1, values=(-1000, 3000)))
    assert image.pixels[0, :, 0].tolist() == [0, 0, 64, 128, 191, 255, 255]
    assert image.outside == pytest.approx(2 / 35)
    assert (image.deep, image.value_range) == (True, (-1000, 3000))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_transparent_value_is_laid_on_white(channels: int):
    stored = values(channels)
    stored[2, 3] = 77
    pixels = expected(stored, 0, 4095)
    pixels[2, 3] = 255
    image = decode_image(png(stored, transparent=(77,) * channels), Target(*SHAPE, channels, values=IMAGE))
    assert image.transparent
    assert (image.pixels == pixels).all()


def test_half_transparent_grey_is_mixed_with_white():
    stored = np.concatenate([values(1), np.full((*SHAPE, 1), 32768, "uint16")], axis=-1)
    half = expected(stored[..., :1], 0, 4095) * (128 / 255) + 255 * (127 / 255)
    assert np.abs(decoded(png(stored), 1, (0, 4095)) - half).max() <= 1


def test_colours_stored_multiplied_by_their_opacity_are_divided_by_it():
    stored = with_fourth(values(3) // 2, 32768)
    half = expected(stored[..., :3] * (65535 / 32768), 0, 4095) * (128 / 255) + 255 * (127 / 255)
    assert np.abs(decoded(tiff(stored, extra=1), 3, (0, 4095)) - half).max() <= 1


def test_a_deep_tiff_whose_zero_is_white_is_turned_round():
    stored = values(1)
    assert (decoded(tiff(stored, photometric=0), 1, (0, 4095)) == 255 - expected(stored, 0, 4095)).all()


def test_a_deep_tiff_is_upright():
    stored = values(3)
    sideways = tiff(np.ascontiguousarray(np.rot90(stored)), orientation=6)
    assert (decoded(sideways, 3, (0, 4095)) == expected(stored, 0, 4095)).all()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (tiff(values(3), planar=True), "in separate planes; save it with them interleaved"),
        (tiff(values(3), planar=True, compressed=True), "in separate planes; save it with them interleaved"),
        (tiff(np.full((*SHAPE, 1), np.nan, "float32")), "has values that are not finite numbers"),
        (tiff(values(1, "float64")), "is a TIFF with samples of a kind that is not read here"),
        (tiff(values(3, "float32")), "is a TIFF with samples of a kind that is not read here"),
        (ppm(values(3), 65535)[:-2], "is damaged"),
    ],
)
def test_what_is_not_read_is_said(data: bytes, reason: str):
    with pytest.raises(Unreadable, match=reason):
        decode_image(data, Target(*SHAPE, 3, values=IMAGE))


@pytest.mark.parametrize(
    ("stored", "found"),
    [
        (values(1), (0, 4095)),
        (values(1, top=256), (0, 255)),
        (values(3, top=1024), (0, 1023)),
        (values(1, "float32") / np.float32(4096), (0, 1)),
        (values(1, "int16") - np.int16(1000), None),
    ],
)
def test_an_image_without_a_dataset_range_is_read_by_its_own(stored: np.ndarray, found):
    data = png(stored) if stored.dtype == "uint16" else tiff(stored)
    image = decode_image(data, Target(*SHAPE, stored.shape[-1], values=IMAGE))
    assert image.value_range == (found or (stored.min(), stored.max()))
    assert (image.pixels == expected(stored, *image.value_range)).all()


def test_a_run_that_wrote_no_range_down_is_read_as_it_was():
    target = Target.of_run({"shape": [5, 7, 1], "policy": "stretch"})
    assert target.values == FULL
    image = decode_image(png(values(1)), target)
    assert image.pixels.max() == 16  # 4,095 of 65,535
    assert (image.deep, image.value_range) == (True, None)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [1e16, -1e17, 3e38, -3.4028235e38, 1e-45, 0.0])
def test_a_flat_image_of_floats_is_black_whatever_its_value(value: float, tmp_path):
    flat = np.full((*SHAPE, 1), value, "float32")
    pixels = [decoded(tiff(flat), 1, IMAGE)]
    stored = float(flat[0, 0, 0])
    pixels.append(decoded(tiff(flat), 1, (stored, stored)))  # as earlier versions wrote the range down
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "flat.tif").write_bytes(tiff(flat))
    import_images("flat", tmp_path)
    dataset = datasets.load("flat")
    assert (np.asarray(dataset.images) == 0).all()
    low, high = dataset.info.value_range
    assert low < high
    assert all((one == 0).all() for one in pixels)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rule", [IMAGE, FULL, (0.0, 1.0)])
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_values_that_are_no_numbers_are_one_sentence(rule, value: float):
    image = np.linspace(0, 1, 35, dtype="float32").reshape(*SHAPE, 1)
    image[2, 3] = value
    with pytest.raises(
        Unreadable, match=r"^has (values that are not finite numbers|grey values from [^ ]* to )"
    ):
        decoded(tiff(image), 1, rule)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("top", [1e17, 3e38])
def test_floats_of_any_size_keep_their_levels(top: float):
    image = np.linspace(-top, top, 35, dtype="float32").reshape(*SHAPE, 1)
    assert (decoded(tiff(image), 1, IMAGE) == expected(image, float(image.min()), float(image.max()))).all()
