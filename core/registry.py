"""One Registry type: architectures, datasets, figures and recipes are found by name through it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import RLock
from typing import Generic, Protocol, TypeVar

from core.system.plugin_files import PluginFile, load_file, plugin_files


class Named(Protocol):
    """Anything with a name that is unique among its kind."""

    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


class UnknownName(ValueError):
    """A name nobody registered was asked for; the message lists the names that exist."""


class Registry(Generic[T]):
    """Named entries, collected from every module of a package the first time one is asked for.

    A new entry is one new file in that package which calls `register`; nothing else is edited.
    Sub-packages are not searched, so helpers of the entries can lie in one.

    folder: returns a folder of files from outside the program that register entries too, or None. It is
    looked at whenever an entry is asked for: a file that is new, changed or gone counts at once, and one that
    cannot be read is in `problems` and harms no other.
    """

    def __init__(self, kind: str, package: str, folder: Callable[[], Path | None] = lambda: None):
        self.kind = kind
        self.package = package
        self._folder = folder
        self._entries: dict[str, T] = {}
        self._files: dict[PluginFile, list[str]] = {}  # the names that each file from outside registered
        self._problems: dict[PluginFile, str] = {}
        self._discovered = False
        self._lock = RLock()

    def register(self, entry: T) -> T:
        """Add an entry. Raises ValueError when another one has its name."""
        if entry.name in self._entries:
            raise ValueError(f"The {self.kind} '{entry.name}' is registered twice.")
        self._entries[entry.name] = entry
        return entry

    def get(self, name: str) -> T:
        """The entry called `name`; raises UnknownName with the names that exist."""
        self._discover()
        entry = self._entries.get(name)
        if entry is None:
            raise UnknownName(f"Unknown {self.kind} '{name}'. Known: {', '.join(self.names())}.")
        return entry

    def names(self) -> list[str]:
        """All names, in alphabetical order."""
        self._discover()
        return sorted(self._entries)

    def problems(self) -> dict[str, str]:
        """Files of the folder that could not be read, by their names, each with the reason in one line."""
        self._discover()
        folder = self._folder()
        if folder is not None and not folder.is_dir():
            return {str(folder): "is not a folder"}
        return {file.path.name: reason for file, reason in self._problems.items()}

    def origin(self, name: str) -> Path | None:
        """The file from outside the program that registered an entry; None for an entry of the program."""
        self._discover()
        return next((file.path for file, names in self._files.items() if name in names), None)

    def __iter__(self) -> Iterator[T]:
        return iter([self.get(name) for name in self.names()])

    def __contains__(self, name: object) -> bool:
        self._discover()
        return name in self._entries

    def _discover(self) -> None:
        with self._lock:  # Streamlit runs every session in a thread of its own
            if not self._discovered:
                package = importlib.import_module(self.package)
                for module in pkgutil.iter_modules(package.__path__):
                    if not module.ispkg:
                        importlib.import_module(f"{self.package}.{module.name}")
                self._discovered = True
            self._follow_folder()

    def _follow_folder(self) -> None:
        found = plugin_files(self._folder())
        if found == set(self._files) | set(self._problems):
            return
        for file in set(self._files) - found:
            for name in self._files.pop(file):
                del self._entries[name]
        self._problems = {}  # another file may have been in the way: the rest is tried again
        for file in sorted(found - set(self._files), key=lambda file: file.path):
            before = set(self._entries)
            try:
                load_file(file)
            except (Exception, SystemExit) as error:  # what somebody's file does wrong is told in the lists
                for name in set(self._entries) - before:
                    del self._entries[name]
                self._problems[file] = f"{type(error).__name__}: {error}".splitlines()[0]
            else:
                self._files[file] = sorted(set(self._entries) - before)
