"""Hostile text: what a person may type, paste or put into an address, by mistake or on purpose."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import strategies as st

from core.architectures.layer_list import LAYERS
from core.config import ExperimentConfig

# what has no place in a text, and what breaks out of one: paths, markup, formats, queries, escape sequences
WORDS = (
    "", " ", "\0", "\n", "\r\n", "\t", "\x1b[31m", "\u202e", "\ufeff", "é", "e\u0301", "字", "💥", "²", "٣",
    "..", "../../etc/passwd", "/", "\\", "~", "C:\\x", "file:///etc/passwd", "run:", "run:../..", "-",
    "--help",
    "<script>alert(1)</script>", "**x**", "$(id)", "`id`", "%s%n", "{0}", "{x}", "' OR 1=1 --", '"', "'",
    "x" * 5000,
    "*" * 50, "a*" * 40, "[" * 500, "{" * 500, "(" * 500, "None", "nan", "null", "~", "=", "true", "yes",
    "!!x",
)  # fmt: skip
NUMBERS = (
    "0", "-0", "-1", "1", "2", "3.5", "1e308", "-1e308", "1e309", "1e999", "1e-320", ".inf", "-.inf",
    ".nan", "nan",
    "inf", "9" * 30, "9" * 400, "9" * 5000, "0x" + "f" * 5000, "1:" + "59:" * 50 + "59", "2001-99-99",
    "1_000",
    "9223372036854775807", "9223372036854775808", "2147483648", "65536", "0b1", "0o7", "017", "１２",
)  # fmt: skip
TAGS = ("!!int ", "!!float ", "!!bool ", "!!null ", "!!timestamp ", "!!binary ", "!!set ", "!!map ", "!!seq ",
        "!!omap ", "!!python/object/apply:os.system ", "! ", "!x ")  # fmt: skip
SIGNS = ("- ", "[", "]", "{", "}", ": ", ", ", "\n", "\n  ", "\n    ", "? ", "| ", "> ", "&a ",
         "*a", "&b ", "*b",
         "<<: ",
         "#", "---\n", "...\n", "%YAML 1.1\n", "%TAG ! x\n", "'", '"', '"\\ud800"', '"\\x00"', "`", "@",
         "\t")  # fmt: skip

SETTINGS = tuple(ExperimentConfig().flat())
LAYER_NAMES = tuple(LAYERS)
LAYER_SETTINGS = tuple(sorted({option.name for options in LAYERS.values() for option in options}))

words = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from(NUMBERS),
    st.text(max_size=40),
    st.integers().map(str),
    st.floats().map(str),
)
tokens = st.one_of(
    st.sampled_from(SIGNS),
    st.sampled_from(SIGNS),
    st.sampled_from(TAGS),
    st.sampled_from(NUMBERS),
    st.sampled_from(WORDS),
    st.sampled_from([name.rpartition(".")[2] for name in SETTINGS]),
    st.sampled_from([name.partition(".")[0] for name in SETTINGS]),
    st.sampled_from(LAYER_NAMES),
    st.sampled_from(LAYER_SETTINGS),
)
token_soup = st.lists(tokens, max_size=30).map("".join)
scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.dates(), st.binary(max_size=4),
    st.sampled_from(WORDS).filter(lambda word: word.isprintable()),
)  # fmt: skip
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(WORDS[:12]), inner, max_size=4)
    ),
    max_leaves=12,
)


def nested(depth: int, form: str) -> str:
    """Lists or mappings inside each other."""
    return {
        "flow": "[" * depth + "]" * depth,
        "open": "[" * depth,
        "maps": "{a: " * depth,
        "block": "- " * depth + "a",
        "keys": "? " * depth + "a",
        "indented": "".join(f"{' ' * i}a:\n" for i in range(min(depth, 400))),
    }[form]


def bomb(levels: int, width: int) -> str:
    """Aliases of aliases: a few lines that stand for `width ** levels` values."""
    lines = [f"l0: &l0 [{', '.join(['x'] * width)}]"]
    lines += [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * width)}]" for i in range(1, levels)]
    return "\n".join(lines)


deep = st.builds(
    nested,
    st.sampled_from([5, 19, 20, 21, 100, 990, 3000, 50_000]),
    st.sampled_from(["flow", "open", "maps", "block", "keys", "indented"]),
)
bombs = st.builds(bomb, st.integers(1, 12), st.integers(1, 12))
documents = st.one_of(
    token_soup,
    deep,
    bombs,
    values.map(lambda value: yaml.safe_dump(value, allow_unicode=True)),
    st.text(max_size=200),
    st.builds(lambda name, value: _at(name, value), st.sampled_from(SETTINGS), words),
    st.builds(lambda name, value: _at(name, value), st.sampled_from(SETTINGS), token_soup),
)


def _at(name: str, value: str) -> str:
    """A config in which one setting is what somebody wrote there."""
    part, _, setting = name.rpartition(".")
    return f"{part}: {{{setting}: {value}}}" if part else f"{setting}: {value}"


layer_lines = st.one_of(
    st.builds(lambda name: f"- {name}\n", st.sampled_from(LAYER_NAMES)),
    st.builds(lambda name, value: f"- {name}: {value}\n", st.sampled_from(LAYER_NAMES), words),
    st.builds(lambda name, value: f"- {name}: {value}\n", st.sampled_from(LAYER_NAMES), st.integers(1, 9)),
    st.builds(
        lambda name, setting, value: f"- {name}: {{{setting}: {value}}}\n",
        st.sampled_from(LAYER_NAMES),
        st.sampled_from(LAYER_SETTINGS),
        st.one_of(words, st.integers(1, 9).map(str), token_soup),
    ),
    token_soup.map(lambda soup: f"- {soup}\n"),
)
layer_lists = st.one_of(
    st.lists(layer_lines, max_size=12).map("".join), documents, st.just("- flatten\n" * 5000)
)
assignments = st.builds(
    lambda name, sign, value: f"{name}{sign}{value}",
    st.one_of(st.sampled_from(SETTINGS), words, token_soup),
    st.sampled_from(["=", "=", "=", "", "=="]),
    st.one_of(words, token_soup, deep, bombs),
)
