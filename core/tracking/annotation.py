"""What people say about a run: its name, its tags, a note, and whether it is pinned."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from core.config import ConfigError
from core.tracking import schema
from core.tracking.run_state import RunState
from core.tracking.store import RunStore

LONGEST_NAME, LONGEST_TAG, LONGEST_NOTE = 250, 100, 5000  # characters; MLflow takes as many
KEY = re.compile(r"[\w\-. /]+")  # of a tag; MLflow takes no other signs


@dataclass(frozen=True)
class Annotation:
    """What a person can change of a run. tags: what each says, empty for a mere label."""

    name: str
    tags: Mapping[str, str]
    note: str = ""
    pinned: bool = False


def annotation_of(run: RunState) -> Annotation:
    """Return what people said about a run."""
    own = {name: value for name, value in run.tags.items() if not name.startswith(schema.OF_PROGRAMS)}
    return Annotation(run.name, own, run.tags.get(schema.NOTE, ""), schema.PINNED in run.tags)


def parse_tags(text: str) -> dict[str, str]:
    """Read tags as a person writes them: "baseline, team: vision". Raises ConfigError."""
    found = {}
    for part in (part.strip() for part in text.split(",")):
        name, _, value = (piece.strip() for piece in part.partition(":"))
        if name:
            found[name] = value
        elif part:
            raise ConfigError(f"A tag needs a name before the colon, but is '{part}'.")
    return found


def write_tags(tags: Mapping[str, str]) -> str:
    """Write tags as `parse_tags` reads them."""
    return ", ".join(f"{name}: {value}" if value else name for name, value in tags.items())


def annotate(store: RunStore, run_id: str, wanted: Annotation) -> None:
    """Change what people said about a run; everything is checked first.

    Raises:
        NotAllowed: On a read-only server.
        UnknownRun: When there is no such run.
        ConfigError: When another program logged it, or a name, a tag or a note cannot be stored.
    """
    store.settings.require_trainer("change a run")
    run = store.state(run_id)
    if not run.is_ours:
        raise ConfigError(f"'{run.name}' was logged by another program, so it is not changed here.")
    _check(wanted)
    before, changed = annotation_of(run), dict[str, str]()
    changed |= {name: value for name, value in wanted.tags.items() if before.tags.get(name) != value}
    if wanted.note != before.note:
        changed[schema.NOTE] = wanted.note
    if wanted.pinned and not before.pinned:
        changed[schema.PINNED] = "yes"
    if wanted.name != run.name:
        store.client.update_run(run_id, name=wanted.name)
    if changed:
        store.set_tags(run_id, changed)
    _remove(store, run_id, (name for name in before.tags if name not in wanted.tags))
    _remove(store, run_id, [schema.PINNED] if before.pinned and not wanted.pinned else [])
    store.read.changed(run_id)


def _check(wanted: Annotation) -> None:
    if not wanted.name.strip() or len(wanted.name) > LONGEST_NAME:
        raise ConfigError(f"The name of a run has 1 to {LONGEST_NAME} characters, not {len(wanted.name)}.")
    if len(wanted.note) > LONGEST_NOTE:
        raise ConfigError(f"A note has at most {LONGEST_NOTE:,} characters, not {len(wanted.note):,}.")
    for name, value in wanted.tags.items():
        if not KEY.fullmatch(name) or len(name) > LONGEST_TAG:
            raise ConfigError(
                f"The name of a tag has letters, digits, spaces and '-_./', at most {LONGEST_TAG}: '{name}' "
                "has not."
            )
        if name.startswith(schema.OF_PROGRAMS):
            raise ConfigError(f"The tag '{name}' belongs to the program: choose another name.")
        if len(value) > LONGEST_NOTE:
            raise ConfigError(f"What the tag '{name}' says is longer than {LONGEST_NOTE:,} characters.")


def _remove(store: RunStore, run_id: str, tags: Iterable[str]) -> None:
    for tag in tags:
        store.delete_tag(run_id, tag)
