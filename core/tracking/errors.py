"""What a failure of the tracking store means: it is away for a while, or it refuses a request.

The one place that decides it; writers, watchers, pages and commands ask here. The classes of MLflow and
requests are recognised by name, because importing them takes seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from sqlalchemy import exc, make_url

from core.system.files import is_of_the_disk
from core.system.redaction import redact
from core.system.settings import SettingsError


class Fault(Enum):
    """AWAY: busy, starting or out of reach; the same request may succeed later. REFUSED: it never will."""

    AWAY = "away"
    REFUSED = "refused"


AWAY_CODES = {  # MLflow's error codes; every other one is an answer that will not change
    "ABORTED",
    "CANCELLED",
    "DEADLINE_EXCEEDED",
    "INTERNAL_ERROR",
    "REQUEST_LIMIT_EXCEEDED",
    "RESOURCE_EXHAUSTED",
    "TEMPORARILY_UNAVAILABLE",
}
AWAY_STATUSES = {408, 425, 429}  # HTTP; and everything from 500
AWAY_IN_SQL = (exc.OperationalError, exc.InterfaceError, exc.InternalError, exc.TimeoutError)


class StoreError(SettingsError):
    """The tracking store cannot be used: the message says which store and why.

    fault: what the failure means. reason: the last part of the message.
    """

    def __init__(self, uri: str, reason: str, fault: Fault):
        self.fault = fault
        self.reason = redact(reason)
        super().__init__(f"The tracking store {shown(uri)} cannot be used: {self.reason}")


class DamagedArtifact(ValueError):
    """A file that was logged with a run cannot be read."""

    def __init__(self, run_id: str, name: str, reason: object):
        lines = str(reason).strip().splitlines() or [type(reason).__name__]
        super().__init__(f"The file '{name}' of the run {run_id} is damaged: {lines[0][:200].rstrip('.')}.")


class Refused(RuntimeError):
    """The store keeps failing at one request while it accepts others."""

    def __init__(self, error: BaseException):
        super().__init__(first_line(error))


def fault_of(error: BaseException | None) -> Fault | None:
    """Classify an error; None where the store did not cause it.

    A `ConnectionError`, and a disk that takes no write, count as the store's: call this around requests to
    it only.
    """
    if error is None:
        return None
    names = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, StoreError):
        return error.fault
    if is_of_the_disk(error):  # of artifacts on this machine
        return Fault.AWAY
    if isinstance(error, Refused):
        return Fault.REFUSED
    if isinstance(error, exc.SQLAlchemyError):
        lost = isinstance(error, exc.DBAPIError) and error.connection_invalidated
        return Fault.AWAY if lost or isinstance(error, AWAY_IN_SQL) else Fault.REFUSED
    if "MlflowException" in names:
        return Fault.AWAY if getattr(error, "error_code", "") in AWAY_CODES else Fault.REFUSED
    if "RequestException" in names:
        status = getattr(getattr(error, "response", None), "status_code", None)
        away = status is None or status in AWAY_STATUSES or status >= 500
        return Fault.AWAY if away else Fault.REFUSED
    if "DatabaseError" in names:  # a driver's own, or pandas' around one of the above
        cause = fault_of(error.__cause__)
        return cause or (Fault.AWAY if "OperationalError" in names else Fault.REFUSED)
    return Fault.AWAY if isinstance(error, ConnectionError) else None


def is_away(error: BaseException) -> bool:
    """Whether the same request may succeed later."""
    return fault_of(error) is Fault.AWAY


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Raise StoreError for every failure of the store at `uri`; other errors pass."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        fault = fault_of(error)
        if fault is None:
            raise
        raise StoreError(uri, first_line(error), fault) from error


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message without secrets, or the name of its class without one."""
    if type(error).__name__ == "DatabaseError" and isinstance(error.__cause__, exc.DBAPIError):
        return first_line(error.__cause__)  # pandas adds the query to it
    own = isinstance(error, exc.DBAPIError) and error.orig  # and so does SQLAlchemy
    if (found := re.search(r"too many (\d{3}) error responses", str(error))) is not None:
        hint = "; its own database may be away" if found.group(1) == "503" else ""
        return f"It answers with the HTTP error {found.group(1)}{hint}."
    if (found := re.search(r"Max retries exceeded .*\(Caused by (.+)", str(error))) is not None:
        return _innermost(found.group(1))
    lines = str(own or error).strip().splitlines()
    if lines and lines[0].startswith("('"):  # urllib3 prints its arguments
        lines = [" ".join(re.findall(r"'([^']+)'", lines[0]))]
    return redact(lines[0]) if lines else type(error).__name__


def _innermost(cause: str) -> str:
    """The last part of a chain of addresses and classes, with which urllib3 says why a request failed."""
    numbered = re.search(r"\[Errno -?\d+\] ([^'\")]+)", cause)
    last = numbered.group(1) if numbered else re.split(r"[:,] ", cause)[-1].split(" (", 1)[0]
    return redact(re.sub(r"^\w+\(", "", last).strip("()'\".")) + "."


def shown(uri: str) -> str:
    """Return the address of a store without its password."""
    try:
        return redact(make_url(uri).render_as_string(hide_password=True))
    except (exc.SQLAlchemyError, ValueError):  # a path, which has none
        return redact(uri)
