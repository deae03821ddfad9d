"""Who can get in: through the dashboard's address, the prediction process' port, and the home's files."""

from __future__ import annotations

import base64
import os
import socket
import stat
import subprocess
import sys
from multiprocessing.connection import Client
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from core.inference.pending_connections import MOST, PendingConnections
from core.inference.protocol import receive, send
from core.serve import allowed_hosts
from core.system import settings as settings_module
from core.system.daemon import Daemon
from core.system.log_limit import CUT, LOG_KEPT, LOG_LIMIT
from core.system.settings import PROGRAM, Settings, SettingsError, from_environment
from tests.support.dashboards import dashboard
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow


def handshake(url: str, host: str, origin: str) -> int:
    """The status with which the dashboard answers a page that wants to act as its visitor."""
    address = urlsplit(url)
    request = [
        "GET /_stcore/stream HTTP/1.1", f"Host: {host}", f"Origin: {origin}", "Upgrade: websocket",
        "Connection: Upgrade", "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}", "", "",
    ]  # fmt: skip
    with socket.create_connection((address.hostname, address.port), timeout=60) as line:
        line.sendall("\r\n".join(request).encode())
        return int(line.makefile("rb").readline().split()[1])


def test_a_page_of_another_name_for_this_address_is_no_visitor(settings: Settings) -> None:
    """DNS rebinding: the attacker's name leads here, so to the browser the page is of the same origin."""
    with dashboard() as url:
        here = urlsplit(url).netloc
        port = here.rpartition(":")[2]
        assert handshake(url, here, url) == 101
        assert handshake(url, f"localhost:{port}", f"http://localhost:{port}") == 101
        assert handshake(url, f"evil.example:{port}", f"http://evil.example:{port}") == 403
        assert handshake(url, here, "http://evil.example") == 403


BROKEN = """
from core.architectures import Architecture, Card, architectures

def check(input_shape, num_classes):
    raise RuntimeError("of no visitor's business")

architectures.register(Architecture(
    name="broken", family="Own", build=None, input_shape=(28, 28, 1), num_classes=10, min_size=1, check=check,
    card=Card(title="It fails", authors="nobody", year=2026, paper="none", summary="It fails."),
))
"""


@pytest.mark.browser
def test_an_error_of_the_programs_own_is_not_shown(
    settings: Settings, tmp_path: Path, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A visitor learns that there was one; its text is in the log."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "broken.py").write_text(BROKEN)
    monkeypatch.setenv("ARCHLAB_ARCHITECTURES", str(own))
    with dashboard() as url:
        page.goto(f"{url}/Train?architectures=broken")
        expect(page.get_by_test_id("stException")).to_be_visible()
        assert "of no visitor's business" not in page.content()
        assert "RuntimeError" not in page.content()


def test_names_of_the_dashboard_are_chosen_by_whoever_runs_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = ["127.0.0.1", "::1", "localhost"]
    assert allowed_hosts(settings, "127.0.0.1") == own
    assert allowed_hosts(settings, "192.0.2.7") == sorted([*own, "192.0.2.7"])
    assert socket.gethostname() in allowed_hosts(settings, "0.0.0.0")
    assert "0.0.0.0" not in allowed_hosts(settings, "0.0.0.0")
    monkeypatch.setenv("ARCHLAB_HOSTS", "lab.example.org, *.example.net")
    assert {"lab.example.org", "*.example.net"} < set(allowed_hosts(from_environment(), "127.0.0.1"))


@pytest.mark.parametrize("names", ["*", "http://lab.example.org", "lab:8501", "a b", "lab.example.org/x"])
def test_what_is_no_name_of_a_host_is_refused(monkeypatch: pytest.MonkeyPatch, names: str) -> None:
    monkeypatch.setenv("ARCHLAB_HOSTS", names)
    with pytest.raises(SettingsError, match="ARCHLAB_HOSTS must be names of hosts"):
        from_environment()


def test_a_home_that_others_could_read_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    monkeypatch.setenv("ARCHLAB_HOME", str(home))
    settings_module.from_environment().check_writable()
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


SERVER = """
import resource, sys, time
from multiprocessing.connection import Listener
from threading import Thread
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]),) * 2)
from core.inference.onnx_models import open_model
from core.inference.server import Server
server = Server(b"key", open_model, has_keras=True)
listener = Listener(("127.0.0.1", 0), backlog=32)
print(listener.address[1], flush=True)
Thread(target=server.serve, args=(listener,), daemon=True).start()
while True:
    server.waiting.sweep()
    time.sleep(0.2)
"""


@pytest.mark.parametrize("descriptors", [40, 1000])
def test_idle_connections_lock_nobody_out_and_fill_no_log(descriptors: int, tmp_path: Path) -> None:
    """With few descriptors they use up all of them, with many they are more than are let in."""
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(descriptors)],
            cwd=PROGRAM,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        )
    idle: list[socket.socket] = []
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        for _ in range(3 * MOST):
            line = socket.socket()
            line.setblocking(False)
            line.connect_ex(("127.0.0.1", port))  # some wait to be accepted
            idle.append(line)
        with Client(("127.0.0.1", port), authkey=b"key") as connection:
            send(connection, {"do": "something"})
            answer, _ = receive(connection)
        assert answer["error"] == "Unknown request 'something'."
    finally:
        for line in idle:
            line.close()
        process.kill()
        process.wait()
    assert log.read_text().count("were refused") <= 2


def test_a_connection_that_knows_the_key_is_ended_by_no_number_of_others() -> None:
    from multiprocessing import Pipe

    room = PendingConnections()
    known, other = Pipe()
    room.enter(known)
    room.trust(known)
    strangers = [Pipe() for _ in range(MOST + 5)]
    for inside, _ in strangers:
        room.enter(inside)
    other.send_bytes(b"a request")
    assert known.recv_bytes() == b"a request"
    ended = [one for one, _ in strangers if one.poll(0)]
    assert ended == [one for one, _ in strangers[:5]]


def test_the_log_of_a_process_is_cut_when_it_has_grown_too_long(settings: Settings) -> None:
    log = settings.home / "some.log"
    with log.open("wb") as file:
        file.truncate(LOG_LIMIT + 1)
        file.seek(0, os.SEEK_END)
        file.write(b"\nthe last line\n")
    with Daemon(settings, "some", ()).hold():
        wait_for(lambda: log.stat().st_size <= LOG_KEPT + 1000 and log.read_text().startswith(CUT))
    assert log.read_text().endswith("the last line\n")
