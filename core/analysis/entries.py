"""What a comparison compares: single runs, and groups of runs that repeat one experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.tracking import schema
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


def does_count(status: Any, alone: Any) -> Any:
    """Return which runs count in the means, curves and costs of their entry: of a group the finished ones.

    Args:
        status: Of one run, or a column of them.
        alone: Whether the run is an entry by itself.
    """
    return (status == schema.FINISHED) | alone


def counted(entry: Entry, runs: Mapping[str, Run]) -> tuple[str, ...]:
    """Return the runs of an entry that count (`does_count`). runs: by id, at least those of the entry."""
    alone = len(entry.run_ids) == 1
    return tuple(one for one in entry.run_ids if one in runs and does_count(runs[one].status, alone))


def narrowed(entries: Sequence[Entry], runs: Mapping[str, Run]) -> list[Entry]:
    """Return the entries with the runs that count; a group of which none finished yet keeps all of them."""
    return [replace(entry, run_ids=counted(entry, runs) or entry.run_ids) for entry in entries]
