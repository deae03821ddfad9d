"""Ask the head of a Ray cluster through Ray's Jobs API, over HTTP: Ray is installed on the cluster alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.system.settings import Settings
from core.tracking.errors import first_line

ANSWER_S = 30.0  # timeout of every other request
PROBE_S = 3.0  # timeout of the request whether it is there at all: the queue waits meanwhile
DENIED = (401, 403)
NO_HEAD = "What answers at {} is not the dashboard of a Ray head."
NOT_FOUND, SERVER_ERROR = 404, 500


class RayError(RuntimeError):
    """The head cannot be reached, or refused; the message says which address and why.

    code: the HTTP status of its answer; 0 without an answer.
    """

    def __init__(self, message: str, code: int = 0):
        super().__init__(message)
        self.code = code

    @property
    def may_pass(self) -> bool:
        """Whether the same request may succeed later: the head was away or had an error of its own."""
        return self.code == 0 or self.code >= SERVER_ERROR


@dataclass(frozen=True)
class Job:
    """A job as the head describes it: Ray's status, the exit code once there is one, and the reason."""

    status: str
    code: int | None
    message: str


@dataclass(frozen=True)
class Cluster:
    """The head of a cluster. address: of its dashboard, `http://host:8265`; token: empty for none."""

    address: str
    token: str = ""

    def submit(self, job: str, command: str, environment: dict[str, str], gpus: int) -> None:
        """Submit a command as a job. Raises RayError, also where a job of that id was submitted before."""
        wanted: dict[str, Any] = {"entrypoint_num_gpus": gpus} if gpus else {"entrypoint_num_cpus": 1}
        self._ask(
            "POST",
            "/api/jobs/",
            {
                "entrypoint": command,
                "submission_id": job,
                "runtime_env": {"env_vars": environment},
                **wanted,
            },
        )

    def job(self, job: str) -> Job:
        found = self._ask("GET", f"/api/jobs/{job}")
        return Job(found["status"], found.get("driver_exit_code"), found.get("message") or "")

    def log(self, job: str) -> str:
        """Return everything that a job printed."""
        return self._ask("GET", f"/api/jobs/{job}/logs")["logs"]

    def stop(self, job: str) -> None:
        """Stop a job: Ray sends SIGTERM, and SIGKILL some seconds later."""
        self._ask("POST", f"/api/jobs/{job}/stop")

    def problem(self) -> str:
        """Return why the head cannot be used; empty where it can."""
        try:
            self._ask("GET", "/api/version", wait_s=PROBE_S)
        except RayError as error:
            return str(error)
        return ""

    def _ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, wait_s: float = ANSWER_S
    ) -> Any:
        """Return the JSON of an answer. Raises RayError."""
        import requests

        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        address = self.address.rstrip("/") + path
        try:
            answer = requests.request(
                method, address, json=body, headers=headers, timeout=wait_s, auth=_no_netrc
            )
        except requests.Timeout as error:
            reason = f"no answer in {wait_s:.0f} s."
            raise RayError(f"The Ray head at {self.address} cannot be reached: {reason}") from error
        except requests.RequestException as error:
            if "BadStatusLine" in str(error):
                raise RayError(
                    f"What answers at {self.address} is not the dashboard of a Ray head."
                ) from error
            reason = first_line(error)
            raise RayError(f"The Ray head at {self.address} cannot be reached: {reason}") from error
        if not answer.ok:
            said = " ".join(answer.text.split())[-300:]
            hint = (
                " Set ARCHLAB_RAY_TOKEN to the token of the cluster." if answer.status_code in DENIED else ""
            )
            raise RayError(
                f"The Ray head at {self.address} refused ({answer.status_code}): {said}{hint}",
                answer.status_code,
            )
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            raise RayError(NO_HEAD.format(self.address)) from error


def cluster_of(settings: Settings) -> Cluster:
    return Cluster(settings.ray_address, settings.ray_token)


def _no_netrc(request: Any) -> Any:
    """Leave a request as it is: without this, a password in ~/.netrc would take the place of the token."""
    return request
