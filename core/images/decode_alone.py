"""The process that decodes images of visitors: `python -m core.images.decode_alone`, see `limited`.

A request is a line of JSON and the bytes of the image; an answer is a line of JSON and the pixels. It ends
when stdin does, and after an image that took much memory, so that the memory is freed.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from core.images.decode import Decoded, Unreadable, decode_image
from core.images.limits import limit_memory, limit_next_image, memory_used, write_no_file
from core.images.target import Target
from core.images.value_range import rule_from_json

KEPT = 512 << 20  # bytes of memory, beyond which the process ends


def main() -> None:
    """Answer requests until stdin ends."""
    memory, seconds = int(sys.argv[1]), int(sys.argv[2])
    limit_memory(memory)
    write_no_file()
    while line := sys.stdin.buffer.readline():
        request = json.loads(line)
        data = sys.stdin.buffer.read(request["bytes"])
        limit_next_image(seconds)
        answer, pixels = _answer(data, request["target"])
        ends = memory_used() > KEPT
        header = {**answer, "bytes": len(pixels), "ends": ends}
        sys.stdout.buffer.write(json.dumps(header).encode() + b"\n" + pixels)
        sys.stdout.buffer.flush()
        if ends:
            return


def _answer(data: bytes, values: list[Any]) -> tuple[dict[str, Any], bytes]:
    target = Target(*values)
    try:
        found: Decoded = decode_image(data, target._replace(values=rule_from_json(target.values)))
    except Unreadable as error:
        return {"error": str(error)}, b""
    facts = found._asdict()
    pixels = facts.pop("pixels")
    return {"facts": facts, "shape": pixels.shape}, pixels.tobytes()


if __name__ == "__main__":
    main()
