"""Registers models of runs, and changes what is registered."""

from __future__ import annotations

import re
from contextlib import suppress

from core.config import ConfigError
from core.tracking import schema
from core.tracking.registered import ALIASES, CARD, CHALLENGER, CHAMPION, Registered, Version
from core.tracking.run_state import UnknownRun
from core.tracking.store import RunStore

NAME = re.compile(r"[A-Za-z0-9][\w .-]{0,99}", re.ASCII)
LONGEST_DESCRIPTION, LONGEST_CARD = 5000, 100_000  # characters; MLflow takes as many


def register(store: RunStore, run_id: str, name: str, description: str = "") -> Version:
    """Register the model of a finished run as a new version, of a new model where the name is new.

    Raises:
        NotAllowed: On a read-only server.
        ConfigError: The name cannot be one or is taken, the run has no model, or it is a version of this name
            already.
    """
    store.settings.require_trainer("register a model")
    run, name = store.state(run_id), name.strip()
    if not NAME.fullmatch(name):
        raise ConfigError(
            "The name of a model has 1 to 100 letters, digits, spaces, '-', '_' and '.', and begins with a "
            f"letter or digit. Received: {name[:100]!r}."
        )
    _check_description(description)
    found = find(store, name)
    if found and (twin := next((one for one in found.versions if one.run_id == run_id), None)):
        raise ConfigError(f"'{run.name}' is {twin.title} already.")
    newest = store.read.newest_model(run_id) if run.status == schema.FINISHED else None
    if newest is None:
        raise ConfigError(f"'{run.name}' has no saved model to register.")
    client = store.client
    import mlflow

    mlflow.set_tracking_uri(store.uri)  # the address of the model is resolved there
    if found is None:
        _create(store, name)
    try:
        made = client.create_model_version(
            name,
            f"models:/{newest[0]}",
            run_id=run_id,
            model_id=newest[0],
            description=description or None,
        )
    except BaseException:
        if found is None:
            with suppress(Exception):
                _delete_empty(store, name)
        raise
    return Version(name, int(made.version), run_id, made.creation_timestamp, description)


def find(store: RunStore, name: str) -> Registered | None:
    """Return the registered model of a name."""
    return next((one for one in store.read.registered() if one.name == name), None)


def version_of(store: RunStore, text: str) -> Version | None:
    """Return the version that a text names: `NAME@ALIAS`, `NAME/NUMBER` or `NAME`; None for no model's name.

    The name alone means the champion, else the newest version. Raises ConfigError where the model has no such
    version.
    """
    models = {one.name: one for one in store.read.registered()}
    if text in models:
        if models[text].first is None:
            raise ConfigError(f"The model '{text}' has no version.")
        return models[text].first
    for sign in "@/":
        name, found, rest = text.rpartition(sign)
        if not found or name not in models:
            continue
        model = models[name]
        version = model.holder(rest) if sign == "@" else model.version(int(rest) if rest.isdecimal() else 0)
        if version is None:
            have = [f"@{one}" for each in model.versions for one in each.aliases]
            have += [f"/{each.number}" for each in model.versions]
            raise ConfigError(
                f"The model '{name}' has no '{sign}{rest}'. It has: {', '.join(have) or 'no version'}."
            )
        return version
    return None


def run_of(store: RunStore, text: str) -> str:
    """Return the id of the run that made a registered version, or whose id begins so.

    Raises UnknownRun, ConfigError.
    """
    version = version_of(store, text)
    if version is None:
        if "@" in text:
            raise UnknownRun(f"No model is registered as '{text.rpartition('@')[0]}'.")
        return store.resolve(text)
    if not version.run_id:
        raise ConfigError(f"{version.title} names no run: another program registered it.")
    return version.run_id


def set_alias(store: RunStore, version: Version, alias: str, over: int | None = None) -> None:
    """Give a version an alias, which its present holder loses; a champion is no challenger any more.

    Args:
        alias: One of `ALIASES`.
        over: For the champion: the number of the present one, with which a person has seen this one compared;
            None where there is none.

    Raises:
        NotAllowed: On a read-only server.
        ConfigError: Another version has become champion since, or the version is gone.
    """
    store.settings.require_trainer("promote a model")
    if alias not in ALIASES:
        raise ConfigError(f"The alias must be one of {', '.join(ALIASES)}. Received: {alias!r}.")
    model = _present(store, version)
    holder = model.holder(alias)
    if alias == CHAMPION and (holder.number if holder else None) not in (over, version.number):
        now = holder.title if holder else "no version"
        raise ConfigError(f"The champion is {now} now: look at the comparison with it first.")
    store.client.set_registered_model_alias(version.name, alias, str(version.number))
    if alias == CHAMPION:
        remove_alias(store, version, CHALLENGER)


def remove_alias(store: RunStore, version: Version, alias: str) -> None:
    """Take an alias from a version. Raises NotAllowed, ConfigError."""
    store.settings.require_trainer("change a model")
    if (holder := _present(store, version).holder(alias)) is not None and holder.number == version.number:
        store.client.delete_registered_model_alias(version.name, alias)


def describe(store: RunStore, version: Version, text: str) -> None:
    """Change the description of a version. Raises NotAllowed, ConfigError."""
    store.settings.require_trainer("change a model")
    _check_description(text)
    _present(store, version)
    store.client.update_model_version(version.name, str(version.number), text)


def write_card(store: RunStore, version: Version, text: str | None) -> None:
    """Keep a card that a person has edited; None: the one that the run gives. Raises as `describe`."""
    store.settings.require_trainer("change a model")
    if text is not None and len(text) > LONGEST_CARD:
        raise ConfigError(f"A card has at most {LONGEST_CARD:,} characters, not {len(text):,}.")
    present = _present(store, version).version(version.number)
    if text is not None:
        store.client.set_model_version_tag(version.name, str(version.number), CARD, text)
    elif present is not None and CARD in present.tags:
        store.client.delete_model_version_tag(version.name, str(version.number), CARD)


def unregister(store: RunStore, version: Version) -> None:
    """Delete a version, and with the last one the name. The run and its model stay. Raises as above."""
    store.settings.require_trainer("unregister a model")
    _present(store, version)
    for alias in version.aliases:
        remove_alias(store, version, alias)
    store.client.delete_model_version(version.name, str(version.number))
    _delete_empty(store, version.name)


def _create(store: RunStore, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        store.client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        raise ConfigError(
            f"The name '{name}' was taken meanwhile, or by a prompt: try again, or choose another name."
        ) from error


def _delete_empty(store: RunStore, name: str) -> None:
    """Delete a name that has no version now: another program may have registered one."""
    if (model := find(store, name)) is not None and not model.versions:
        store.client.delete_registered_model(name)


def _present(store: RunStore, version: Version) -> Registered:
    """The model of a version as it is now. Raises ConfigError where either is gone."""
    model = find(store, version.name)
    if model is None or model.version(version.number) is None:
        raise ConfigError(f"{version.title} was unregistered meanwhile.")
    return model


def _check_description(text: str) -> None:
    if len(text) > LONGEST_DESCRIPTION:
        raise ConfigError(f"A description has at most {LONGEST_DESCRIPTION:,} characters, not {len(text):,}.")
