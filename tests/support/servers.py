"""Real servers that a tracking store may be: MLflow's own, and PostgreSQL where it is installed."""

from __future__ import annotations

import os
import pwd
import secrets
import selectors
import shutil
import signal
import socket
import socketserver
import struct
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

from tests.support.waiting import wait_for

MISSING = "no PostgreSQL on this machine: install the package postgresql to run these tests"


def free_port() -> int:
    """A port that nothing listens on, below those that Linux gives to outgoing connections (from 32768)."""
    while True:
        port = 20_000 + secrets.randbelow(12_768)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


@dataclass
class MlflowServer:
    """`mlflow server` on this machine, which can be stopped and started again with what it has."""

    folder: Path
    options: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen | None = None

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and again where its processes came up and wait for each other."""
        for patience_s in (60, 60, 120):
            self._spawn()
            try:
                return wait_for(self.answers, patience_s)
            except AssertionError:
                self.stop()
        raise AssertionError((self.folder / "server.log").read_text())

    def _spawn(self) -> None:
        command = [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port),
            "--workers", "1", "--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db", *self.options,
        ]  # fmt: skip
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                start_new_session=True,
                stdout=log,
                stderr=log,
            )

    def answers(self) -> bool:
        try:
            return urllib.request.urlopen(f"{self.uri}/health", timeout=5).status == 200
        except OSError:
            return False

    def send(self, signum: signal.Signals) -> None:
        """Signal the server with all its processes."""
        assert self._process is not None
        os.killpg(self._process.pid, signum)

    def stop(self) -> None:
        if self._process is not None:
            self.send(signal.SIGKILL)
            self._process.wait()
            self._process = None


@contextmanager
def resetting_proxy(port: int) -> Iterator[str]:
    """The address of a proxy for a local server; it resets each connection on its second request."""

    class Forward(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", port)) as server:
                for turn in range(2):
                    if not _ready(self.request):
                        return
                    if turn:  # what was sent is never read
                        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        return
                    while True:
                        ready = _ready(self.request, server)
                        if server in ready:
                            break
                        server.sendall(self.request.recv(1 << 16))
                    server.settimeout(0.2)  # the answer is whole when nothing more comes
                    with suppress(TimeoutError):
                        while answer := server.recv(1 << 16):
                            self.request.sendall(answer)

    class Proxy(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def shutdown_request(self, request: Any) -> None:
            request.close()  # without a word of goodbye, which would precede the reset

    with Proxy(("127.0.0.1", 0), Forward) as proxy:
        thread = Thread(target=proxy.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{proxy.server_address[1]}"
        finally:
            proxy.shutdown()
            thread.join()


def _ready(*lines: socket.socket) -> list[socket.socket]:
    """Which of some sockets can be read, after a minute at most; `select` knows only 1,024 descriptors."""
    with selectors.DefaultSelector() as selector:
        for line in lines:
            selector.register(line, selectors.EVENT_READ)
        return [line for key, _ in selector.select(60) for line in lines if key.fileobj is line]


@contextmanager
def mlflow_server(folder: Path, *options: str) -> Iterator[MlflowServer]:
    """A server that keeps its artifacts in `folder`, unless the options say otherwise."""
    server = MlflowServer(folder, options or ("--artifacts-destination", str(folder / "artifacts")))
    try:
        server.start()
        yield server
    finally:
        server.stop()


def postgres_programs() -> Path | None:
    """The folder of PostgreSQL's programs, where it is installed."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "pg_ctl").exists()), None)


@dataclass
class Postgres:
    """A PostgreSQL cluster in a folder of its own; it refuses to run as root."""

    folder: Path
    port: int = field(default_factory=free_port)

    @property
    def uri(self) -> str:
        return f"postgresql://archlab:secret@127.0.0.1:{self.port}/archlab"

    def start(self) -> None:
        options = f"-h 127.0.0.1 -p {self.port} -k {self.folder}"
        self.run("pg_ctl", "-w", "-D", "data", "-l", "log", "-o", options, "start")

    def stop(self) -> None:
        self.run("pg_ctl", "-w", "-D", "data", "-m", "immediate", "stop")

    def send(self, signum: signal.Signals) -> None:
        """Signal the server with all its processes."""
        server = int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        others = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        for process in (server, *map(int, others)):
            with suppress(ProcessLookupError):  # a connection has just been closed
                os.kill(process, signum)

    def run(self, program: str, *arguments: str) -> None:
        programs = postgres_programs()
        assert programs is not None
        subprocess.run(
            [str(programs / program), *arguments],
            cwd=self.folder,
            check=True,
            stdout=subprocess.DEVNULL,
            user="postgres" if os.getuid() == 0 else None,
            timeout=120,
        )


@contextmanager
def postgres() -> Iterator[Postgres]:
    """An empty database `archlab` with a password."""
    with tempfile.TemporaryDirectory(prefix="archlab-postgres", dir="/tmp") as name:  # sockets: a short path
        cluster = Postgres(Path(name))
        if os.getuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(name, owner.pw_uid, owner.pw_gid)
        password = cluster.folder / "password"
        password.write_text("secret")
        password.chmod(0o644)
        arguments = ("-D", "data", "-U", "archlab", "--auth", "scram-sha-256", "--pwfile", "password")
        cluster.run("initdb", *arguments, "--encoding", "UTF8", "--no-sync")
        cluster.start()
        try:
            admin = cluster.uri.removesuffix("archlab") + "postgres"
            cluster.run("psql", "-q", admin, "-c", "CREATE DATABASE archlab")
            yield cluster
        finally:
            cluster.stop()
