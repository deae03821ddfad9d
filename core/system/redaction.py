"""Keeps the secrets of the environment out of every text that leaves a process.

A secret is the password in an address (`scheme://user:password@host`), the value of a variable that is named
like one (PASSWORD, SECRET, TOKEN, KEY), and the forms in which programs repeat it: percent-encoded, or as the
`Authorization` header. The one place that knows them. What a process prints and logs passes `redact_output`;
what it writes into the store or draws on a page calls `redact`.
"""

from __future__ import annotations

import base64
import logging
import os
import re
import sys
import traceback
from contextlib import suppress
from functools import lru_cache
from typing import Any, TextIO
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

MASK = "***"
SHORTEST = 4  # characters: a shorter secret is part of many words, and masked in addresses alone
TRIVIAL = frozenset(("true", "false", "none", "null", "auto", "enabled", "disabled"))  # switches, no secrets
NAMED = re.compile(
    r"PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|CONNECTION_?STRING|(API|ACCESS|PRIVATE|ACCOUNT)_?KEY"
    r"|_(KEY|PASS|PWD|PAT)$|SSHPASS$",
    re.I,
)
NOT_SECRET = re.compile(r"(_FILE|_PATH|_DIR|_ID|TOKENIZERS_PARALLELISM)$", re.I)  # names of what holds one
IN_ADDRESS = re.compile(r"(?<=://)([^\s/@:'\"]*):[^\s/@'\"]+(?=@)")
IN_QUERY = re.compile(r"(?<=[?&])((?:ssl)?password|token|secret|sig|signature)=[^\s&'\"]+", re.I)


def redact(text: str) -> str:
    """Return a text with every secret of this process' environment replaced by `***`."""
    found = _secrets(frozenset(os.environ.items()))
    if found is not None:
        text = found.sub(MASK, text)
    if "://" in text:
        text = IN_QUERY.sub(rf"\1={MASK}", IN_ADDRESS.sub(rf"\1:{MASK}", text))
    return text


@lru_cache(maxsize=8)
def _secrets(environment: frozenset[tuple[str, str]]) -> re.Pattern[str] | None:
    """Return a pattern of every secret of an environment in every form; None without secrets."""
    forms: set[str] = set()
    for name, value in environment:
        named = NAMED.search(name) and not NOT_SECRET.search(name)
        for secret in ({value} if named else set()) | _passwords(value):
            if len(secret) >= SHORTEST and secret.lower() not in TRIVIAL:
                forms |= {
                    secret,
                    quote(secret, safe=""),
                    quote_plus(secret),
                    quote(secret),
                    repr(secret)[1:-1],
                }
        forms |= _headers(value)
    if not forms:
        return None
    return re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)))


def _passwords(address: str) -> set[str]:
    """Return the passwords in an address, as written and decoded."""
    if "://" not in address:
        return set()
    found: set[str] = set()
    parts = None
    with suppress(ValueError):  # no address after all
        parts = urlsplit(address)
        found = {parts.password or ""} | {
            value for name, value in parse_qsl(parts.query) if NAMED.search(name)
        }
    at = re.search(r"://[^/@:]*:(.+)@", address)  # a password with an unquoted sign, as in `a:b/c@host`
    if at:
        found.add(at.group(1))
    # A password that is also the user or the database, as `mlflow:mlflow@`, is masked in addresses alone.
    names = {parts.username, parts.hostname, parts.path.strip("/")} if parts is not None else set()
    return {form for secret in found - names for form in (secret, unquote(secret))}


def _headers(address: str) -> set[str]:
    """Return user and password of an address as HTTP basic authentication sends them."""
    with suppress(ValueError):
        parts = urlsplit(address) if "://" in address else None
        if parts is not None and parts.password:
            pair = f"{unquote(parts.username or '')}:{unquote(parts.password)}"
            return {base64.b64encode(pair.encode()).decode()}
    return set()


class _RedactedBytes:
    """The binary buffer of a `RedactedStream`, for code that writes bytes; redacts each write."""

    def __init__(self, raw: Any):
        self._raw = raw

    def write(self, data: bytes) -> int:
        text = bytes(data).decode("utf-8", "surrogateescape")
        self._raw.write(redact(text).encode("utf-8", "surrogateescape"))
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


class RedactedStream:
    """A text stream that redacts what is written; everything else is passed on."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(redact(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    @property
    def buffer(self) -> _RedactedBytes:
        return _RedactedBytes(self._stream.buffer)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def redact_output() -> None:
    """Redact all that this process prints and logs from here on: output, log records, tracebacks."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, RedactedStream):
            setattr(sys, name, RedactedStream(stream))
    redact_logs()


class _Record(logging.LogRecord):
    """A log record without secrets in its message, its arguments and its traceback."""

    def getMessage(self) -> str:
        return redact(super().getMessage())


def redact_logs() -> None:
    """Redact every log record that is created from here on, for all handlers."""
    if logging.getLogRecordFactory() is not _record:
        logging.setLogRecordFactory(_record)


def _record(*arguments: Any, **named: Any) -> logging.LogRecord:
    record = _Record(*arguments, **named)
    if record.exc_info and record.exc_info[1] is not None:
        record.exc_text = redact("".join(traceback.format_exception(record.exc_info[1])).rstrip("\n"))
    if record.stack_info:
        record.stack_info = redact(record.stack_info)
    return record
