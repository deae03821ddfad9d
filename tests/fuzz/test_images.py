"""The bytes of an image file, damaged anywhere, become pixels or are refused in a sentence."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.images.decode import Unreadable, decode_image, measure_image
from core.images.target import POLICIES, Target
from tests.fuzz.conftest import tries

pytestmark = pytest.mark.slow

MODES = ("L", "RGB", "RGBA", "P", "1", "LA", "I;16", "F", "CMYK")
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "JPEG2000")


def _files() -> list[bytes]:
    """A small image of every format and mode that go together."""
    found = []
    values = np.random.default_rng(0).integers(0, 256, (5, 7), dtype=np.uint8)
    for mode in MODES:
        image = Image.fromarray(values).convert(mode if mode != "I;16" else "I").convert(mode)
        for kind in FORMATS:
            file = io.BytesIO()
            try:
                image.save(file, kind)
            except (OSError, ValueError, KeyError):
                continue  # the format has no such mode
            found.append(file.getvalue())
    return found


damage = st.lists(
    st.tuples(
        st.integers(0, 400),
        st.one_of(
            st.binary(min_size=1, max_size=4),
            st.sampled_from(
                [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\x40\0", b"\0\x40\0\0"]
            ),
        ),
    ),
    max_size=4,
)


@given(
    st.one_of(st.sampled_from(_files()), st.binary(max_size=200)),
    damage,
    st.integers(0, 300),
    st.sampled_from([1, 3]),
    st.sampled_from(POLICIES),
)
@tries(150)
def test_an_image_of_any_bytes_is_read_or_refused(
    file: bytes, places: list[tuple[int, bytes]], cut: int, channels: int, policy: str
) -> None:
    content = bytearray(file)
    for place, replaced in places:
        content[place : place + len(replaced)] = replaced
    data = bytes(content[:-cut] if cut > 200 else content)
    try:
        decoded = decode_image(data, Target(8, 8, channels, policy))
        measure_image(data)
    except Unreadable as error:
        assert 0 < len(str(error)) < 1000
    else:
        assert decoded.pixels.shape == (8, 8, channels)
        assert decoded.pixels.dtype == np.uint8
