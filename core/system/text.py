"""Configs as text: YAML as people write it, and what is wrong in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import ValidationError

MAX_RECEIVED = 200  # characters of a refused value that are repeated in the refusal


def is_layers(value: Any) -> bool:
    """Whether a value is a list of words and mappings, as layers are written."""
    return isinstance(value, list) and all(isinstance(item, (str, Mapping)) for item in value)


def as_text(items: list[Any]) -> str:
    """A list as YAML text with one item a line: the form in which an option of a model holds a list."""
    return yaml.safe_dump(items, sort_keys=False, default_flow_style=None, width=2**20, allow_unicode=True)


class Dumper(yaml.SafeDumper):
    """Writes text of several lines as lines."""


Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)


def as_number(value: Any) -> Any:
    """YAML 1.1 reads `1e-3` as text; people mean the number."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def sentence(error: ValidationError) -> str:
    """What is wrong first, in one sentence: the setting, the rule, the value received."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])[:MAX_RECEIVED]
    context, kind, received = first.get("ctx", {}), first["type"], first["input"]
    if where.startswith("model.options."):  # a scalar is one of four types; pydantic names the last it tried
        where = ".".join(where.split(".")[:3])
        return f"{where} must be true, false, a number or a word. Received: {shortened(received)}."
    rules = {
        "greater_than": "must be greater than {gt:g}",
        "greater_than_equal": "must be at least {ge:g}",
        "less_than": "must be less than {lt:g}",
        "less_than_equal": "must be at most {le:g}",
        "literal_error": "must be {expected}",
        "string_pattern_mismatch": "must be letters, digits and the signs _ . + -",
        "int_parsing": "must be a whole number",
        "int_type": "must be a whole number",
        "int_from_float": "must be a whole number",
        "float_parsing": "must be a number",
        "float_type": "must be a number",
        "finite_number": "must be a finite number",
        "bool_parsing": "must be true or false",
        "bool_type": "must be true or false",
        "model_type": "must be a mapping of settings",
        "dict_type": "must be a mapping of settings",
        "string_type": "must be text",
        "string_too_long": "must have at most {max_length} characters",
        "string_unicode": "must be text that can be written in UTF-8",
    }
    if kind == "extra_forbidden":
        return f"Unknown setting {shortened(where)}."
    if kind == "value_error":
        return str(context["error"])
    rule = rules[kind].format(**context) if kind in rules else f"is wrong ({first['msg']})"
    return f"{where} {rule}. Received: {shortened(received)}."


def shortened(received: Any) -> str:
    """What was received, for the end of a sentence: as Python writes it, cut where it is long."""
    written = repr(received)
    return written if len(written) <= MAX_RECEIVED else f"{written[:MAX_RECEIVED]}…"
