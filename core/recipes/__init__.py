"""Recipes: complete, named experiments. One is one YAML file of this folder.

A file has `title`, `description`, `base` (settings that all its runs share) and `runs` (a list of settings
that differ), both by dotted names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from core.config import ExperimentConfig
from core.registry import UnknownName


@dataclass(frozen=True)
class Recipe:
    """A named list of experiments."""

    name: str
    title: str
    description: str
    configs: tuple[ExperimentConfig, ...]


def names() -> list[str]:
    """All recipes, in alphabetical order."""
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def get(name: str) -> Recipe:
    """A recipe by its name. Raises UnknownName with the names that exist."""
    if name not in names():
        raise UnknownName(f"Unknown recipe '{name}'. Known: {', '.join(names())}.")
    tree = yaml.safe_load((_folder() / f"{name}.yaml").read_text(encoding="utf-8"))
    base = ExperimentConfig().with_values(tree.get("base", {}))
    return Recipe(
        name, tree["title"], tree["description"], tuple(base.with_values(run) for run in tree["runs"])
    )


def _folder() -> Path:
    return Path(__file__).parent
