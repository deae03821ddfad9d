"""Recipes: complete, named experiments. One is one YAML file, of this folder or of the user's home.

`core.recipes.recipe_file` has what a file may hold. A file with a section `cpu` is two recipes: the second,
whose name ends in `-cpu`, fits a machine without a GPU.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from core.recipes import saved
from core.recipes.recipe import Recipe, RecipeRun, cpu_variant, of_text
from core.recipes.recipe_file import (
    CPU,
    LATER,
    NOT_MEASURED,
    YOURS,
    Claim,
    DataAsked,
    Published,
    RecipeError,
)
from core.registry import UnknownName

__all__ = [
    "LATER",
    "NOT_MEASURED",
    "YOURS",
    "Claim",
    "DataAsked",
    "Published",
    "Recipe",
    "RecipeError",
    "RecipeRun",
    "get",
    "names",
    "shipped",
    "text",
]


def names() -> list[str]:
    """All recipes, those that ship with the program and the user's, in alphabetical order."""
    return sorted({*shipped(), *saved.names()})


def get(name: str) -> Recipe:
    """A recipe by its name. Raises UnknownName with the names that exist, RecipeError for a damaged file."""
    if name in shipped():
        return _shipped(_folder(), name)
    try:
        return saved.get(name)
    except UnknownName as error:
        raise UnknownName(f"Unknown recipe '{name}'. Known: {', '.join(names())}.") from error


def text(name: str) -> str:
    """The YAML file of a recipe, to be kept elsewhere or changed; of a variant for CPUs that of the whole.

    Raises UnknownName.
    """
    if name not in shipped():
        return saved.text(name)
    path = _folder() / f"{name}.yaml"
    return (path if path.exists() else _folder() / f"{name.removesuffix(CPU)}.yaml").read_text("utf-8")


def shipped() -> list[str]:
    """The names of the recipes that ship with the program."""
    return list(_names(_folder()))


@cache
def _names(folder: Path) -> tuple[str, ...]:
    files = {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.yaml")}
    smaller = [f"{name}{CPU}" for name, text in files.items() if "\ncpu:" in text]
    return tuple(sorted([*files, *smaller]))


@cache
def _shipped(folder: Path, name: str) -> Recipe:
    path = folder / f"{name}.yaml"
    if path.exists():
        return of_text(name, path.read_text(encoding="utf-8"))
    base = name.removesuffix(CPU)
    found = cpu_variant(base, (folder / f"{base}.yaml").read_text(encoding="utf-8"))
    assert found is not None, f"{base}.yaml has a line 'cpu:' that is no section"
    return found


def _folder() -> Path:
    return Path(__file__).parent
