"""Reads the registered models of a store that is a database from MLflow's own tables."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import column, exists, select, table

from core.tracking.connections import connected
from core.tracking.registered import Registered, Version

PROMPT = "mlflow.prompt.is_prompt"  # the tag "true" of what MLflow keeps in the same tables and is no model
DELETED = "Deleted_Internal"  # the stage of a version that was deleted, whose row stays


def _table(name: str, *columns: str) -> Any:
    return table(name, *(column(one) for one in columns))


MODELS = _table("registered_models", "name", "description")
VERSIONS = _table(
    "model_versions", "name", "version", "run_id", "creation_time", "description", "current_stage"
)
ALIASES = _table("registered_model_aliases", "name", "alias", "version")
MODEL_TAGS = _table("registered_model_tags", "name", "key", "value")
TAGS = _table("model_version_tags", "name", "version", "key", "value")


def registered(uri: str) -> list[Registered]:
    """Return all registered models, by name."""
    with connected(uri) as connection:
        no_prompt = ~exists().where(
            MODEL_TAGS.c.name == MODELS.c.name, MODEL_TAGS.c.key == PROMPT, MODEL_TAGS.c.value == "true"
        )
        models = list(connection.execute(select(*MODELS.c).where(no_prompt)))
        versions, aliases, tags = (
            list(connection.execute(select(*one.c))) for one in (VERSIONS, ALIASES, TAGS)
        )
    aliases_of: dict[tuple[str, int], list[str]] = defaultdict(list)
    for name, alias, version in aliases:
        aliases_of[name, version].append(alias)
    tags_of: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    for name, version, key, value in tags:
        tags_of[name, version][key] = value or ""
    versions_of: dict[str, list[Version]] = defaultdict(list)
    for name, number, run_id, created, description, stage in versions:
        if stage == DELETED:
            continue
        key = name, number
        found = Version(
            name,
            number,
            run_id or "",
            created,
            description or "",
            tuple(sorted(aliases_of[key])),
            tags_of[key],
        )
        versions_of[name].append(found)
    return [
        Registered(name, description or "", tuple(sorted(versions_of[name], key=lambda one: -one.number)))
        for name, description in sorted(map(tuple, models))
    ]
