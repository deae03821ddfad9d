"""No text that leaves a process has a secret of its environment in it, in any form that programs use."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from core.system.redaction import redact
from core.system.settings import PROGRAM

SECRET = "pl@nted/s3cret"
ADDRESS = "http://user:pl%40nted%2Fs3cret@127.0.0.1:5000"


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", ADDRESS)
    monkeypatch.setenv("ARCHLAB_RAY_TOKEN", "planted-token")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted+key/=")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:plänted@proxy:3128")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"GET {ADDRESS}/api/2.0 failed", "GET http://user:***@127.0.0.1:5000/api/2.0 failed"),
        (f"password {SECRET}.", "password ***."),
        ("Authorization: Basic dXNlcjpwbEBudGVkL3MzY3JldA==", "Authorization: Basic ***"),
        ("token=planted-token&x", "token=***&x"),
        ("{'aws': 'planted+key/='}", "{'aws': '***'}"),
        ("planted%2Bkey%2F%3D", "***"),
        ("proxy said plänted, or pl%C3%A4nted", "proxy said ***, or ***"),
        ("postgresql+psycopg://someone:else@host/db", "postgresql+psycopg://someone:***@host/db"),
        ("https://bucket/x?sig=abc123&n=1", "https://bucket/x?sig=***&n=1"),
        ("http://host:8265/user@example", "http://host:8265/user@example"),
        ("nothing to hide: 12:30 a@b.c", "nothing to hide: 12:30 a@b.c"),
    ],
)
def test_a_secret_is_masked_in_every_form(planted: None, text: str, left: str) -> None:
    assert redact(text) == left


def test_switches_and_short_words_are_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    monkeypatch.setenv("PASSWORD_LOGIN", "true")
    monkeypatch.setenv("SECRET_FILE", "/run/secrets/key")
    assert redact("true or false: /run/secrets/key") == "true or false: /run/secrets/key"


@pytest.mark.parametrize("name", ["STRIPE_KEY", "DB_PASS", "MYSQL_PWD", "GITHUB_PAT", "SSHPASS"])
def test_usual_names_of_secrets_are_known(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "geheim12")
    assert redact("it is geheim12") == "it is ***"


def test_a_password_that_is_also_a_name_is_masked_in_addresses_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://mlflow:mlflow@db/mlflow")
    assert redact("/home/mlflow/mlflow.db") == "/home/mlflow/mlflow.db"
    assert redact("postgresql://mlflow:mlflow@db/mlflow") == "postgresql://mlflow:***@db/mlflow"


def test_bytes_that_are_written_past_the_text_are_redacted(planted: None) -> None:
    code = (
        "import sys; from core.system.redaction import redact_output; redact_output(); "
        "sys.stdout.buffer.write('über planted-token'.encode()); sys.stdout.buffer.flush()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROGRAM, capture_output=True, timeout=60)
    assert done.stdout.decode() == "über ***"


PROCESS = """
import logging, sys
from core.system.redaction import redact_output
redact_output()
logging.basicConfig(level=logging.INFO)
try:
    raise ValueError("raised with planted-token")
except ValueError:
    logging.getLogger("x").exception("logged with %s", "planted-token")
print("printed planted-token")
print("told planted-token", file=sys.stderr)
raise RuntimeError("ended by planted-token")
"""


def test_a_process_prints_logs_and_ends_without_its_secrets(planted: None) -> None:
    """Output, log, arguments of a log record, and both tracebacks."""
    done = subprocess.run(
        [sys.executable, "-c", PROCESS], cwd=PROGRAM, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "printed ***\n"
    assert "planted-token" not in done.stderr
    for said in ("logged with ***", "raised with ***", "told ***", "ended by ***", "Traceback"):
        assert said in done.stderr


def test_a_log_record_is_redacted_whoever_handles_it(planted: None, caplog: pytest.LogCaptureFixture) -> None:
    from core.system.redaction import redact_logs

    factory = logging.getLogRecordFactory()
    try:
        redact_logs()
        logging.getLogger("somebody.else").warning("Retrying %s", ADDRESS)
    finally:
        logging.setLogRecordFactory(factory)
    assert caplog.messages == ["Retrying http://user:***@127.0.0.1:5000"]
