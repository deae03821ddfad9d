"""The interface of both readers of a tracking store: SQL, or MLflow's client. Chosen when it is opened."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from core.tracking.registered import Registered
from core.tracking.run_state import Child, RunState

if TYPE_CHECKING:
    import pandas as pd


class RunReader(Protocol):
    """Reads the runs of one store. Every method raises StoreError when the store cannot be used.

    Runs that were deleted are left out, except where a method says otherwise. Lists of runs are in the order
    in which these were submitted.
    """

    quick: bool  # whether a read takes milliseconds, so that a watcher may read several times a second

    def state(self, run_id: str) -> RunState:
        """Status and tags of a run, also of a deleted one. Raises UnknownRun."""

    def active(self) -> list[RunState]:
        """Runs of ArchLab that are SCHEDULED or RUNNING, without the parents of groups."""

    def open_groups(self) -> list[RunState]:
        """The parents of groups that have not ended."""

    def live_elsewhere(self) -> list[RunState]:
        """Runs of other programs that are SCHEDULED or RUNNING, in any experiment of the store."""

    def children(self, *parents: str) -> dict[str, list[Child]]:
        """The runs of each group; the list of an unknown one is empty."""

    def run_ids(self) -> list[str]:
        """The ids of all runs and groups, those of other programs included."""

    def runs(self, keys: Sequence[str] | None = None, recent: bool = False) -> pd.DataFrame:
        """The runs as `frames.runs` describes them."""

    def of_runs(self, run_ids: Sequence[str]) -> pd.DataFrame:
        """All that some runs have logged, as `runs` has it; unknown ids are left out."""

    def keys(self) -> dict[str, list[str]]:
        """The sorted names of the `params`, `metrics` and `tags` that runs have logged.

        A database also names those that deleted runs alone have.
        """

    def runs_version(self) -> Hashable:
        """Return what differs from an earlier answer if `runs` may answer otherwise now.

        A database is asked, in less than a millisecond; a server at most once a second.
        """

    def expect_changes(self) -> None:
        """Take no answer for current that was read before: this process has just changed a run."""

    def changed(self, run_id: str) -> None:
        """Note that this process has changed a run: the next answer has it as it is."""

    def age(self) -> float:
        """Return how many seconds old what others changed on runs that have ended may be in `runs`."""

    def histories(
        self, run_ids: Sequence[str], metrics: Sequence[str], after: int | None = None
    ) -> pd.DataFrame:
        """All values of some metrics of some runs in the columns of `tables.table_of_histories`, in no order.

        after: only steps after this one.
        """

    def last_metrics(self, run_ids: Sequence[str], metrics: Sequence[str]) -> list[dict[str, float]]:
        """The last values of some metrics, one mapping per run; a metric that a run lacks is left out."""

    def last_step(self, run_id: str, metric: str = "loss") -> int:
        """The last step at which a metric was logged, of the loss the last epoch; 0 before the first."""

    def last_number(self) -> int:
        """The highest number (`schema.NUMBER`) that a run got, deleted ones included; 0 when none has one."""

    def count_numbered(self, number: str) -> int:
        """How many runs have a number, deleted ones included."""

    def next_moment(self) -> int:
        """The time of submission of a new run, in ms since 1970: now.

        Where a database is read, it is also after the submission of all that waits: the clock may have been
        set back. A server has clients on several machines, and trusts their clocks.
        """

    def local_artifacts(self, run_id: str) -> Path | None:
        """The folder of a run's artifacts where a database says that it is on this machine, else None."""

    def newest_model(self, run_id: str) -> tuple[str, str] | None:
        """The id and the place of the model that a run logged last, as MLflow has them."""

    def registered(self) -> list[Registered]:
        """The registered models with their versions, by name, those of other programs included."""
