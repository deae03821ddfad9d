"""One home is lived in, its store a server that is up, away and refusing: nothing gets out of it.

Neither a secret of the environment, which stands in the store's address and in variables, nor a word to
another machine, nor a file outside the home.
"""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.system import settings as settings_module
from core.system.settings import Settings
from core.tracking.patience import IMPATIENT
from core.tracking.store import get_store
from core.ui.common import stored_runs
from tests.support.commands import run
from tests.support.homes import SMALL, stop_processes, using
from tests.support.pages import PAGES, opened
from tests.support.servers import MlflowServer, mlflow_server
from tests.support.waiting import wait_for

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(900),
]  # the fixture trains, and opens every page three times

USER, PLANTED = "somebody", "pl4nted-S3cret"
FORMS = (PLANTED, base64.b64encode(f"{USER}:{PLANTED}".encode()).decode())
VARIABLES = ("ARCHLAB_RAY_TOKEN", "MLFLOW_TRACKING_TOKEN_UNUSED", "AWS_SECRET_ACCESS_KEY", "MY_API_KEY")
AUDIT = Path(__file__).with_name("audit")
CI = ("CI", "GITHUB_ACTIONS", "PYTEST_CURRENT_TEST")  # MLflow reports nothing where it sees these


@dataclass
class Lived:
    """What became visible of a home. shown: texts of commands and pages, by where they stood."""

    home: Path
    server: Path
    person: Path
    audit: Path
    shown: dict[str, str] = field(default_factory=dict)
    processes: set[str] = field(default_factory=set)


class Refusing(BaseHTTPRequestHandler):
    """A server that says no to everything, and repeats who asked."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 403)
        self.end_headers()
        self.wfile.write(f"No, {self.headers.get('Authorization')} may not.".encode())

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def refusing(port: int) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", port), Refusing)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def look(lived: Lived, when: str, run_id: str) -> None:
    """Give every command and open every page once."""
    image, config = lived.home.parent / "image.png", lived.home.parent / "config.yaml"
    for command in (
        ("status",), ("status", run_id), ("list", "runs", "--json"), ("list", "groups"), ("log", run_id),
        ("doctor",), ("doctor", "--json"), ("predict", run_id, str(image)), ("cancel", run_id),
        ("lock", run_id),
        ("resume", run_id), ("delete", run_id, "--yes"), ("list", "datasets"),
    ):  # fmt: skip
        answer = run(*command)
        lived.shown[f"{when}: {' '.join(command)}"] = answer.stdout + answer.stderr
        assert "Traceback" not in answer.stderr
    if when != "up":
        answer = run("train", str(config))
        lived.shown[f"{when}: train"] = answer.stdout + answer.stderr
    stored_runs.st.cache_data.clear()
    for page in PAGES:
        app = opened(page, run=run_id)
        lived.shown[f"{when}: {page}"] = text_of(app)
        assert not app.exception


def text_of(app: AppTest) -> str:
    """All that a browser gets of a page."""
    found: list[str] = []
    pending: list[Any] = [app._tree]
    while pending:
        node = pending.pop()
        found.append(str(getattr(node, "proto", "")))
        pending += getattr(node, "children", {}).values()
    return "\n".join(found)


def train(lived: Lived, settings: Settings) -> str:
    """Train a run from the queue, and look at the process list while it does."""
    answer = run("train", str(lived.home.parent / "config.yaml"))
    assert answer.returncode == 0, answer.stderr
    run_id = answer.stdout.strip()

    def has_ended() -> bool:
        for process in psutil.process_iter(["cmdline", "environ"]):
            if (process.info["environ"] or {}).get("ARCHLAB_HOME") == str(settings.home):
                lived.processes.add(" ".join(process.info["cmdline"] or []))
        return not get_store().state(run_id).active

    wait_for(has_ended, 240)
    assert get_store().state(run_id).status == "FINISHED"
    return run_id


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    folder = tmp_path_factory.mktemp("lived")
    names = ("home", "server", "person", "audit.txt")
    found = Lived(*(folder / name for name in names))
    for made in (found.server, found.person):
        made.mkdir()
    (folder / "config.yaml").write_text(SMALL.with_values({"training.epochs": 1}).to_yaml())
    Image.new("L", (8, 8)).save(folder / "image.png")
    with mlflow_server(found.server) as server, using(found.home), pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", server.uri.replace("//", f"//{USER}:{PLANTED}@") + "/")
        for name in VARIABLES:
            patch.setenv(name, PLANTED)
        for name, value in IMPATIENT.items():
            patch.setenv(name, value)
        patch.setenv("HOME", str(found.person))
        patch.setenv("PYTHONPATH", str(AUDIT))
        patch.setenv("ARCHLAB_TEST_AUDIT", str(found.audit))
        for name in CI:
            patch.delenv(name, raising=False)
        settings_module.get_settings.cache_clear()
        settings = settings_module.get_settings()
        try:
            run_id = train(found, settings)
            look(found, "up", run_id)
            live_without(found, server, settings, run_id)
        finally:
            stop_processes(settings)
    settings_module.get_settings.cache_clear()
    stored_runs.st.cache_data.clear()
    return found


def live_without(lived: Lived, server: MlflowServer, settings: Settings, run_id: str) -> None:
    """Look at it while its server is away, and while it refuses; the worker has met both."""
    worker, said = settings.home / "worker.log", (settings.home / "worker.log").read_text()
    server.stop()
    look(lived, "away", run_id)
    wait_for(lambda: "cannot be used" in worker.read_text()[len(said) :])
    said = worker.read_text()
    with refusing(server.port):
        look(lived, "refusing", run_id)
        wait_for(lambda: "refused" in worker.read_text()[len(said) :] or "403" in worker.read_text())


def test_no_secret_is_shown_by_a_page_or_a_command(lived: Lived) -> None:
    leaks = [where for where, text in lived.shown.items() if any(form in text for form in FORMS)]
    assert leaks == []
    assert len(lived.shown) > 60


def test_the_store_is_named_without_its_password(lived: Lived) -> None:
    """What was masked was there: the address is said, and the trouble with it."""
    assert f"http://{USER}:***@127.0.0.1" in lived.shown["up: doctor"]
    for when in ("away", "refusing"):
        assert "***" in lived.shown[f"{when}: status"]


def test_no_secret_is_in_a_file(lived: Lived) -> None:
    """Logs, tags and artifacts: the home, and all that the server keeps."""
    files = [path for place in (lived.home, lived.server) for path in place.rglob("*") if path.is_file()]
    leaks = [path for path in files if any(form.encode() in path.read_bytes() for form in FORMS)]
    assert leaks == []
    assert {"worker.log", "mlflow.db"} <= {path.name for path in files}


def test_no_secret_is_in_the_process_list(lived: Lived) -> None:
    assert not [line for line in lived.processes if PLANTED in line]
    assert any("core.training" in line for line in lived.processes)


def test_nothing_is_sent_to_another_machine(lived: Lived) -> None:
    """By worker, training and prediction process; the test of the audit shows that it would be noted."""
    assert not lived.audit.exists(), lived.audit.read_text()


def test_nothing_is_written_into_the_persons_own_folder(lived: Lived) -> None:
    assert list(lived.person.rglob("*")) == []


def test_the_home_is_its_owners_alone(lived: Lived) -> None:
    assert stat.S_IMODE(lived.home.stat().st_mode) == 0o700


def test_the_audit_notes_what_is_sent(tmp_path: Path) -> None:
    import subprocess
    import sys

    ask = "import socket\ntry: socket.getaddrinfo('nowhere.invalid', 80)\nexcept OSError: pass"
    notes = tmp_path / "notes"
    environment = {**os.environ, "PYTHONPATH": str(AUDIT), "ARCHLAB_TEST_AUDIT": str(notes)}
    subprocess.run([sys.executable, "-c", ask], env=environment, check=True, timeout=60)
    assert "nowhere.invalid" in notes.read_text()
