"""A Python that has onnxruntime, and of all other packages only what onnxruntime needs."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path


def bare_packages(folder: Path, *names: str) -> Path:
    """Link the packages of these names, and all that they need, into a folder, and return it."""
    folder.mkdir(exist_ok=True)
    wanted, seen = [*names], set[str]()
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = distribution(name)
        except PackageNotFoundError:  # needed on other systems alone
            continue
        wanted += [re.split(r"[^\w.-]", one)[0] for one in found.requires or () if "extra ==" not in one]
        for top in {
            file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")
        }:
            if not (folder / top).exists():
                (folder / top).symlink_to(Path(str(found.locate_file(top))))
    return folder


def run_bare(program: Path, packages: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program that sees the standard library, its own folder and some packages, and nothing else."""
    code = (
        f"import sys, runpy; sys.path[:0] = [{str(program.parent)!r}, {str(packages)!r}]; "
        f"sys.argv = [{str(program)!r}, *sys.argv[1:]]; runpy.run_path({str(program)!r}, run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", code, *arguments],
        cwd=program.parent,
        env={},
        capture_output=True,
        text=True,
        timeout=240,
    )
