"""Registered models as values: names, under which versions of a model are kept that runs made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

CHAMPION, CHALLENGER = "champion", "challenger"
ALIASES = (CHAMPION, CHALLENGER)  # that this program sets; others are shown
CARD = "archlab.card"  # the tag of a version that holds its card, where a person has edited that


@dataclass(frozen=True)
class Version:
    """A version of a registered model.

    run_id: of the run that made it; empty where another program registered it without one. created:
    milliseconds since 1970. aliases: in alphabetical order.
    """

    name: str
    number: int
    run_id: str = ""
    created: int = 0
    description: str = ""
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"{self.name} version {self.number}"

    @property
    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.created / 1000, UTC)


@dataclass(frozen=True)
class Registered:
    """A registered model. versions: the newest first."""

    name: str
    description: str = ""
    versions: tuple[Version, ...] = ()

    def holder(self, alias: str) -> Version | None:
        """Return the version that has an alias."""
        return next((one for one in self.versions if alias in one.aliases), None)

    def version(self, number: int) -> Version | None:
        return next((one for one in self.versions if one.number == number), None)

    @property
    def first(self) -> Version | None:
        """The version that is meant where none is named: the champion, else the newest."""
        return self.holder(CHAMPION) or next(iter(self.versions), None)
