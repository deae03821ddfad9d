"""Import Python files from a folder outside the program as modules of a package of their own.

A file whose name begins with an underscore is a helper: it registers nothing, and the others can import it
(`from . import _layers`). All are compiled from their source each time: byte code would be written beside a
user's files, and it detects a change only by size and whole seconds.
"""

from __future__ import annotations

import ast
import importlib
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.abc import MetaPathFinder
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

logger = logging.getLogger(__name__)

PACKAGE = "own_architectures"
HEAVY = ("keras", "tensorflow", "jax", "torch")  # must not be imported by a file that only registers models


@dataclass(frozen=True)
class PluginFile:
    """The state of a file; a change of its time or size, or of a helper's, makes it another one."""

    path: Path
    modified_ns: int
    size: int
    helpers: frozenset[PluginFile] = frozenset()  # of its folder; empty for a helper

    @property
    def is_helper(self) -> bool:
        return self.path.name.startswith("_")


_helpers: frozenset[PluginFile] = frozenset()  # their states when their modules were imported


def plugin_files(folder: Path | None) -> set[PluginFile]:
    """Return the files of a folder that register something; none for no folder."""
    files = _python_files(folder)
    helpers = frozenset(file for file in files if file.is_helper)
    return {replace(file, helpers=helpers) for file in files if not file.is_helper}


def load_file(file: PluginFile) -> None:
    """Run a file again. Raises ImportError where it would import Keras, and what the file itself raises."""
    source = file.path.read_bytes()
    _refuse_heavy_imports(source, file.path.name)
    _follow_helpers(file.path.parent, file.helpers)
    name = f"{PACKAGE}.{file.path.stem}"
    module = ModuleType(name)
    module.__file__ = str(file.path)
    module.__package__ = PACKAGE
    sys.modules[name] = module  # dataclasses and Keras look their module up
    exec(compile(source, file.path, "exec"), module.__dict__)


def load_helpers(folder: Path | None) -> None:
    """Import the helpers of a folder, for example custom layers; these may import Keras.

    When one is new, changed or removed, all are imported again: they may import each other. One that cannot
    be imported is logged; only models that need it fail.
    """
    if folder is None:
        return
    helpers = [file for file in _python_files(folder) if file.is_helper]
    _follow_helpers(folder, frozenset(helpers))
    for file in helpers:
        try:
            importlib.import_module(f"{PACKAGE}.{file.path.stem}")
        except Exception as error:  # any error of a user's code
            logger.warning("%s cannot be imported: %s", file.path.name, error)


class _OwnFinder(MetaPathFinder):
    """Find the modules of the package, with a new `FileFinder` each time, because one caches its folder."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is None or not name.startswith(f"{PACKAGE}."):
            return None
        finders = [FileFinder(folder, (_FromText, SOURCE_SUFFIXES)) for folder in path]
        return next(filter(None, (finder.find_spec(name) for finder in finders)), None)


class _FromText(SourceFileLoader):
    """Compile from source; neither read nor write byte code."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def _follow_helpers(folder: Path, helpers: frozenset[PluginFile]) -> None:
    """Point the package to the folder, and forget the modules of helpers if one of them has changed."""
    global _helpers
    package = _package()
    package.__path__ = [str(folder)]
    if helpers != _helpers:
        for name in [name for name in sys.modules if name.startswith(f"{PACKAGE}._")]:
            del sys.modules[name]
            vars(package).pop(name.removeprefix(f"{PACKAGE}."), None)  # `from . import` looks here first
        _helpers = helpers


def _package() -> ModuleType:
    if PACKAGE not in sys.modules:
        sys.modules[PACKAGE] = ModuleType(PACKAGE)
        sys.meta_path.insert(0, _OwnFinder())
    return sys.modules[PACKAGE]


def _python_files(folder: Path | None) -> list[PluginFile]:
    if folder is None or not folder.is_dir():
        return []
    return [_as_it_is(path) for path in sorted(folder.glob("*.py")) if path.is_file()]


def _as_it_is(path: Path) -> PluginFile:
    state = path.stat()
    return PluginFile(path, state.st_mtime_ns, state.st_size)


def with_imports(file: Path) -> set[Path]:
    """Return a file and those of its folder that it imports (`from . import _more`), also indirectly."""
    found, waiting = set(), {file}
    while waiting:
        one = waiting.pop()
        found.add(one)
        names = {name.removeprefix(".").partition(".")[0] for name in imports_of(one) if name[:1] == "."}
        beside = {one.parent / f"{name}.py" for name in names}
        waiting |= {path for path in beside if path.is_file()} - found
    return found


def imports_of(file: Path) -> set[str]:
    """Return the modules that a file imports anywhere; names of files of its folder begin with a dot."""
    found: set[str] = set()
    for statement in ast.walk(ast.parse(file.read_bytes(), file)):
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom) and statement.module is not None:
            found.add("." * statement.level + statement.module)
        elif isinstance(statement, ast.ImportFrom):
            found |= {f".{alias.name}" for alias in statement.names}
    beside = f"{PACKAGE}."  # the same, imported by its full name
    return {f".{name.removeprefix(beside)}" if name.startswith(beside) else name for name in found}


def _refuse_heavy_imports(source: bytes, file: str) -> None:
    for statement in ast.parse(source, file).body:
        names = [alias.name for alias in statement.names] if isinstance(statement, ast.Import) else []
        if isinstance(statement, ast.ImportFrom) and not statement.level:
            names = [statement.module or ""]
        for name in names:
            if name.partition(".")[0] in HEAVY:
                raise ImportError(
                    f"line {statement.lineno} imports {name}, which listing models must not load. Write "
                    f'`{name.rpartition(".")[2]} = LazyModule("{name}")` with core.lazy.LazyModule, or '
                    "import it where the model is built."
                )
