"""The tests that the documentation names for its promises exist."""

from __future__ import annotations

import re

import pytest

from core.system.settings import PROGRAM

DOCUMENTS = [
    path for name in ("reliability", "security") if (path := PROGRAM / "docs" / f"{name}.md").exists()
]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_test_that_is_named_exists(path) -> None:
    text = path.read_text(encoding="utf-8")
    files = set(re.findall(r"`(tests/[\w/]+\.py)", text))
    assert files
    sources = "\n".join((PROGRAM / name).read_text(encoding="utf-8") for name in sorted(files))
    for name in re.findall(r"\b(test_\w+)\b(?!\.py)", text):
        assert f"def {name}" in sources, name
