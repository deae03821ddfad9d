"""The answers for many image files as a CSV file, one row an image."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.analysis.export import defused
from core.inference.client import Prediction, predict
from core.inference.messages import Changes
from core.system.files import replacing
from core.system.settings import Settings

AT_ONCE = 64  # images of one request, which are all in memory
NOT_PREDICTED = "error"


def write_predictions(
    settings: Settings, run_id: str, paths: Sequence[Path], file: Path, top: int, invert: bool
) -> int:
    """Classify image files and write the answers; a file that cannot be read is a row with the reason.

    Args:
        file: Replaced as a whole once all images are answered.
        top: How many classes a row has.

    Returns:
        How many images could not be read.
    """
    if not file.absolute().parent.is_dir():
        raise ValueError(f"There is no folder '{file.absolute().parent}' to write the answers to.")
    wrong = 0
    with replacing(file) as draft, draft.open("w", newline="", encoding="utf-8") as stream:
        writer: csv.DictWriter | None = None
        for path, answer in _answers(settings, run_id, paths, top, invert):
            if writer is None:
                named = [
                    f"{what} {place}" for place in range(2, top + 1) for what in ("class", "probability")
                ]
                columns = ["image", "class", "probability", *named, "notes", NOT_PREDICTED]
                writer = csv.DictWriter(stream, columns, restval="")
                writer.writeheader()
            writer.writerow({key: defused(value) for key, value in _row(path, answer).items()})
            wrong += isinstance(answer, str)
    return wrong


def _answers(
    settings: Settings, run_id: str, paths: Sequence[Path], top: int, invert: bool
) -> Iterator[tuple[Path, Prediction | str]]:
    """Each image with its answer, or why there is none."""
    for start in range(0, len(paths), AT_ONCE):
        some = paths[start : start + AT_ONCE]
        blobs = [_bytes(path) for path in some]
        read = [blob for blob in blobs if isinstance(blob, bytes)]
        answers = iter(
            predict(settings, run_id, read, top_k=top, changes=Changes(invert=invert), skip_unreadable=True)
            if read
            else ()
        )
        for path, blob in zip(some, blobs, strict=True):
            answer = next(answers) if isinstance(blob, bytes) else None
            yield path, (answer.error or answer) if answer is not None else str(blob)


def _bytes(path: Path) -> bytes | str:
    try:
        return path.read_bytes()
    except OSError as error:
        return f"The image cannot be read: {error.strerror}."


def _row(path: Path, answer: Prediction | str) -> dict[str, str]:
    if isinstance(answer, str):
        return {"image": str(path), NOT_PREDICTED: answer}
    row = {
        "image": str(path),
        "notes": " ".join(filter(None, (*answer.notes, answer.inversion, answer.brightness))),
    }
    for place, (name, probability) in enumerate(
        zip(answer.classes, answer.probabilities, strict=True), start=1
    ):
        end = "" if place == 1 else f" {place}"
        row |= {f"class{end}": name, f"probability{end}": f"{probability:.6f}"}
    return row
