"""One Registry type: architectures, datasets, figures and recipes are found by name through it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from threading import RLock
from typing import Generic, Protocol, TypeVar


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
    """

    def __init__(self, kind: str, package: str):
        self.kind = kind
        self.package = package
        self._entries: dict[str, T] = {}
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
        if name not in self._entries:
            raise UnknownName(f"Unknown {self.kind} '{name}'. Known: {', '.join(self.names())}.")
        return self._entries[name]

    def names(self) -> list[str]:
        """All names, in alphabetical order."""
        self._discover()
        return sorted(self._entries)

    def __iter__(self) -> Iterator[T]:
        return iter([self.get(name) for name in self.names()])

    def __contains__(self, name: object) -> bool:
        self._discover()
        return name in self._entries

    def _discover(self) -> None:
        with self._lock:  # Streamlit runs every session in a thread of its own
            if self._discovered:
                return
            package = importlib.import_module(self.package)
            for module in pkgutil.iter_modules(package.__path__):
                if not module.ispkg:
                    importlib.import_module(f"{self.package}.{module.name}")
            self._discovered = True
