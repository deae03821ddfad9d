"""Names, tags, notes and pins that people give to runs."""

from __future__ import annotations

import pytest

from core.config import ConfigError, ExperimentConfig
from core.tracking import frames, schema
from core.tracking.annotation import Annotation, annotate, annotation_of, parse_tags, write_tags
from core.tracking.store import RunStore

pytestmark = pytest.mark.slow


def test_what_people_say_about_a_run_is_kept_changed_and_taken_back(store: RunStore) -> None:
    run_id = store.create(ExperimentConfig(name="first"))
    before = store.state(run_id).tags
    said = Annotation("better name", parse_tags("baseline, team: vision"), "It diverged twice.", pinned=True)
    annotate(store, run_id, said)
    assert annotation_of(store.state(run_id)) == said
    (row,) = frames.runs(store).to_dict("records")
    assert (row["name"], row["tags.team"], row[f"tags.{schema.PINNED}"]) == ("better name", "vision", "yes")
    annotate(store, run_id, Annotation("better name", {"team": "speech"}))
    assert annotation_of(store.state(run_id)) == Annotation("better name", {"team": "speech"})
    kept = {name: value for name, value in store.state(run_id).tags.items() if name in before}
    assert kept == before | {"mlflow.runName": "better name"}


@pytest.mark.parametrize(
    ("name", "tags", "said"),
    [
        (" ", "", "1 to 250 characters"),
        ("fine", "archlab.number: 7", "belongs to the program"),
        ("fine", "a=b", "has letters, digits, spaces"),
        ("fine", 'a, "b', "in quotation marks ends with one: '\"b' does not"),
        ("fine", ": nothing", "needs a name before the colon"),
    ],
)
def test_what_cannot_be_stored_is_refused_and_changes_nothing(
    store: RunStore, name: str, tags: str, said: str
) -> None:
    run_id = store.create(ExperimentConfig(name="first"))
    with pytest.raises(ConfigError, match=said):
        annotate(store, run_id, Annotation(name, parse_tags(tags), pinned=True))
    assert annotation_of(store.state(run_id)) == Annotation("first", {})


@pytest.mark.parametrize(
    "value",
    [
        "vision: group 2",
        "vision, nlp",
        '"quoted"',
        '5" screen, new',
        " spaced ",
        "two\nlines",
        "a\\b, c",
        '"',
    ],
)
def test_tags_are_read_as_they_are_written(value: str) -> None:
    tags = {"baseline": "", "team": value, "a: b, c": "x"}
    assert parse_tags(write_tags(tags)) == tags


def test_only_what_was_changed_is_written(store: RunStore) -> None:
    run_id = store.create(ExperimentConfig(name="first"))
    store.set_tags(run_id, {"team": "vision, nlp", "mlflow-only: key": "kept", "old": "1"})
    shown = annotation_of(store.state(run_id))
    store.set_tags(run_id, {"added": "by another", schema.PINNED: "yes"})
    store.delete_tag(run_id, "old")
    tags = parse_tags(write_tags(shown.tags).replace(", old: 1", ""))
    annotate(store, run_id, Annotation("better name", tags, shown.note, shown.pinned), shown)
    said = annotation_of(store.state(run_id))
    assert (said.name, said.pinned) == ("better name", True)
    assert said.tags == {"team": "vision, nlp", "mlflow-only: key": "kept", "added": "by another"}
