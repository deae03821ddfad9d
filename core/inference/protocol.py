"""How the prediction process and its clients find each other and exchange messages.

The process listens on 127.0.0.1 at a port of its own and writes address and key into a file that only its
user can read. A message is JSON, followed by the number of blobs that it names; nothing is ever unpickled.
"""

from __future__ import annotations

import json
import re
import socket
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from core.system.files import read_state, write_whole
from core.system.records import from_json_values
from core.system.settings import Settings

HEXADECIMAL = re.compile("([0-9a-f]{2})+")
MAX_HEADER_BYTES = 16 * 2**20
MAX_BLOB_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Address:
    """Where the process listens, and the key that it asks for.

    code: the version of the code that it was started with. process: its name, as in
    `core.system.process_ids`. Both are empty where an earlier version of the program wrote the address.
    """

    port: int
    key: str
    code: str = ""
    process: str = ""


def address_file(settings: Settings, name: str = "inference") -> Path:
    """Return the file with the address of a process. name: of its daemon."""
    return settings.home / f"{name}.json"


def write_address(settings: Settings, address: Address, name: str = "inference") -> None:
    write_whole(address_file(settings, name), json.dumps(asdict(address)), private=True)


def read_address(settings: Settings, name: str = "inference") -> Address | None:
    """Return the address; None where it is not written yet, or damaged: the next process writes it again."""
    try:
        found = from_json_values(Address, read_state(address_file(settings, name)))
    except ValueError:
        return None
    return found if HEXADECIMAL.fullmatch(found.key) else None


def send_at_once(connection: Connection) -> None:
    """Have the parts of a message sent as they are written.

    The kernel would keep the second until the other side has confirmed the first, which takes it 40 ms.
    """
    line = socket.socket(fileno=connection.fileno())
    try:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    finally:
        line.detach()  # the descriptor is still the connection's


def send(connection: Connection, header: dict[str, Any], blobs: tuple[bytes, ...] = ()) -> None:
    connection.send_bytes(json.dumps({**header, "blobs": len(blobs)}).encode())
    for blob in blobs:
        connection.send_bytes(blob)


def receive(connection: Connection) -> tuple[dict[str, Any], list[bytes]]:
    """Return a message and its blobs.

    Raises EOFError when the other side has gone, OSError on a message over the limits.
    """
    header = json.loads(connection.recv_bytes(MAX_HEADER_BYTES))
    return header, [connection.recv_bytes(MAX_BLOB_BYTES) for _ in range(header.pop("blobs"))]
