"""Reads the registered models of any store by MLflow's client."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from core.tracking.client import StoreClient
from core.tracking.connections import asking
from core.tracking.registered import Registered, Version


def registered(store: StoreClient) -> list[Registered]:
    """Return all registered models, by name."""
    with asking(store.uri):
        models = list(_all(store.client.search_registered_models))
        versions = list(_all(store.client.search_model_versions))
    versions_of: dict[str, list[Version]] = defaultdict(list)
    aliases = {(model.name, alias, int(of)) for model in models for alias, of in model.aliases.items()}
    for one in versions:
        number = int(one.version)
        own = tuple(sorted(alias for name, alias, of in aliases if (name, of) == (one.name, number)))
        versions_of[one.name].append(
            Version(
                one.name,
                number,
                one.run_id or "",
                one.creation_timestamp,
                one.description or "",
                own,
                dict(one.tags),
            )
        )
    return [
        Registered(
            model.name,
            model.description or "",
            tuple(sorted(versions_of[model.name], key=lambda one: -one.number)),
        )
        for model in sorted(models, key=lambda model: model.name)
    ]


def _all(search: Callable[..., Any]) -> Iterator[Any]:
    token = None
    while True:
        page = search(page_token=token)
        yield from page
        token = page.token
        if not token:
            return
