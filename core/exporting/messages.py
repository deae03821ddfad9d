"""What the process that exports is asked, and what it answers; both are JSON files."""

from __future__ import annotations

from dataclasses import dataclass

REQUEST, REPORT, FILES = "request.json", "report.json", "files"  # in the folder of one export


@dataclass(frozen=True)
class Request:
    """An export of the model of a run. format: a key of `core.exporting.formats.FORMATS`."""

    run_id: str
    format: str


@dataclass(frozen=True)
class Report:
    """What became of an export.

    difference: the largest between its probabilities and those of the original. compared: on which images, as
    "64 test images". accuracy, original_accuracy: of an export that is not the same function, on the same
    images; None for the others. said: further sentences. refused: why nothing was written, a sentence.
    """

    difference: float | None = None
    compared: str = ""
    accuracy: float | None = None
    original_accuracy: float | None = None
    said: tuple[str, ...] = ()
    refused: str = ""

    @property
    def sentences(self) -> tuple[str, ...]:
        """What to know of an export, in sentences."""
        found = []
        if self.accuracy is not None and self.original_accuracy is not None:
            found.append(
                f"It is right on {self.accuracy:.2%} of {self.compared}; in float32 the model is on "
                f"{self.original_accuracy:.2%}."
            )
        if self.difference is not None:
            found.append(
                f"The largest difference of a probability from the original is {self.difference:.1e}, on "
                f"{self.compared}."
            )
        return (*found, *self.said)
