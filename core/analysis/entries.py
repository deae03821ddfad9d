"""What a comparison compares: single runs, and groups of runs that repeat one experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.tracking.run import Run


@dataclass(frozen=True)
class Entry:
    """One row of the table of a comparison: a run, or a group of runs that is shown by its mean.

    Attributes:
        key: Names it in addresses: the id of a run, or the key of a group.
        name: As tables and legends show it.
        run_ids: All runs of it, newest first; one of a single run.
    """

    key: str
    name: str
    run_ids: tuple[str, ...]

    @property
    def is_group(self) -> bool:
        return self.key not in self.run_ids


def entry_of(run: Run, name: str = "") -> Entry:
    """Return a single run as an entry. name: how it is shown, its own name unless given."""
    return Entry(run.run_id, name or run.name, (run.run_id,))


def run_ids_of(entries: Sequence[Entry]) -> list[str]:
    """Return the ids of all runs of some entries, each once, in their order."""
    return list(dict.fromkeys(run_id for entry in entries for run_id in entry.run_ids))
