"""What is made of the answers of a Ray head that are hard to get from a real one, which tests/cluster has."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread, Timer

import pytest

from core.jobs.executors import ray
from core.jobs.executors.ray_head import Cluster
from core.jobs.slots import CLUSTER
from core.jobs.supervise import supervise
from core.launching.continuing import cancel
from core.system import settings as settings_module
from core.system.settings import Settings, SettingsError, from_environment
from core.tracking import schema
from core.tracking.store import RunStore, get_store
from tests.support.homes import SMALL
from tests.support.pages import opened

UNAVAILABLE = 503


@dataclass
class Head:
    """Answers as it is told, and notes what it was asked."""

    refuses: int = 0  # the code with which it refuses a job
    forgets_to_answer: bool = False  # it takes a job and hangs up
    states: list[dict] = field(default_factory=list)  # of every job, the last one for good
    jobs: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    server: ThreadingHTTPServer | None = None

    @property
    def address(self) -> str:
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.server_port}"

    def leave(self) -> None:
        assert self.server is not None
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def head() -> Iterator[Head]:
    found = Head()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/api/version":
                self.say({"version": "4"})
            elif self.path.endswith("/logs"):
                self.say({"logs": "printed before it could write its log"})
            elif self.path.rpartition("/")[2] in found.jobs:
                self.say(found.states.pop(0) if len(found.states) > 1 else found.states[0])
            else:
                self.say({}, 404)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            if self.path.endswith("/stop"):
                found.stopped.append(self.path.split("/")[3])
                self.say({"stopped": True})
            elif found.refuses:
                self.say({"error": "not now"}, found.refuses)
            else:
                found.jobs.append(body["submission_id"])
                found.environment = body["runtime_env"]["env_vars"]
                if found.forgets_to_answer:
                    self.close_connection = True
                else:
                    self.say({})

        def say(self, body: dict, code: int = 200) -> None:
            text = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    found.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    Thread(target=found.server.serve_forever, daemon=True).start()
    yield found
    found.leave()


@pytest.fixture
def store(settings: Settings, head: Head, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    monkeypatch.setenv("ARCHLAB_EXECUTOR", "ray")
    monkeypatch.setenv("ARCHLAB_RAY_ADDRESS", head.address)
    monkeypatch.setenv("ARCHLAB_RAY_TOKEN", "secret")
    monkeypatch.setattr(ray, "POLL_S", 0.05)
    settings_module.get_settings.cache_clear()
    return get_store()


SUCCEEDED = {"status": "SUCCEEDED", "driver_exit_code": 0}


def test_a_run_that_the_head_cannot_take_waits_on(store: RunStore, head: Head) -> None:
    run_id = store.create(SMALL)
    head.refuses = UNAVAILABLE
    assert supervise(store, run_id, CLUSTER) == schema.SCHEDULED
    state = store.state(run_id)
    assert state.status == schema.SCHEDULED
    assert not {schema.JOB, schema.STARTED, schema.DEVICE, schema.FAILURE} & set(state.tags)
    assert "refused (503)" in state.tags[schema.NOT_TAKEN]
    page = opened("pages/6_Queue.py")
    assert any("not now" in warning.value for warning in page.warning)
    assert page.dataframe[0].value["starts"].tolist() == [""]  # nobody knows
    head.refuses, head.states = 0, [SUCCEEDED]
    assert supervise(store, run_id, CLUSTER) == schema.FINISHED
    assert schema.NOT_TAKEN not in store.state(run_id).tags


def test_a_run_that_the_head_refuses_fails_with_its_words(store: RunStore, head: Head) -> None:
    run_id = store.create(SMALL)
    head.refuses = 400
    assert supervise(store, run_id, CLUSTER) == schema.FAILED
    assert "not now" in store.state(run_id).tags[schema.FAILURE]


def test_a_job_whose_answer_was_lost_is_watched_and_not_submitted_again(store: RunStore, head: Head) -> None:
    run_id = store.create(SMALL)
    head.forgets_to_answer, head.states = True, [SUCCEEDED]
    assert supervise(store, run_id, CLUSTER) == schema.FINISHED
    assert len(head.jobs) == 1


def test_the_cluster_says_why_a_job_never_began(store: RunStore, head: Head) -> None:
    run_id = store.create(SMALL)
    head.states = [
        {"status": "PENDING"},
        {"status": "FAILED", "message": "The node of the job died.\nLast lines of its log: ..."},
    ]
    assert supervise(store, run_id, CLUSTER) == schema.FAILED
    assert store.state(run_id).tags[schema.FAILURE] == "The node of the job died."
    assert store.state(run_id).progress == {"phase": schema.PENDING}
    assert "printed before it could write its log" in store.read_text(run_id, schema.LOG)


def test_a_run_is_cancelled_although_the_head_is_away(
    store: RunStore, head: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "GRACE_S", 0.5)
    run_id = store.create(SMALL)
    head.states = [{"status": "RUNNING"}]

    def leave() -> None:
        head.leave()
        cancel(store, run_id)

    Timer(0.5, leave).start()
    assert supervise(store, run_id, CLUSTER) == schema.KILLED


def test_trainings_get_the_settings_but_no_token(
    store: RunStore, head: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHLAB_ARCHITECTURES", "/shared/nets")
    head.states = [SUCCEEDED]
    supervise(store, store.create(SMALL), CLUSTER)
    assert head.environment["ARCHLAB_ARCHITECTURES"] == "/shared/nets"
    assert head.environment["ARCHLAB_HOME"] == str(store.settings.home)
    assert "secret" not in head.environment.values()


def test_what_is_no_dashboard_of_a_head_is_said_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"

        def chatter() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"hello\r\n\r\n")

        Thread(target=chatter, daemon=True).start()
        assert Cluster(address).problem().startswith(f"What answers at {address} is not the dashboard")


@pytest.mark.parametrize("address", ["", "ray://head:10001", "http://head:port", "http://[bad", "http://"])
def test_an_address_that_is_none_is_refused(
    empty_home: Settings, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("ARCHLAB_EXECUTOR", "ray")
    monkeypatch.setenv("ARCHLAB_RAY_ADDRESS", address)
    with pytest.raises(SettingsError, match="ARCHLAB_RAY_ADDRESS must be the address of the Ray head's"):
        from_environment()
    assert os.environ["ARCHLAB_RAY_ADDRESS"] == address
