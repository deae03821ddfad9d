"""The import that a filled form asks for: its options, its checks, its source, its start."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.datasets.records import DatasetError
from core.datasets.store import check_name
from core.importing.importer import check_name_free
from core.importing.preview import ImportPreview, preview_import
from core.importing.request import ImportRefused, check_classes, parse_columns, parse_range
from core.jobs import imports
from core.system.settings import Settings
from core.system.units import byte_size

ARCHIVES = "import-archives"  # in the session: how many uploaded archives were imported
CHANNELS = {"as the images are": None, "grey": 1, "colour": 3}


@dataclass(frozen=True)
class Asked:
    """An import that was asked for.

    archive: id of an uploaded zip; empty where `path` is given. options: of `import_images`.
    """

    name: str
    archive: str
    path: str
    options: dict[str, Any]


@dataclass(frozen=True)
class Filled:
    """The values of the form's fields; texts are empty where not given. pixels: 0: the images' own size."""

    upload: UploadedFile | None
    encoding: str
    path: str
    links: str
    pixels: int
    test_fraction: float | None
    policy: str
    channels: str
    mirrored: str
    counted: str
    columns: str
    value_range: str
    near: bool
    replaces: bool


def asked_for(name: str, filled: Filled) -> Asked:
    """Return the import that a filled form asks for. Raises ImportRefused for a field that cannot be read."""
    options: dict[str, Any] = {
        "policy": filled.policy,
        "replace": filled.replaces,
        "channels": CHANNELS[filled.channels],
        "value_range": parse_range(filled.value_range),
        "columns": parse_columns(column for column in filled.columns.split(",") if column.strip()),
    }
    options |= {"size": filled.pixels} if filled.pixels else {}
    options |= {"test_fraction": filled.test_fraction} if filled.test_fraction else {}
    options |= {"encoding": filled.encoding} if filled.encoding else {}
    options |= {"links": [filled.links]} if filled.links else {}
    options |= {"keep_together": "near"} if filled.near else {}
    if bool(filled.mirrored) != bool(filled.counted):
        raise ImportRefused("To mirror a class, name both it and the class that it is counted as.")
    options["mirror"] = (filled.mirrored, filled.counted) if filled.mirrored else None
    return Asked(name, "" if filled.upload is None else filled.upload.file_id, filled.path, options)


def name_problem(name: str) -> str:
    """Return why a name is invalid, with a valid one like it; empty where it is valid."""
    try:
        check_name(name)
    except DatasetError as error:
        usable = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")
        return f"{error}" + (f" Possible: {usable}" if usable else "")
    return ""


def check(settings: Settings, asked: Asked) -> None:
    """Raise ImportRefused or NotAllowed for what can be checked before the source is read."""
    settings.require_trainer("import datasets")
    if not asked.name:
        raise ImportRefused("Give the dataset a name.")
    if bool(asked.archive) == bool(asked.path):
        raise ImportRefused("Give either an archive or a path.")
    check_name_free(asked.name, asked.options["replace"])


def is_archive(asked: Asked) -> bool:
    return bool(asked.archive) or asked.path.lower().endswith(".zip")


def preview_of(settings: Settings, asked: Asked, upload: UploadedFile | None) -> ImportPreview:
    """List what the source holds. Raises ImportRefused."""
    source = _source(settings, asked, upload)
    options = {key: asked.options[key] for key in ("columns", "encoding", "links") if key in asked.options}
    try:
        found = preview_import(source, **options)
    finally:
        if asked.archive:
            source.unlink()
    check_classes(found.classes, "the archive" if asked.archive else source.name, found.problems)
    return found


def start(settings: Settings, asked: Asked, upload: UploadedFile | None) -> None:
    """Begin the import; at its next run the form no longer has the archive that was uploaded for it."""
    source = _source(settings, asked, upload)
    try:
        imports.start(settings, asked.name, source, bool(asked.archive), asked.options)
    except OSError:
        if asked.archive:
            source.unlink(missing_ok=True)
        raise
    if asked.archive:
        st.session_state[ARCHIVES] = st.session_state.get(ARCHIVES, 0) + 1


def _source(settings: Settings, asked: Asked, upload: UploadedFile | None) -> Path:
    """Return the path that was given, or that of a copy of the uploaded archive."""
    if not asked.archive:
        return Path(asked.path)
    assert upload is not None
    return keep_upload(settings, upload)


def keep_upload(settings: Settings, upload: UploadedFile) -> Path:
    """Write an uploaded archive to disk under a generated name: the visitor's is never used."""
    path = (
        imports.uploads(settings) / f"{uuid4().hex}.zip"
    )  # each import has a copy of its own, removed at its end
    free = shutil.disk_usage(path.parent).free
    if upload.size > free:
        raise ImportRefused(
            f"The archive takes {byte_size(upload.size)}, and {byte_size(free)} are free in {path.parent}."
        )
    try:
        path.write_bytes(upload.getbuffer())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise ImportRefused(f"The archive cannot be kept in {path.parent}: {error.strerror}.") from error
    return path
