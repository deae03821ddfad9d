"""`predict --csv` answers many images in one file, and a bad one costs its row alone."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.datasets import load
from core.tracking import registry
from core.tracking.registered import CHAMPION
from core.tracking.store import get_store
from tests.support.commands import run
from tests.support.homes import Trained

pytestmark = pytest.mark.slow


def test_every_image_is_a_row_of_the_file(trained: Trained, tmp_path: Path) -> None:
    digits = load("digits")
    rows = digits.indices("test")[:3]
    paths = [tmp_path / f"{place}.png" for place in range(3)]
    for path, row in zip(paths, rows, strict=True):
        Image.fromarray(np.asarray(digits.images[row, ..., 0])).save(path)
    broken, formula = tmp_path / "broken.png", tmp_path / "=1+1.png"
    broken.write_bytes(b"no image")
    formula.write_bytes(paths[0].read_bytes())
    given = [paths[0], broken, tmp_path / "missing.png", *paths[1:], formula]
    version = registry.register(get_store(), trained.run_id, "for the file")
    try:
        registry.set_alias(get_store(), version, CHAMPION)
        file = tmp_path / "answers.csv"
        done = run("predict", "for the file@champion", *map(str, given), "--csv", str(file), "--top", "2")
        one = run("predict", trained.run_id, str(paths[1]), "--top", "1").stdout
    finally:
        registry.unregister(get_store(), version)
    assert done.returncode == 0, done.stderr
    assert "2 of 6 images could not be read" in done.stderr
    with file.open(newline="") as stream:
        found = list(csv.DictReader(stream))
    assert [Path(row["image"].lstrip("'")).name for row in found] == [path.name for path in given]
    assert [bool(row["error"]) for row in found] == [False, True, True, False, False, False]
    assert found[1]["error"].startswith("The image is not an image")
    assert f"class {found[3]['class']} (probability {float(found[3]['probability']):.3f})" in one
    assert float(found[0]["probability"]) >= float(found[0]["probability 2"]) > 0
    assert (found[0]["class"], found[0]["probability"]) == (found[5]["class"], found[5]["probability"])


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_asked(
    trained: Trained, tmp_path: Path
) -> None:
    done = run("predict", trained.run_id, "image.png", "--csv", str(tmp_path / "no" / "answers.csv"))
    assert done.returncode == 2
    assert "There is no folder" in done.stderr
    assert list(tmp_path.iterdir()) == []
