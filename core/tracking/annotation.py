"""What people say about a run: its name, its tags, a note, and whether it is pinned."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from core.config import ConfigError
from core.tracking import schema
from core.tracking.run_state import RunState
from core.tracking.store import RunStore

LONGEST_NAME, LONGEST_TAG, LONGEST_NOTE = 250, 100, 5000  # characters; MLflow takes as many
KEY = re.compile(r"[\w\-. /]+")  # of a tag; MLflow takes no other signs
_STRING = r'"(?:[^"\\]|\\.)*"'
_TAG = re.compile(
    rf'\s*(?P<name>{_STRING}|[^",:\s][^,:]*)?\s*(?::\s*(?P<value>{_STRING}(?=\s*(?:,|$))|[^,]*))?\s*(?:,|$)'
)


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
    """Read tags as a person writes them: `baseline, team: vision, site: "Bonn, Germany"`.

    A name or a value in quotation marks is a JSON string. Raises ConfigError.
    """
    found, place = dict[str, str](), 0
    while place < len(text):
        match = _TAG.match(text, place)
        if match is None:
            raise ConfigError(
                "Tags have commas between, and a name in quotation marks ends with one: "
                f"'{text[place:].strip()}' does not."
            )
        name, value = _unquoted(match["name"] or ""), _unquoted(match["value"] or "")
        if name:
            found[name] = value
        elif match["value"] is not None:
            raise ConfigError(f"A tag needs a name before the colon, but is '{match[0].strip(' ,')}'.")
        place = match.end()
    return found


def write_tags(tags: Mapping[str, str]) -> str:
    """Write tags as `parse_tags` reads them."""
    return ", ".join(
        f"{_quoted(name, ',:')}: {_quoted(value, ',')}" if value else _quoted(name, ",:")
        for name, value in tags.items()
    )


def _quoted(text: str, special: str) -> str:
    """Put a text in quotation marks where it could not be read otherwise. special: the separators."""
    plain = text == text.strip() and text.isprintable() and not text.startswith('"')
    return text if plain and not set(special) & set(text) else json.dumps(text, ensure_ascii=False)


def _unquoted(text: str) -> str:
    text = text.strip()
    if text.startswith('"'):
        with suppress(ValueError):  # no JSON string: the marks belong to it
            return str(json.loads(text))
    return text


def annotate(store: RunStore, run_id: str, wanted: Annotation, shown: Annotation | None = None) -> None:
    """Change what people said about a run; everything that changes is checked first.

    Args:
        shown: What the person saw when they wrote `wanted`: only the differences between both are written, so
            that what others added meanwhile stays. By default what the run has now.

    Raises:
        NotAllowed: On a read-only server.
        UnknownRun: When there is no such run.
        ConfigError: When another program logged it, or a name, a tag or a note cannot be stored.
    """
    store.settings.require_trainer("change a run")
    run = store.state(run_id)
    if not run.is_ours:
        raise ConfigError(f"'{run.name}' was logged by another program, so it is not changed here.")
    present = annotation_of(run)
    before = shown or present
    tags = {name: value for name, value in wanted.tags.items() if before.tags.get(name) != value}
    _check(replace(wanted, tags=tags), before)
    changed = dict(tags)
    if wanted.note != before.note:
        changed[schema.NOTE] = wanted.note
    if wanted.pinned and not before.pinned:
        changed[schema.PINNED] = "yes"
    if wanted.name != before.name:
        store.client.update_run(run_id, name=wanted.name)
    if changed:
        store.set_tags(run_id, changed)
    _remove(store, run_id, (one for one in before.tags if one not in wanted.tags and one in present.tags))
    unpinned = before.pinned and not wanted.pinned and present.pinned
    _remove(store, run_id, [schema.PINNED] if unpinned else [])
    store.read.changed(run_id)


def _check(wanted: Annotation, before: Annotation) -> None:
    """Check what changes. Other programs may have set what is not taken here: that stays."""
    if wanted.name != before.name and not 0 < len(wanted.name.strip()) <= len(wanted.name) <= LONGEST_NAME:
        raise ConfigError(f"The name of a run has 1 to {LONGEST_NAME} characters, not {len(wanted.name)}.")
    if wanted.note != before.note and len(wanted.note) > LONGEST_NOTE:
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
