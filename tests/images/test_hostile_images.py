"""Images that are made to take much memory or time cost themselves alone, and little of either."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np
import psutil
import pytest
from PIL import Image

from core.images.decode import MAX_PIXELS, MAX_SIDE, Unreadable, decode_image
from core.images.limited import Decoders, Gone
from core.images.target import Target
from core.images.value_range import Rule
from core.system.settings import PROGRAM
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow

TARGET = Target(28, 28, 1, values="image")


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def deep(height: int, width: int) -> bytes:
    """A small file of many 16-bit pixels, which take a second or more and a lot of memory to decode."""
    return encoded(Image.fromarray(np.zeros((height, width), np.uint16)))


def many_directories(count: int) -> bytes:
    """A TIFF of 8×8 pixels with many further directories, each a copy of the first."""
    data = bytearray(encoded(Image.new("L", (8, 8), 200), "TIFF"))
    (first,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, first)
    after = first + 2 + 12 * entries
    directory = bytes(data[first:after])
    struct.pack_into("<I", data, after, len(data))
    for number in range(count):
        there = len(data) + len(directory) + 4
        data += directory + struct.pack("<I", there if number < count - 1 else 0)
    return bytes(data)


@pytest.fixture
def decoders() -> Iterator[Decoders]:
    made = Decoders()
    yield made
    made.close()


def children() -> list[psutil.Process]:
    """The decoders of this process; it may have children that others left to it, ended ones too."""
    found = []
    for one in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # a zombie is one of these
            if "core.images.decode_alone" in one.cmdline():
                found.append(one)
    return found


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (Image.new("RGB", (40, 30), (250, 10, 90)), "PNG"),
        (Image.new("RGBA", (40, 30), (250, 10, 90, 128)), "PNG"),
        (Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40)), "TIFF"),
    ],
)
def test_an_image_is_decoded_as_in_this_process(decoders: Decoders, image: Image.Image, kind: str) -> None:
    here, there = decode_image(encoded(image, kind), TARGET), decoders.decode(encoded(image, kind), TARGET)
    np.testing.assert_array_equal(there.pixels, here.pixels)
    assert there[1:] == here[1:]


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ((60_000_000, 1), f"has 1×60,000,000 pixels; at most {MAX_SIDE:,} a side are read"),
        ((1, MAX_SIDE + 1), f"has 65,536×1 pixels; at most {MAX_SIDE:,} a side are read"),
        ((8_001, 8_000), f"has 64,008,000 pixels; at most {MAX_PIXELS:,} are read"),
    ],
)
def test_an_image_that_is_too_large_is_refused_by_its_header(size: tuple[int, int], said: str) -> None:
    data = encoded(Image.new("1", size))
    with pytest.raises(Unreadable) as refused:
        decode_image(data[:200], TARGET)  # the pixels are not looked at
    assert str(refused.value) == said


def test_directories_are_not_counted() -> None:
    """Counting these takes hours."""
    decoders = Decoders(cpu_s=10)
    found = decoders.decode(many_directories(100_000), TARGET)
    assert found.animated
    assert (found.height, found.width) == (8, 8)
    decoders.close()


def test_an_image_that_takes_too_much_memory_is_refused_and_the_next_one_is_read() -> None:
    decoders = Decoders(memory=128 << 20)
    with pytest.raises(Unreadable, match="needs more memory than an image may take"):
        decoders.decode(deep(5000, 5000), TARGET)
    assert decoders.decode(encoded(Image.new("L", (9, 9))), TARGET).grey
    decoders.close()


@pytest.mark.parametrize(
    ("image", "rule", "megabytes"),
    [
        (lambda: Image.new("RGBA", (8000, 8000)), "image", 640),  # 4 bytes a pixel, and as many on white
        (lambda: Image.fromarray(np.zeros((8000, 8000), np.uint16)), "full", 384),  # 2, and 1 of 8 bits
        (lambda: Image.fromarray(np.zeros((8000, 8000), np.uint16)), "image", 448),  # 2 twice, and 1
    ],
)
def test_an_image_of_as_many_pixels_as_are_read_takes_little_more_than_its_own_size(
    image: Callable[[], Image.Image], rule: Rule, megabytes: int
) -> None:
    decoders = Decoders(memory=megabytes << 20)
    data = encoded(image(), compress_level=1)
    found = decoders.decode(data, TARGET._replace(values=rule))
    assert (found.height, found.width) == (8000, 8000)
    decoders.close()


def test_an_image_that_takes_too_long_is_refused_and_the_next_one_is_read() -> None:
    decoders = Decoders(cpu_s=0)
    with pytest.raises(Unreadable, match="takes too much of a processor's time to decode"):
        decoders.decode(deep(7900, 8000), TARGET)  # two seconds at the least
    assert decoders.decode(encoded(Image.new("L", (9, 9))), TARGET).grey
    decoders.close()
    slow = Decoders(wall_s=0)
    with pytest.raises(Unreadable, match="takes too long to decode"):
        slow.decode(deep(7900, 8000), TARGET)
    assert not children()


def test_an_image_is_given_up_when_nobody_waits_for_it() -> None:
    decoders = Decoders()
    with pytest.raises(Gone):
        decoders.decode(deep(7900, 8000), TARGET, gone=lambda: True)
    assert not children()


def test_no_more_images_are_decoded_at_once_than_there_are_decoders() -> None:
    decoders = Decoders(count=1, quick_s=100)
    most, data = [0], deep(3000, 3000)

    def gone() -> bool:
        most[0] = max(most[0], len(children()))
        return False

    threads = [
        threading.Thread(target=decoders.decode, args=(data, TARGET), kwargs={"gone": gone}) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    decoders.close()
    assert not children()


def test_an_image_that_takes_long_keeps_no_quick_one_waiting() -> None:
    decoders, small = Decoders(count=1, wall_s=600, quick_s=6), encoded(Image.new("L", (9, 9)))
    decoders.decode(small, TARGET)
    (busy,) = children()
    busy.suspend()  # stands for one that decodes for minutes
    found: list[object] = []
    slow = threading.Thread(target=lambda: found.append(decoders.decode(deep(300, 300), TARGET)))
    slow.start()
    wait_for(lambda: not decoders._idle, 30)  # it has the only quick decoder
    assert decoders.decode(small, TARGET).grey  # once the other was given up
    slow.join()
    assert len(found) == 1  # decoded by the decoder of slow images
    decoders.close()
    assert not children()


def test_a_decoder_that_dies_costs_its_image_alone() -> None:
    decoders = Decoders()
    decoders.decode(encoded(Image.new("L", (9, 9))), TARGET)
    for one in children():
        one.kill()
        one.wait()
    assert decoders.decode(encoded(Image.new("L", (9, 9))), TARGET).grey
    decoders.close()


def test_a_decoder_gets_no_secret_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    decoders = Decoders()
    decoders.decode(encoded(Image.new("L", (9, 9))), TARGET)
    assert all("MLFLOW_TRACKING_PASSWORD" not in one.environ() for one in children())
    decoders.close()


def test_the_memory_of_a_decoder_is_its_own_and_not_that_of_its_parent() -> None:
    child = "from core.images.limits import memory_used; print(memory_used())"
    parent = f"""
import subprocess, sys
large = b"x" * (600 << 20)
print(subprocess.run([sys.executable, "-c", {child!r}], capture_output=True, text=True).stdout)
"""
    done = subprocess.run(
        [sys.executable, "-c", parent], cwd=PROGRAM, capture_output=True, text=True, timeout=60
    )
    assert 0 < int(done.stdout) < 300 << 20
