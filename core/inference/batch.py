"""Classifies many images in a thread, in groups, so that a page shows how far it is and can end it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from threading import Thread

from core.images.pixels import to_data_url
from core.inference.client import Caller, InferenceError, Prediction, predict
from core.inference.messages import UNCHANGED, Changes
from core.system.settings import Settings

MOST_IMAGES = 2000
MOST_BYTES = 32 << 20  # of one image file
AT_ONCE, BYTES_AT_ONCE = 32, 32 << 20  # of one request: what is cancelled is at most one request late
MOST_S = 15 * 60.0  # seconds that a batch may take
THUMBNAIL = 48  # pixels of the longer side

logger = logging.getLogger(__name__)

Read = Callable[[], bytes]  # reads a file; raises ValueError or OSError where that cannot be


@dataclass(frozen=True)
class Item:
    """An image of a batch: its name, with folders, how many bytes it has, and how it is read."""

    name: str
    size: int
    read: Read


@dataclass
class Row:
    """What became of an image.

    found: by run, where it could be read; without pixels, which would fill the memory of the dashboard.
    error: why it could not be read. thumbnail: the image as the first model got it, the address of a PNG
    file; what a visitor brings is decoded nowhere else.
    """

    name: str
    found: dict[str, Prediction] = field(default_factory=dict)
    error: str = ""
    thumbnail: str = ""


class Batch:
    """Many images through several models; begins at once, in a thread of its own.

    Attributes:
        number: Of images.
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
        self.run_ids, self.number, self.rows = tuple(run_ids), len(items), list[Row]()
        self.changes, self.problem = changes, ""
        self._settings, self._items, self._top_k, self._close = settings, tuple(items), top_k, close
        self._caller = caller or Caller()
        self._cancelled, self._begun = False, time.monotonic()
        self._names: dict[str, str] = {}  # of classes: each answer comes with copies of its own
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
            for group in groups(self._items):
                if reason := self._why_given_up():
                    self.problem = reason
                    return
                self.rows += self._classified(group)
        except InferenceError as error:
            self.problem = self._why_given_up() or str(error)
        except Exception as error:  # whatever it is: a thread that dies silently looks like an end
            logger.exception("a batch of images ended")
            self.problem = f"It was ended by an error: {type(error).__name__}: {error}".rstrip(":. ") + "."
        finally:
            self._items = ()  # uploads, megabytes each, while the page keeps the batch
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
                    self._keep(rows[place], run_id, prediction)
        return rows

    def _keep(self, row: Row, run_id: str, prediction: Prediction) -> None:
        if prediction.pixels is not None and not row.thumbnail:
            row.thumbnail = to_data_url(prediction.pixels, THUMBNAIL)
        classes = tuple(self._names.setdefault(name, name) for name in prediction.classes)
        row.found[run_id] = replace(prediction, classes=classes, pixels=None)

    def _is_given_up(self) -> bool:
        return bool(self._why_given_up())

    def _why_given_up(self) -> str:
        """Say why no further image is classified; empty where the caller still waits for them."""
        if self._cancelled:
            return "It was cancelled."
        if time.monotonic() > self._begun + MOST_S:
            return f"It was ended after {MOST_S / 60:.0f} minutes."
        return "It was ended because its visitor had left." if self._caller.has_left() else ""


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
