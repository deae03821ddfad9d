"""Classifies many images in a thread, in groups, so that a page shows how far it is and can end it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Thread

from core.inference.client import Caller, InferenceError, Prediction, predict
from core.inference.messages import UNCHANGED, Changes
from core.system.settings import Settings

MOST_IMAGES = 2000
MOST_BYTES = 32 << 20  # of one image file
AT_ONCE, BYTES_AT_ONCE = 32, 32 << 20  # of one request: what is cancelled is at most one request late
MOST_S = 15 * 60.0  # seconds that a batch may take

Read = Callable[[], bytes]  # reads a file; raises ValueError or OSError where that cannot be


@dataclass(frozen=True)
class Item:
    """An image of a batch: its name, with folders, how many bytes it has, and how it is read."""

    name: str
    size: int
    read: Read


@dataclass
class Row:
    """What became of an image. found: by run, where it could be read. error: why it could not."""

    name: str
    found: dict[str, Prediction] = field(default_factory=dict)
    error: str = ""


class Batch:
    """Many images through several models; begins at once, in a thread of its own.

    Attributes:
        rows: Of the images that are done, in their order.
        problem: Why it ended early, in a sentence; empty where it did not.
    """

    def __init__(
        self,
        settings: Settings,
        run_ids: Sequence[str],
        items: Sequence[Item],
        top_k: int,
        changes: Changes = UNCHANGED,
        caller: Caller | None = None,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        """Begin.

        Args:
            items: At most `MOST_IMAGES`.
            top_k: How many classes a row has of each model.
            caller: For whom it is; the batch ends when they have left.
            close: Called at the end, whatever it was: what the items are read from is not needed any more.
        """
        if len(items) > MOST_IMAGES:
            raise ValueError(
                f"At most {MOST_IMAGES:,} images are classified at once. Received: {len(items):,}."
            )
        self.run_ids, self.items, self.rows = tuple(run_ids), tuple(items), list[Row]()
        self.changes, self.problem = changes, ""
        self._settings, self._top_k, self._close = settings, top_k, close
        self._caller = caller or Caller()
        self._cancelled, self._give_up = False, time.monotonic() + MOST_S
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def cancel(self) -> None:
        """End it; the rows that are done stay."""
        self._cancelled = True

    def _work(self) -> None:
        try:
            for group in groups(self.items):
                if self._cancelled:
                    self.problem = "It was cancelled."
                elif time.monotonic() > self._give_up:
                    self.problem = f"It was ended after {MOST_S / 60:.0f} minutes."
                if self.problem:
                    return
                self.rows += self._classified(group)
        except InferenceError as error:
            self.problem = "It was cancelled." if self._cancelled else str(error)
        finally:
            self._close()

    def _classified(self, group: Sequence[Item]) -> list[Row]:
        """Return the rows of some images. Raises InferenceError where a model cannot answer at all."""
        rows, blobs = [Row(item.name) for item in group], dict[int, bytes]()
        for place, item in enumerate(group):
            if item.size > MOST_BYTES:
                rows[place].error = f"The image has more than {MOST_BYTES >> 20} MB."
                continue
            try:
                blobs[place] = item.read()
            except (ValueError, OSError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                rows[place].error = f"The image cannot be read: {reason}."
        for run_id in self.run_ids if blobs else ():
            found = predict(
                self._settings, run_id, list(blobs.values()), top_k=self._top_k, changes=self.changes,
                skip_unreadable=True, caller=Caller(self._caller.visit, self._is_given_up),
            )  # fmt: skip
            for place, prediction in zip(blobs, found, strict=True):
                if prediction.error:
                    rows[place].error = prediction.error
                else:
                    rows[place].found[run_id] = prediction
        return rows

    def _is_given_up(self) -> bool:
        return self._cancelled or self._caller.has_left()


def groups(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Divide items into requests of few images and bytes."""
    group: list[Item] = []
    size = 0
    for item in items:
        if group and (len(group) == AT_ONCE or size + item.size > BYTES_AT_ONCE):
            yield group
            group, size = [], 0
        group.append(item)
        size += item.size
    if group:
        yield group
