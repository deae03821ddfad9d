"""The decoding process: `python -m core.images.decode_worker`, started by `core.images.decode_pool`.

The first line of stdin is the job, which is acknowledged; every further line names a chunk of the plan and is
answered by one line of JSON. Pixels are written directly into the image file; a job without one only measures
the values of deep images. It ends when stdin does, so it never outlives the process that started it.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from core.images.decode import TOO_LARGE, Unreadable, decode_image, measure_image
from core.images.digests import pixel_digest
from core.images.limits import limit_memory, limit_next_image
from core.images.npy_file import HEADER_BYTES
from core.images.reader import Reader, where_from_json
from core.images.target import Target
from core.images.value_range import rule_from_json

MEMORY = 4 << 30  # bytes that a worker may take
CPU_S = 60  # of processor time that an image may take
GREY, TRANSPARENT, ANIMATED, DEEP, CLIPPED = 1, 2, 4, 8, 16


def main() -> None:
    """Answer chunks until stdin ends. A write that fails (a full disk) is answered as `fatal`."""
    job = json.loads(sys.stdin.readline())
    target = Target(*job["target"])
    target = target._replace(values=rule_from_json(target.values))
    reader = Reader(Path(job["root"]))
    plan = os.open(job["plan"], os.O_RDONLY)
    images = None if job["images"] is None else os.open(job["images"], os.O_WRONLY)
    limit_memory(MEMORY)
    _say({"ready": True})
    # Garbage collection every few hundred images costs a tenth of the time.
    gc.freeze()
    gc.disable()
    for line in sys.stdin:
        offset, length = map(int, line.split())
        chunk = json.loads(os.pread(plan, length, offset))
        try:
            if images is None:
                answer: dict[str, Any] = {"results": measure_chunk(reader, chunk)}
            else:
                answer = {"results": decode_chunk(reader, chunk, target, images)}
        except OSError as error:
            answer = {"fatal": error.strerror}
        _say(answer)
        gc.collect()


def decode_chunk(reader: Reader, chunk: dict[str, Any], target: Target, images: int) -> list[Any]:
    """Decode the images of a chunk and write them to their rows of the file `images`.

    chunk: `first`: its first row; `where`: the place of each image; `mirrored`: positions to flip.
    Returns [digest, height, width, flags] for every image, or the reason why it is not readable.
    """
    pixels = np.zeros((len(chunk["where"]), *target[:3]), np.uint8)
    mirrored = frozenset(chunk["mirrored"])
    results: list[Any] = []
    for position, where in enumerate(chunk["where"]):
        limit_next_image(CPU_S)
        try:
            data = reader.read(where_from_json(where))
            decoded = decode_image(data, target)
        except Unreadable as error:
            results.append(str(error))
            continue
        except MemoryError:  # of the file itself, before it is decoded
            results.append(TOO_LARGE)
            continue
        image = pixels[position]
        image[:] = decoded.pixels[:, ::-1] if position in mirrored else decoded.pixels
        flags = GREY * decoded.grey | TRANSPARENT * decoded.transparent | ANIMATED * decoded.animated
        flags |= DEEP * decoded.deep | CLIPPED * (decoded.outside > 0)
        results.append([pixel_digest(image).hex(), decoded.height, decoded.width, flags])
    os.pwrite(images, pixels.data.cast("B"), HEADER_BYTES + chunk["first"] * pixels[0].nbytes)
    return results


def measure_chunk(reader: Reader, chunk: dict[str, Any]) -> list[Any]:
    """Return each image's `value_range.Measured` as a list, None for 8 bits, or why it is unreadable."""
    results: list[Any] = []
    for where in chunk["where"]:
        limit_next_image(CPU_S)
        try:
            results.append(measure_image(reader.read(where_from_json(where))))
        except Unreadable as error:
            results.append(str(error))
        except MemoryError:
            results.append(TOO_LARGE)
    return results


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
