"""YAML from outside, read within limits: whatever it holds, it is a value or one sentence.

PyYAML alone follows nested lists until Python's stack is full, expands aliases without bound, and fails on
numbers and tags with errors of many kinds.
"""

from __future__ import annotations

from typing import Any

import yaml
from yaml.constructor import ConstructorError, SafeConstructor

MAX_CHARACTERS = 100_000
MAX_DEPTH = 20  # lists and mappings inside each other
MAX_VALUES = 10_000  # an alias counts as all that it stands for
WHOLE_NUMBERS = range(-(2**63), 2**63)  # what a database and NumPy hold
SCALAR_ERRORS = (ValueError, KeyError, IndexError, OverflowError, AttributeError)  # of PyYAML's constructors


class YamlRefused(ValueError):
    """A text cannot be read as YAML.

    line: where, counted from 1; None where it is not known. reason: the rest of a sentence about the text.
    """

    def __init__(self, reason: str, mark: Any = None):  # of PyYAML, in Python or in C
        self.reason = reason
        self.line = None if mark is None else mark.line + 1
        super().__init__(f"{reason}{'' if self.line is None else f' in line {self.line}'}")


def compose(text: str) -> yaml.Node | None:
    """Read a text as nodes, which know their lines; None when it is empty. Raises YamlRefused."""
    try:
        _check_size(text)
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise YamlRefused("is not valid YAML", getattr(error, "problem_mark", None)) from error


def load(text: str) -> Any:
    """Read a text as lists, mappings, words and numbers; None when it is empty. Raises YamlRefused."""
    node = compose(text)
    return None if node is None else construct(node)


def construct(node: yaml.Node) -> Any:
    """Return the value of a node. Raises YamlRefused."""
    try:
        return _Constructor().construct_document(node)
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", "") or ""
        reason = problem if isinstance(error, _BadScalar) else f"is not valid YAML ({problem})"
        raise YamlRefused(reason, getattr(error, "problem_mark", None)) from error


class _BadScalar(ConstructorError):
    """A word or number that is not what its tag says, or too large; `problem` continues "The text ..."."""


class _Constructor(SafeConstructor):
    """Reports every value that cannot be read with its place, and reads no number beyond 64 bits."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
        except SCALAR_ERRORS as error:
            problem = f"contains a malformed {node.tag.rpartition(':')[2]}"
            raise _BadScalar(problem=problem, problem_mark=node.start_mark) from error
        if isinstance(value, int) and value not in WHOLE_NUMBERS:
            problem = "contains a whole number of more than 64 bits"
            raise _BadScalar(problem=problem, problem_mark=node.start_mark)
        return value


def _check_size(text: str) -> None:
    """Raise YamlRefused for a text beyond the limits, before anything of its size is built."""
    if len(text) > MAX_CHARACTERS:
        raise YamlRefused(f"may have at most {MAX_CHARACTERS:,} characters, not {len(text):,}")
    depth, values = 0, 0
    anchored: dict[str, int | None] = {}  # how many values an anchor stands for; None until it has ended
    open_anchors: list[tuple[str | None, int]] = []
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            count = anchored.get(str(event.anchor), 1)
            if count is None:
                raise YamlRefused(
                    f"has the alias *{str(event.anchor)[:40]} in its own list", event.start_mark
                )
            values += count
        elif isinstance(event, yaml.ScalarEvent):
            values += 1
            if event.anchor:
                anchored[event.anchor] = 1
        elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            depth += 1
            values += 1
            open_anchors.append((event.anchor, values))
            if event.anchor:
                anchored[event.anchor] = None
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            depth -= 1
            anchor, before = open_anchors.pop()
            if anchor:
                anchored[anchor] = values - before + 1
        if depth > MAX_DEPTH:
            raise YamlRefused(f"nests lists and mappings deeper than {MAX_DEPTH}", event.start_mark)
        if values > MAX_VALUES:
            raise YamlRefused(f"may have at most {MAX_VALUES:,} values, aliases expanded", event.start_mark)
