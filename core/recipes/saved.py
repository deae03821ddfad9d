"""Recipes of a user: YAML files in the folder `recipes` of the home."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from core.config import ExperimentConfig, yaml_text
from core.recipes.recipe import Recipe, cpu_variant, of_text
from core.recipes.recipe_file import CPU, RecipeError
from core.registry import UnknownName
from core.system.files import write_whole
from core.system.settings import get_settings
from core.system.text import Dumper, shortened

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
Parsed = tuple[Recipe, Recipe | None] | RecipeError
NOT_SHARED = ("name", "seed")  # what every run of a recipe may have of its own


def names() -> list[str]:
    """The names of the user's recipes and of their variants for CPUs, in alphabetical order."""
    stems = [path.stem for path in _folder().glob("*.yaml") if NAME.fullmatch(path.stem)]
    return sorted({*stems, *(f"{stem}{CPU}" for stem in stems if _variant(stem) is not None)})


def get(name: str) -> Recipe:
    """One of the user's recipes, or the variant for CPUs of one. Raises UnknownName, RecipeError.

    A file is parsed once, until it changes: YAML of 80 kB takes half a second.
    """
    if not NAME.fullmatch(name):
        raise _unknown(name)
    if _path(name).exists() or (variant := _variant(name.removesuffix(CPU))) is None:
        found = _read(name)
        if isinstance(found, RecipeError):
            raise found
        return found[0]
    if not name.endswith(CPU):
        raise _unknown(name)  # it was deleted meanwhile
    return variant


def text(name: str) -> str:
    """Return the file of one of the user's recipes; of a variant for CPUs that of the whole.

    Raises UnknownName, RecipeError.
    """
    path = _path(name)
    if name.endswith(CPU) and not path.exists():
        path = _path(name.removesuffix(CPU))
    return _text(name, path)


def _text(name: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise _unknown(name) from error
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"The recipe '{name}' cannot be read: {error}.") from error


def _unknown(name: str) -> UnknownName:
    return UnknownName(f"Unknown recipe '{name}'. Known: {', '.join(names())}.")


def _variant(name: str) -> Recipe | None:
    """Return the variant for CPUs of a recipe; None without one, without a file, and for a damaged one."""
    try:
        found = _read(name)
    except UnknownName:
        return None
    return None if isinstance(found, RecipeError) else found[1]


def _read(name: str) -> Parsed:
    """Read a file, or return what was read of it before. Raises UnknownName."""
    path = _path(name)
    try:
        now = path.stat()
    except OSError as error:
        raise _unknown(name) from error
    return _parsed(path, name, now.st_mtime_ns, now.st_size)


@lru_cache(maxsize=256)
def _parsed(path: Path, name: str, _changed_ns: int, _size: int) -> Parsed:
    """Return a recipe and its variant for CPUs, or why its file is none."""
    try:
        content = _text(name, path)
        return of_text(name, content, own=True), cpu_variant(name, content, own=True)
    except RecipeError as error:
        return error


def save(name: str, content: str, taken: Sequence[str] = (), replace: bool = False) -> None:
    """Check a recipe's file and keep it under a name.

    Args:
        taken: Names that ship with the program, which no recipe of a user may have.
        replace: Whether a recipe of the user with that name is replaced.

    Raises:
        RecipeError: The name or the file is refused; nothing was written.
        NotAllowed: On a read-only server.
    """
    settings = get_settings()
    settings.require_trainer("save a recipe")
    path = _path(name)
    if name in taken:
        raise RecipeError(f"A recipe that ships with the program has this name. Received: '{name}'.")
    if path.exists() and not replace:
        raise RecipeError(f"You have a recipe of this name already: choose another. Received: '{name}'.")
    of_text(name, content, own=True)
    cpu_variant(name, content, own=True)
    settings.check_writable()
    path.parent.mkdir(exist_ok=True)
    write_whole(path, content)


def delete(name: str) -> None:
    """Delete one of the user's recipes. Raises UnknownName, NotAllowed on a read-only server."""
    get_settings().require_trainer("delete a recipe")
    if not (NAME.fullmatch(name) and _path(name).exists()):
        raise UnknownName(f"You have no recipe '{name}'. Known: {', '.join(names()) or 'none'}.")
    _path(name).unlink(missing_ok=True)


def written(title: str, description: str, configs: Sequence[ExperimentConfig]) -> str:
    """Write experiments as a recipe's file: what they share as `base`, what differs as `runs`.

    Settings that are as by default are left out. Raises RecipeError without a config.
    """
    if not configs:
        raise RecipeError("A recipe must have at least one run. Received: none.")
    default = _settings(ExperimentConfig())
    trees = [_settings(config) for config in configs]
    every = list(dict.fromkeys(name for tree in trees for name in tree))
    shared = [
        name
        for name in every
        if name not in NOT_SHARED and all(name in tree and tree[name] == trees[0].get(name) for tree in trees)
    ]
    base = {name: trees[0][name] for name in shared if trees[0][name] != default.get(name)}
    runs: list[dict[str, Any]] = []
    for config, tree in zip(configs, trees, strict=True):
        own = {
            name: value
            for name, value in tree.items()
            if name != "name" and name not in shared and value != default.get(name)
        }
        runs.append({"title": _unique(config.title[:110], [run["title"] for run in runs]), "settings": own})
    for name in ("data.name", "model.name"):  # a reader looks for these first
        if name in shared:
            base = {name: trees[0][name], **base}
    tree = {"title": title, "description": description, "base": base, "runs": runs}
    return yaml.dump(tree, Dumper=Dumper, sort_keys=False, allow_unicode=True)


def _settings(config: ExperimentConfig) -> dict[str, Any]:
    """Every setting by its dotted name, without those that are to be chosen by the component."""
    found: dict[str, Any] = {}

    def walk(tree: dict[str, Any], prefix: str) -> None:
        for key, value in tree.items():
            if isinstance(value, dict):
                walk(value, f"{prefix}{key}.")
            elif value is not None:
                found[f"{prefix}{key}"] = value

    walk(config.model_dump(), "")
    return found


def _unique(title: str, taken: Sequence[str]) -> str:
    found, number = title, 2
    while found in taken:
        found, number = f"{title} ({number})", number + 1
    return found


def suggested(title: str) -> str:
    """Return a name that may be used, made of a title."""
    found = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:64].strip("-")
    return found or "recipe"


def _path(name: str) -> Path:
    """The file of a recipe. Raises RecipeError for a name that is none, so none leaves the folder."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise RecipeError(
            "The name of a recipe must be at most 64 small letters, digits and the signs - and _, the first "
            f"a letter or digit. Received: {shortened(name)}."
        )
    return _folder() / f"{name}.yaml"


def _folder() -> Path:
    return get_settings().home / "recipes"


def readable(content: bytes) -> str:
    """Return an uploaded file as text. Raises RecipeError for one that is too large or no text."""
    if len(content) > 4 * yaml_text.MAX_CHARACTERS:
        raise RecipeError(
            f"A recipe's file may have at most {yaml_text.MAX_CHARACTERS:,} characters. "
            f"Received: {len(content):,} bytes."
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError("A recipe's file must be text in UTF-8. Received: other bytes.") from error
