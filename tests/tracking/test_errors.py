"""What an error means for the store is decided once."""

from __future__ import annotations

import sqlite3

import pandas as pd
import pytest
import requests
from mlflow.exceptions import MlflowException, RestException
from mlflow.protos import databricks_pb2 as codes
from sqlalchemy import exc
from urllib3.exceptions import ProtocolError

from core.system.settings import NotAllowed, SettingsError
from core.tracking.errors import Fault, Refused, StoreError, fault_of, first_line, shown, store_errors


def answered(status: int) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError(response=response)


def of_pandas(cause: Exception) -> pd.errors.DatabaseError:
    error = pd.errors.DatabaseError("Execution failed")
    error.__cause__ = cause
    return error


AWAY = (
    exc.OperationalError("SELECT 1", {}, Exception("database is locked")),
    exc.TimeoutError("QueuePool limit"),
    sqlite3.OperationalError("database is locked"),
    of_pandas(exc.OperationalError("SELECT 1", {}, Exception("gone"))),
    MlflowException("API request failed"),
    MlflowException("busy", codes.TEMPORARILY_UNAVAILABLE),
    RestException({"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "slower"}),
    requests.ConnectionError("refused"),
    requests.ReadTimeout(),
    answered(503),
    answered(429),
    ConnectionRefusedError(),
    OSError(28, "No space left on device"),  # where artifacts are written
    StoreError("http://there", "away", Fault.AWAY),
)
REFUSED = (
    exc.IntegrityError("INSERT", {}, Exception("UNIQUE constraint failed")),
    exc.ProgrammingError("SELECT 1", {}, Exception("permission denied for table runs")),
    of_pandas(exc.DataError("SELECT 1", {}, Exception("too long"))),
    MlflowException("no such run", codes.RESOURCE_DOES_NOT_EXIST),
    MlflowException("no", codes.PERMISSION_DENIED),
    MlflowException("not here", codes.NOT_IMPLEMENTED),
    RestException({"error_code": "INVALID_PARAMETER_VALUE", "message": "deleted"}),
    answered(403),
    Refused(ConnectionError("503")),
    StoreError("http://there", "no", Fault.REFUSED),
)
NOT_OF_THE_STORE = (
    ValueError("a bug"),
    KeyError("runs"),
    FileNotFoundError("no file"),
    SettingsError("ARCHLAB_ROLE must be one of trainer, viewer."),
    NotAllowed("read-only"),
)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        *((error, Fault.AWAY) for error in AWAY),
        *((error, Fault.REFUSED) for error in REFUSED),
        *((error, None) for error in NOT_OF_THE_STORE),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_an_error_is_the_stores_or_not(error: Exception, fault: Fault | None) -> None:
    assert fault_of(error) is fault


def test_an_error_of_the_store_keeps_what_it_means() -> None:
    sentence = r"^The tracking store http://there cannot be used: no$"
    with pytest.raises(StoreError, match=sentence) as found, store_errors("http://there"):
        raise MlflowException("no\nsecond line", codes.PERMISSION_DENIED)
    assert fault_of(found.value) is Fault.REFUSED
    with pytest.raises(ZeroDivisionError), store_errors("http://there"):
        raise ZeroDivisionError


@pytest.mark.parametrize("uri", ["postgresql://me:key@there/runs", "http://me:key@there:5000"])
def test_a_password_of_a_store_is_not_shown(uri: str) -> None:
    error = StoreError(uri, f"API request to {uri} failed", Fault.AWAY)
    assert "key" not in str(error)
    assert "me:***@there" in str(error)
    for path in ("mlruns", "http://there:port/", "sqlite:////srv/a file.db"):
        assert shown(path) == path


def test_a_lost_connection_is_said_in_words() -> None:
    lost = ProtocolError("Connection aborted.", ConnectionResetError(104, "Connection reset by peer"))
    assert first_line(requests.ConnectionError(lost)) == "Connection aborted. Connection reset by peer"


@pytest.mark.parametrize(
    ("cause", "sentence"),
    [
        ("ProtocolError('Connection aborted.', ConnectionResetError(104, 'Connection reset by peer'))",
         "Connection reset by peer."),
        ("NewConnectionError(\"HTTPConnection(host='there', port=9): Failed to establish a new connection: "
         "[Errno 111] Connection refused\")", "Connection refused."),
        ("NameResolutionError(\"HTTPConnection(host='there', port=9): Failed to resolve 'there' "
         "([Errno -2] Name or service not known)\")", "Name or service not known."),
        ("ReadTimeoutError(\"HTTPConnectionPool(host='there', port=9): Read timed out. (read timeout=5)\")",
         "Read timed out."),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
         "self-signed certificate (_ssl.c:1006)'))", "self-signed certificate."),
        ("ProtocolError('Connection aborted.', RemoteDisconnected('Remote end closed connection without "
         "response'))", "Remote end closed connection without response."),
        ("ResponseError('too many 500 error responses')", "It answers with the HTTP error 500."),
    ],
)  # fmt: skip
def test_a_request_that_failed_says_its_innermost_cause(cause: str, sentence: str) -> None:
    pool = "HTTPConnectionPool(host='there', port=9): Max retries exceeded with url: /api"
    request = f"API request to http://there:9/api failed with exception {pool} (Caused by {cause})"
    assert first_line(MlflowException(request)) == sentence
    files = (
        f"The following failures occurred while downloading one or more artifacts:\n##### a #####\n{request}"
    )
    assert first_line(MlflowException(files)) == sentence
