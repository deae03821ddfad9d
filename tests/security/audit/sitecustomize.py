"""Notes what a Python process does beyond this machine: found by Python where PYTHONPATH names this folder.

Every address that is connected to, looked up or sent to and is not this machine goes, a line each, into the
file that ARCHLAB_TEST_AUDIT names.
"""

import os
import sys

NOTES = os.environ.get("ARCHLAB_TEST_AUDIT")
HERE = {"127.0.0.1", "::1", "localhost", "0.0.0.0", "::", "", None}


def note(event: str, arguments: tuple) -> None:
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None  # a file's socket stays on this machine
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host not in HERE:
        notes = os.open(NOTES, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(notes, f"{event} {host} by {' '.join(sys.argv[:4])}\n".encode())
        os.close(notes)


if NOTES:
    sys.addaudithook(note)
