"""Dataclasses as JSON values and back: for files and messages that another version may have written."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

Record = TypeVar("Record")


def to_json_values(kind: type[Record], record: Record) -> Any:
    """Return a record as values that `json` writes. NaN and infinities stay numbers, tuples stay tuples."""
    return _adapter(cast(Any, kind)).dump_python(record, mode="python")


def from_json_values(kind: type[Record], values: Any) -> Record:
    """Read a record from JSON values.

    Unknown keys are ignored, and absent ones get the defaults of their fields. Raises ValueError with one
    sentence where a key without a default is absent or a value has another type.
    """
    try:
        return _adapter(cast(Any, kind)).validate_python(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        name = getattr(kind, "__name__", str(kind))
        raise ValueError(f"{name} cannot be read: {where}: {first['msg']}.") from error


def prepare_records(*kinds: Any) -> None:
    """Build now what reads and writes records of these kinds: later it could need a file descriptor."""
    for kind in kinds:
        _adapter(kind)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
