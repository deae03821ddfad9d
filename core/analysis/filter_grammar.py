"""The language of the filter over runs: `model = resnet* and val_accuracy > 90% and not tag:baseline`.

A filter is made of conditions with `and`, `or`, `not` and parentheses; conditions in a row must all hold. A
condition compares a column with a value, looks for a tag, or is a plain word that is looked for in the name,
the id, the state, the tags and the settings of a run. Case is ignored everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

TOKEN = re.compile(
    r"""\s*(?:(?P<quoted>"[^"]*"|'[^']*')|(?P<open>["'])|(?P<sign>!=|<=|>=|==|=|<|>)|(?P<bracket>[()])"""
    r"""|(?P<word>[^\s"'()=<>!]+|!))"""
)
DEEPEST = 50  # parentheses within each other


class FilterError(ValueError):
    """Why a filter cannot be understood, in a sentence."""


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    at: int


@dataclass(frozen=True)
class Word:
    """A plain word, in lower case."""

    text: str


@dataclass(frozen=True)
class Tag:
    """That a run has a tag; `sign` and `value` compare what the tag says."""

    name: str
    sign: str = ""
    value: str = ""


@dataclass(frozen=True)
class Compare:
    """A column compared with a value. quoted: the value is a text, without globs and percent."""

    name: str
    sign: str
    value: str
    quoted: bool = False


@dataclass(frozen=True)
class Not:
    part: Node


@dataclass(frozen=True)
class All:
    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Any:
    parts: tuple[Node, ...]


Node = Word | Tag | Compare | Not | All | Any
EVERYTHING = All(())


def parse(text: str) -> Node:
    """Read a filter. Raises FilterError, which says what was expected and where."""
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str):
        self.text, self.tokens, self.next = text, list(_tokens(text)), 0

    def parse(self) -> Node:
        if not self.tokens:
            return EVERYTHING
        found = self._any(0)
        if (token := self._peek()) is not None:
            raise FilterError(f"Filter: nothing is open that '{token.text}' {_where(token)} could close.")
        return found

    def _any(self, depth: int) -> Node:
        parts = [self._all(depth)]
        while self._take("or"):
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else Any(tuple(parts))

    def _all(self, depth: int) -> Node:
        parts = [self._not(depth)]
        while (token := self._peek()) is not None and token.text != ")" and not _is(token, "or"):
            self._take("and")
            parts.append(self._not(depth))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _not(self, depth: int) -> Node:
        negative = False
        while self._take("not"):
            negative = not negative
        found = self._one(depth)
        return Not(found) if negative else found

    def _one(self, depth: int) -> Node:
        token = self._pop("a column, a word or '('")
        if token.text == "(" and token.kind == "bracket":
            if depth >= DEEPEST:
                raise FilterError(f"Filter: more than {DEEPEST} parentheses within each other.")
            found = self._any(depth + 1)
            closing = self._peek()
            if closing is None or closing.text != ")":
                raise FilterError(f"Filter: the '(' {_where(token)} is not closed: a ')' is missing.")
            self.next += 1
            return found
        if token.kind in ("sign", "bracket") or _is(token, "and") or _is(token, "or"):
            raise FilterError(
                f"Filter: expected a column, a word or '(' {_where(token)}, but found '{token.text}'."
            )
        sign = self._peek()
        tag = token.kind == "word" and token.text.lower().startswith("tag:")
        name = token.text[4:] if tag else token.text
        if tag and not name and sign is not None and sign.kind == "quoted":
            name, sign = self._pop("").text, self._peek()
        if tag and not name:
            raise FilterError(f"Filter: expected the name of a tag after 'tag:' {_where(token)}.")
        if sign is None or sign.kind != "sign":
            return Tag(name) if tag else Word(token.text.lower())
        self.next += 1
        value, quoted = self._value(sign)
        return Tag(name, sign.text, value) if tag else Compare(name, sign.text, value, quoted)

    def _value(self, sign: Token) -> tuple[str, bool]:
        token = self._pop(f"a value after '{sign.text}'")
        if token.kind not in ("word", "quoted"):
            raise FilterError(
                f"Filter: expected a value after '{sign.text}' {_where(token)}, but found '{token.text}'."
            )
        after = self._peek()
        if after is not None and after.text == "%" and after.kind == "word" and token.kind == "word":
            self.next += 1
            return f"{token.text}%", False
        return token.text, token.kind == "quoted"

    def _peek(self) -> Token | None:
        return self.tokens[self.next] if self.next < len(self.tokens) else None

    def _pop(self, expected: str) -> Token:
        token = self._peek()
        if token is None:
            raise FilterError(f"Filter: expected {expected} at the end of '{self.text.strip()[-40:]}'.")
        self.next += 1
        return token

    def _take(self, word: str) -> bool:
        token = self._peek()
        if token is None or not _is(token, word):
            return False
        self.next += 1
        return True


def _tokens(text: str) -> Iterator[Token]:
    at = 0
    while text[at:].strip():
        found = TOKEN.match(text, at)
        assert found is not None
        assert found.lastgroup is not None
        kind, at = found.lastgroup, found.end()
        start = found.start(kind)
        if kind == "open":
            raise FilterError(f"Filter: the quotation mark at character {start + 1} is not closed.")
        written = found.group(kind)
        yield Token(kind, written[1:-1] if kind == "quoted" else written, start)


def _is(token: Token, word: str) -> bool:
    return token.kind == "word" and token.text.lower() == word


def _where(token: Token) -> str:
    return f"at character {token.at + 1}"


def leaves(node: Node) -> Iterator[Word | Tag | Compare]:
    """Return the conditions of a filter."""
    if isinstance(node, Not):
        yield from leaves(node.part)
    elif isinstance(node, (All, Any)):
        for part in node.parts:
            yield from leaves(part)
    else:
        yield node
