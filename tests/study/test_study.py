"""A comparison that is handed on: one file that says what was compared, and opens without a network."""

from __future__ import annotations

import base64
import re
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from core import config as configs
from core import datasets
from core.datasets import curate
from core.study import render, study_of
from core.study.study import Study
from core.tracking import schema
from core.tracking.store import RunStore
from tests.support.commands import run
from tests.support.homes import SMALL

IMAGES = 40
NAME = '<script>alert("x")</script>'  # the name of a run is text, whatever it says


@pytest.fixture
def compared(store: RunStore, tmp_path: Path) -> list[str]:
    """The ids of a run and of a group of two seeds, which answered the same 40 digits.

    The first is right on all; of the group both runs are wrong on the first ten.
    """
    info = datasets.info("digits")
    group = store.create_group("twice", 2)
    made = [
        store.create(SMALL.with_values({"name": NAME, "model.name": "mnist_cnn"})),
        *(
            store.create(
                SMALL.with_values({"name": f"twice · seed {seed}", "seed": seed}), tags={schema.PARENT: group}
            )
            for seed in (0, 1)
        ),
    ]
    labels = datasets.load("digits").labels[:IMAGES]
    for run_id, wrong in zip(made, (0, 10, 10), strict=True):
        answer = np.where(np.arange(IMAGES) < wrong, (labels + 1) % 10, labels)
        table = pd.DataFrame({"index": np.arange(IMAGES), "label": labels, "source_name": ""})
        table[[f"p{place}" for place in range(10)]] = np.eye(10)[answer] * 0.9 + 0.01
        file = tmp_path / "predictions.parquet"
        table.to_parquet(file)
        store.log_file(run_id, file, "evaluation")
        store.log_json(
            run_id,
            {"name": "digits", "fingerprint": info.fingerprint, "classes": list("0123456789")},
            schema.DATA,
        )
        store.log_json(
            run_id,
            {"python": "3.11.7", "devices": ["cpu:0"], "packages": {"keras": "3.15.1"}},
            schema.ENVIRONMENT,
        )
        store.log_params(run_id, {schema.FINGERPRINT: info.fingerprint})
        for epoch in (1, 2):
            store.log_metrics(run_id, {"val_accuracy": 0.4 * epoch, "val_loss": 1 / epoch}, epoch)
        accuracy = 1 - wrong / IMAGES
        store.log_metrics(run_id, {"test_accuracy": accuracy, "parameters": 100 + wrong // 10 * 100}, 2)
        store.set_status(run_id, schema.FINISHED)
    return [made[0], group]


def collected(store: RunStore, given: list[str]) -> Study:
    from core.commands.study import entries

    return study_of(store, entries(store, tuple(given)))


def test_a_study_collects_what_was_compared(store: RunStore, compared: list[str]) -> None:
    found = collected(store, compared)
    assert [(row.name, row.rank, row.runs, row.test) for row in found.rows] == [
        (NAME, 1, 1, 1.0),
        ("twice", 2, 2, pytest.approx(0.75)),
    ]
    assert NAME in found.verdict[0]
    assert found.verdict[1].endswith("Of the runs that are here, 3 were evaluated on these 40 test images.")
    assert found.verdict[2].startswith(f"{NAME} was trained with one seed, which is taken to vary as much as")
    assert [(chart.question, len(chart.lines)) for chart in found.curves] == [
        ("How accurate on validation images?", 2),
        ("How low is the loss on validation images?", 2),
    ]
    single, twice = found.curves[0].lines
    assert (single.points, single.band) == (((1.0, 0.4), (2.0, 0.8)), ())
    assert twice.band == ((1.0, 0.4, 0.4), (2.0, 0.8, 0.8))
    (cost,) = found.costs
    assert (cost.x, cost.front) == ("parameters", ((100.0, 1.0),))
    assert [(row.heading, len(row.pictures)) for row in found.pictures] == [
        (f"{NAME} is right more often: 10 images", 10),
        ("twice is right more often: 0 images", 0),
    ]
    assert dict(found.settings)["seed"] == ("0", "0, 1")
    assert dict(found.settings)["model.name"] == ("mnist_cnn", "lenet5")
    assert found.untested[0] == f"Other seeds: {NAME} was trained with one seed."
    assert found.untested[1].endswith("all models have one training set.")
    assert dict(found.versions) == {"python": "3.11.7", "devices": "cpu:0", "keras": "3.15.1"}
    assert [one.run_id for one in found.repeats] == [found.rows[0].key, *reversed_ids(store, compared[1])]


def test_a_group_is_its_finished_runs_in_every_part(store: RunStore, compared: list[str]) -> None:
    for run_id in reversed_ids(store, compared[1]):
        store.log_metrics(run_id, {"best_val_accuracy": 0.8}, 2)
    first = collected(store, compared)
    failed = store.create(
        SMALL.with_values({"name": "twice · seed 2", "seed": 2}), tags={schema.PARENT: compared[1]}
    )
    for epoch in (1, 2, 3):
        logged = {"val_accuracy": 0.1, "val_loss": 9.0, "best_val_accuracy": 0.1, "parameters": 9000}
        store.log_metrics(failed, logged, epoch)
    for status in (schema.RUNNING, schema.FAILED):
        store.set_status(failed, status)
        found = collected(store, compared)
        assert (found.rows, found.curves) == (first.rows, first.curves)
        (group,) = (row for row in found.rows if row.key == compared[1])
        assert (group.runs, group.validation) == (2, pytest.approx(0.8))
    assert failed in [one.run_id for one in found.repeats]


def test_a_study_warns_as_the_page_does(store: RunStore, compared: list[str]) -> None:
    logged = {"best_val_accuracy": 0.5, "validation_images": 400, "test_images": 40}
    store.log_metrics(compared[0], logged, 3)
    store.log_params(compared[0], {schema.SPLIT: "another"})
    found = collected(store, compared)
    assert found.verdict[-1].startswith(
        f"{NAME}: validation accuracy 50.0% is 50.0 points below test accuracy"
    )
    assert "have 2 different splits" in found.untested[1]


def reversed_ids(store: RunStore, group: str) -> list[str]:
    """The runs of a group, newest first."""
    from core.tracking import frames

    every = frames.runs(store)
    return every.loc[every[f"tags.{schema.PARENT}"] == group, "run_id"].tolist()


def test_the_file_opens_offline_and_repeats_its_runs(
    store: RunStore, compared: list[str], page: Page, tmp_path: Path
) -> None:
    file = tmp_path / "study.html"
    found = run("study", *(one[:12] for one in compared), "--out", str(file))
    assert (found.returncode, found.stdout) == (0, f"{file}\n"), found.stderr
    text = file.read_text(encoding="utf-8")
    assert file.stat().st_size < 5_000_000
    for config in re.findall(r'href="data:application/yaml;base64,([^"]+)"', text):
        written = configs.from_yaml(base64.b64decode(unescape(config)).decode())
        assert written in [store.config(one.run_id) for one in collected(store, compared).repeats]

    nowhere = run("study", compared[0], "--out", str(tmp_path / "none" / "study.html"))
    assert (nowhere.returncode, nowhere.stderr.count("There is no folder")) == (2, 1)

    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.context.set_offline(True)
    page.goto(file.as_uri())
    expect(page.locator("h1")).to_have_text(f"{NAME}, twice")
    expect(page.locator("main > *").first.locator("p").first).to_contain_text("beats twice by 25 points")
    expect(page.locator("tr.best")).to_have_count(1)
    expect(page.locator("polygon")).to_have_count(2)  # the bands of the group
    pictures = page.locator(".pictures img")
    expect(pictures).to_have_count(10)
    assert pictures.evaluate_all("those => those.every(one => one.complete && one.naturalWidth > 0)")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert [one for one in asked if not one.startswith(("file:", "data:"))] == []
    assert said == []


def test_a_study_too_large_is_written_without_its_pictures(
    store: RunStore, compared: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = collected(store, compared)
    size = len(render(whole).encode())
    monkeypatch.setattr("core.study.page.MAX_BYTES", size - 1)
    assert "with them this file would have more" in render(whole)
    monkeypatch.setattr("core.study.page.MAX_BYTES", 1000)
    with pytest.raises(ValueError, match="Choose fewer"):
        render(whole)


def test_a_study_of_runs_before_a_label_edit_shows_their_images(store: RunStore, compared: list[str]) -> None:
    before = collected(store, compared)
    label = int(datasets.load("digits").labels[1000])
    curate.relabel("digits", {1000: str((label + 1) % 10)})
    after = collected(store, compared)
    assert (after.pictures, after.why_no_pictures) == (before.pictures, "")
    assert len(after.pictures[0].pictures) == 10
