"""The commands and configs that README and docs show are accepted by the program as it is."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.config import from_yaml
from core.system.settings import PROGRAM, Settings
from core.tracking.store import get_store
from tests.support.commands import run
from tests.support.homes import stop_processes, using
from tests.support.older_store import restore

pytestmark = pytest.mark.slow

DOCUMENTS = [PROGRAM / "README.md", PROGRAM / "CONTRIBUTING.md", *sorted((PROGRAM / "docs").glob("*.md"))]
PYTHON = ".venv/bin/python -m "

# Of these the options alone are read. Every other command is run as it stands.
ONLY_READ = {
    "train": "trains for minutes; tests/end_to_end and tests/test_command_line.py train",
    "resume": "trains; tests/test_older_store.py resumes",
    "search": "trains; tests/searching searches",
    "extend": "trains; tests/training/test_resume.py extends",
    "dashboard": "serves until it is stopped; tests/end_to_end opens it",
    "worker": "serves until it is stopped, and the home of these commands has none to stop",
}
# Which run of the stored home stands for RUN.
RUNS = {"delete": "failed", "cancel": "cancelled", "lock": "folds", "unlock": "folds"}


def blocks(document: Path, *languages: str) -> Iterator[str]:
    """The fenced blocks of a document in one of some languages, without their indentation."""
    text = document.read_text(encoding="utf-8")
    for indent, language, block in re.findall(r"^( *)```(\w*)\n(.*?)^ *```$", text, re.S | re.M):
        if language in languages:
            yield re.sub(f"^{indent}", "", block, flags=re.M)


def commands(document: Path) -> list[list[str]]:
    """The arguments of each `python -m core` that a document shows, without comments.

    `a|b` is two commands.
    """
    found = []
    for block in blocks(document, "", "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith(f"{PYTHON}core "):
                words = shlex.split(line.removeprefix(f"{PYTHON}core "), comments=True)
                found += [list(one) for one in product(*(word.split("|") for word in words))]
    return found


def noise(depth: type[np.unsignedinteger]) -> Iterator[tuple[str, bytes]]:
    """Paths and contents of four images of each of two classes."""
    pixels = np.random.default_rng(0).integers(0, 4096 if depth is np.uint16 else 256, (8, 8, 8), depth)
    for number, image in enumerate(pixels):
        content = io.BytesIO()
        Image.fromarray(image).save(content, "PNG")
        yield f"{'ab'[number % 2]}/{number}.png", content.getvalue()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A home with runs, and a working folder with what the commands name: images, a zip of them, a folder."""
    restore(PROGRAM / "tests" / "older_store", tmp_path / "home")
    person = tmp_path / "person"
    for path, content in noise(np.uint16):
        (person / "scans" / path).parent.mkdir(parents=True, exist_ok=True)
        (person / "scans" / path).write_bytes(content)
    for name in ("flowers.zip", "cifar10-images.zip"):
        with zipfile.ZipFile(person / name, "w") as archive:
            for path, content in noise(np.uint8):
                archive.writestr(path, content)
    (person / "image.png").write_bytes(content)
    monkeypatch.chdir(person)
    monkeypatch.setenv("HOME", str(person))
    monkeypatch.setattr("core.importing.importer.default_workers", lambda: 1)
    with using(tmp_path / "home") as settings:
        yield settings
        stop_processes(settings)


def test_the_commands_of_the_documents_are_accepted(
    place: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = get_store()
    runs = {store.state(run_id).name: run_id for run_id in store.read.run_ids()}
    refused, known = [], 0
    for document in DOCUMENTS:
        for words in commands(document):
            known += 1
            named = {"RUN": runs[RUNS.get(words[0], "finished")], "NAME": "scans"}
            arguments = [named.get(word, word.replace("~", str(Path.cwd()))) for word in words]
            if "--dry-run" in words:
                arguments[1] += "-again"  # the name may be taken by then
            if words[0] in ONLY_READ:
                arguments.append("--help")
            monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
            answer = run(*arguments)
            if answer.returncode:
                refused.append(f"{document.name}: {shlex.join(words)}: {answer.stderr}")
    assert refused == []
    assert known > 20  # else they are written in another way than they are looked for


def test_the_configs_of_the_documents_are_read() -> None:
    for document in DOCUMENTS:
        for block in blocks(document, "yaml"):
            from_yaml(block)


def test_the_targets_and_modules_of_the_documents_exist() -> None:
    text = "\n".join(document.read_text(encoding="utf-8") for document in DOCUMENTS)
    targets = set(re.findall(r"(?:^|`|; )make ([a-z][a-z-]*)", text, re.M))
    assert {"run", "test", "test-fast", "check"} <= targets
    for target in sorted(targets):
        answer = subprocess.run(
            ["make", "--dry-run", target], cwd=PROGRAM, capture_output=True, text=True, timeout=60
        )
        assert answer.returncode == 0, answer.stderr
    modules = set(re.findall(rf"{re.escape(PYTHON)}([a-z_.]+)", text))
    assert {"core", "pytest"} <= modules
    assert [name for name in sorted(modules) if find_spec(name) is None] == []
