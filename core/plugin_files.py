"""Python files from a folder outside the program, imported as modules of a package of their own.

A file whose name begins with an underscore is a helper: it registers nothing, and the others can import it
(`from . import _layers`) when they need it.
"""

from __future__ import annotations

import ast
import importlib
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

logger = logging.getLogger(__name__)

PACKAGE = "own_architectures"
_helpers: dict[str, PluginFile] = {}  # as they were when they were last run
HEAVY = ("keras", "tensorflow", "jax", "torch")  # never loaded by what only lists nets


@dataclass(frozen=True)
class PluginFile:
    """A file as it is now; when its time or size changes it is another one."""

    path: Path
    modified_ns: int
    size: int


def plugin_files(folder: Path | None) -> set[PluginFile]:
    """The files of a folder that register something; none when there is no folder."""
    return {_as_it_is(path) for path in _python_files(folder) if not path.name.startswith("_")}


def load_file(file: PluginFile) -> None:
    """Run a file anew. Raises ImportError when that would load Keras, and whatever the file raises."""
    source = file.path.read_bytes()
    _refuse_heavy_imports(source, file.path.name)
    name = f"{_package(file.path.parent)}.{file.path.stem}"
    module = ModuleType(name)
    module.__file__ = str(file.path)
    module.__package__ = PACKAGE
    sys.modules[name] = module  # dataclasses and Keras look their module up
    exec(compile(source, file.path, "exec"), module.__dict__)  # not import: no byte code beside the file


def load_helpers(folder: Path | None) -> None:
    """Import the helpers of a folder (layers of its own, say); these may import Keras.

    One that was changed since is run anew. One that cannot be imported is named in the log and harms no other
    net; the nets that need it then say so.
    """
    for path in _python_files(folder):
        if path.name.startswith("_"):
            name, file = f"{_package(path.parent)}.{path.stem}", _as_it_is(path)
            try:
                if name not in sys.modules:
                    importlib.import_module(name)
                elif _helpers.get(name) != file:
                    importlib.reload(sys.modules[name])
                _helpers[name] = file
            except Exception as error:  # it may be anybody's code
                logger.warning("%s cannot be imported: %s", path.name, error)


def _python_files(folder: Path | None) -> list[Path]:
    if folder is None or not folder.is_dir():
        return []
    return sorted(path for path in folder.glob("*.py") if path.is_file())


def _as_it_is(path: Path) -> PluginFile:
    state = path.stat()
    return PluginFile(path, state.st_mtime_ns, state.st_size)


def _package(folder: Path) -> str:
    """The package that stands for the folder, so that its files can import its helpers."""
    package = sys.modules.setdefault(PACKAGE, ModuleType(PACKAGE))
    package.__path__ = [str(folder)]
    return PACKAGE


def _refuse_heavy_imports(source: bytes, file: str) -> None:
    for statement in ast.parse(source, file).body:
        names = [alias.name for alias in statement.names] if isinstance(statement, ast.Import) else []
        if isinstance(statement, ast.ImportFrom) and not statement.level:
            names = [statement.module or ""]
        for name in names:
            if name.partition(".")[0] in HEAVY:
                raise ImportError(
                    f"line {statement.lineno} imports {name}, which listing nets must not load. Write "
                    f'`{name.rpartition(".")[2]} = LazyModule("{name}")` with core.lazy.LazyModule, or '
                    "import it where the net is built."
                )
