"""How another dataset comes in: a form, downloads, and what is under way."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.datasets.decode import POLICIES
from core.datasets.importer import check_name_free
from core.datasets.preview_import import ImportPreview, preview_import
from core.datasets.records import DatasetError
from core.datasets.request import ImportRefused, check_classes, parse_columns, parse_range
from core.datasets.store import check_name
from core.jobs import imports
from core.system.settings import NotAllowed, Settings
from core.system.units import byte_size, duration
from core.ui.common import guard, reads, words
from core.ui.common.actions import may_change
from core.ui.common.uploads import uploader

LIVE_S = 1.0
MAX_ARCHIVE_MB = 1024  # larger ones are imported by their path on the server
ASKED = "import-asked"  # in the session: an import that is shown before it begins
ARCHIVES = "import-archives"  # in the session: how many uploaded archives were imported
CHANNELS = {"as the images are": None, "grey": 1, "colour": 3}


@dataclass(frozen=True)
class Asked:
    """An import that was asked for. archive: the id of an uploaded zip; empty where `path` is given."""

    name: str
    archive: str
    path: str
    options: dict[str, Any]


def import_panel(settings: Settings) -> None:
    """The form of an import, the known datasets that can be downloaded, and what is under way.

    A visitor who may only look sees none of it.
    """
    if not may_change():
        return
    with st.expander("Import images", icon=":material/add_photo_alternate:"):
        st.caption(
            "A folder or a zip with a folder for each class, with or without train, validation and test "
            "above; or with a table (CSV or Parquet) of files and labels; or Parquet with images inside. "
            "Where no test set is given, one is held out now and never chooses anything."
        )
        upload = _form(settings)
        _preview(settings, upload)
    if known := reads.unprepared():
        with st.expander("Download a known dataset", icon=":material/download:"):
            for info in known:
                _offer(settings, info.name, info.title, info.description, info.licence)
    _under_way(settings)


def _offer(settings: Settings, name: str, title: str, description: str, licence: str) -> None:
    text, button = st.columns([5, 1], vertical_alignment="center")
    text.markdown(f"**{words.plain(title)}** — {words.plain(description)} {words.plain(licence)}")
    if button.button("Prepare", key=f"prepare-{name}", icon=":material/download:", width="stretch"):
        try:
            imports.start(settings, name, None, False, {})
        except NotAllowed as error:
            st.error(str(error), icon=":material/block:")


def _form(settings: Settings) -> UploadedFile | None:
    """The form, and what its buttons do. Returns the archive in it."""
    name = st.text_input("Name of the dataset", placeholder="flowers", max_chars=64).strip()
    below = st.container()  # always there, so that the form keeps its place and what was filled in
    if name and (problem := _name_problem(name)):
        below.error(words.plain(problem), icon=":material/block:")
    with st.form("import", border=False):
        archive, folder = st.columns(2)
        # Another widget after each import: the archive that was imported is not held in memory any longer.
        key = f"archive-{st.session_state.get(ARCHIVES, 0)}"
        upload = uploader(archive, "A zip archive", MAX_ARCHIVE_MB, type="zip", key=key)
        encoding = archive.text_input(
            "Encoding of names and tables", placeholder="cp932",
            help="Of names in a zip, or a table, that are not UTF-8. Left empty, names are read in the "
            "likeliest encoding and shown first.",
        )  # fmt: skip
        path = folder.text_input("or a path on the server", placeholder="/data/flowers")
        links = folder.text_input(
            "Folder that its links may lead into", placeholder="/data/all",
            help="Symbolic links that stay under the path are followed anyway, and no other ones.",
        )  # fmt: skip
        size, fraction, policy, colour = st.columns(4)
        pixels = size.number_input(
            "Size in pixels", min_value=0, value=0, step=8, help="0: the images' own, when all are alike."
        )
        test = fraction.number_input(
            "Held out for testing", min_value=0.01, max_value=0.9, value=None, step=0.05, placeholder="0.15",
            help="Leave it empty when the source brings a test set.",
        )  # fmt: skip
        fit = policy.selectbox(
            "Resize policy",
            POLICIES,
            help="stretch: to the size; pad: fit inside, with a border; crop: cover, and cut off the rest.",
        )
        channels = colour.selectbox("Channels", CHANNELS)
        one, other, table, values = st.columns([3, 3, 5, 3])
        mirrored = one.text_input("Mirror this class", help="Its images are flipped left to right …")
        counted = other.text_input("and count it as this class", help="… and counted in this one.")
        columns = table.text_input(
            "Columns of a table", placeholder="image=path, label=kind, group=patient",
            help="Only where they have other names than the usual image, label, part (train, validation "
            "or test) and group.",
        )  # fmt: skip
        value_range = values.text_input(
            "Value range of deep images", placeholder="0, 4095",
            help="Of images with more than 8 bits: the values that become black and white. "
            "Left empty, one range is found over all images.",
        )  # fmt: skip
        near = st.checkbox(
            "Keep near duplicates in one set",
            help="Identical images are kept together in any case. Holds for the test set held out now "
            "and for every later split. Takes about a millisecond an image.",
        )
        replaces = st.checkbox("Replace a dataset of this name")
        with st.container(horizontal=True):
            starts = st.form_submit_button("Import", icon=":material/upload:", type="primary")
            shows = st.form_submit_button("Preview", icon=":material/visibility:")
        if not (starts or shows):
            return upload
    st.session_state.pop(ASKED, None)
    try:
        options: dict[str, Any] = {"policy": fit, "replace": replaces, "channels": CHANNELS[channels]}
        options |= {"size": pixels} if pixels else {}
        options |= {"test_fraction": test} if test else {}
        options |= {"encoding": encoding.strip()} if encoding.strip() else {}
        options |= {"links": [links.strip()]} if links.strip() else {}
        options["value_range"] = parse_range(value_range)
        options |= {"keep_together": "near"} if near else {}
        options["columns"] = parse_columns(part for part in columns.split(",") if part.strip())
        if bool(mirrored.strip()) != bool(counted.strip()):
            raise ImportRefused("To mirror a class, name both it and the class that it is counted as.")
        options["mirror"] = (mirrored.strip(), counted.strip()) if mirrored.strip() else None
        asked = Asked(name, "" if upload is None else upload.file_id, path.strip(), options)
        _check(settings, asked)
        # Names in a guessed encoding are shown first, so that nobody trains on garbled classes.
        if shows or (_is_archive(asked) and not encoding.strip() and _look(settings, asked, upload).guess):
            st.session_state[ASKED] = asked
        else:
            _start(settings, asked, upload)
            if asked.archive:
                st.rerun()  # the form is empty of it
    except (ImportRefused, NotAllowed) as error:
        st.error(words.plain(str(error)), icon=":material/block:")
    return upload


def _preview(settings: Settings, upload: UploadedFile | None) -> None:
    """What was asked for, by its names, with the choice of their encoding; importing it is the next click."""
    asked: Asked | None = st.session_state.get(ASKED)
    if asked is None:
        return
    if asked.archive and (upload is None or upload.file_id != asked.archive):
        st.session_state.pop(ASKED)  # the archive was taken back, or another one was sent
        return
    try:
        found = _look(settings, asked, upload)
        if found.guess is not None and "encoding" not in asked.options:
            readings = ((found.guess.encoding, found.guess.examples), *found.guess.others)
            shown = {encoding: f"{encoding}: {', '.join(examples)}" for encoding, examples in readings}
            st.warning(
                "The archive does not say how its names are encoded. "
                "Choose the encoding in which the names look right.",
                icon=":material/translate:",
            )
            chosen = st.selectbox(
                "Encoding of the names",
                list(shown),
                format_func=lambda name: shown[name],
                key="import-encoding",
            )
            asked = replace(asked, options={**asked.options, "encoding": chosen})
            found = _look(settings, asked, upload)
        st.markdown(f"**{words.plain(asked.name)}**: {len(found.classes):,} classes, {found.size:,} images")
        subsets = {subset: counts for subset, counts in found.counts.items() if any(counts)}
        st.dataframe(
            pd.DataFrame({"class": found.classes, **subsets}),
            hide_index=True,
            height="content" if len(found.classes) < 8 else 280,
        )
        for note in found.notes:
            st.caption(words.plain(note))
        if found.problems:
            name, reason = found.problems[0]
            st.caption(
                words.plain(f"Not imported: {len(found.problems):,} files, as {name!r}, which {reason}.")
            )
        with st.container(horizontal=True):
            if st.button("Import these classes", icon=":material/upload:", type="primary"):
                _start(settings, asked, upload)
                st.session_state.pop(ASKED)
                st.rerun()
            if st.button("Discard", icon=":material/close:"):
                st.session_state.pop(ASKED)
                st.rerun()
    except (ImportRefused, NotAllowed) as error:
        st.error(words.plain(str(error)), icon=":material/block:")


def _name_problem(name: str) -> str:
    """Why no dataset can have the name, with one that it can; empty when it can."""
    try:
        check_name(name)
    except DatasetError as error:
        usable = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")
        return f"{error}" + (f" Possible: {usable}" if usable else "")
    return ""


def _check(settings: Settings, asked: Asked) -> None:
    """Raise ImportRefused or NotAllowed for what can be known before the source is read."""
    settings.require_trainer("import datasets")
    if not asked.name:
        raise ImportRefused("Give the dataset a name.")
    if bool(asked.archive) == bool(asked.path):
        raise ImportRefused("Give either an archive or a path.")
    check_name_free(asked.name, asked.options["replace"])


def _is_archive(asked: Asked) -> bool:
    return bool(asked.archive) or asked.path.lower().endswith(".zip")


def _look(settings: Settings, asked: Asked, upload: UploadedFile | None) -> ImportPreview:
    """What the source holds. Raises ImportRefused."""
    source = _source(settings, asked, upload)
    options = {key: asked.options[key] for key in ("columns", "encoding", "links") if key in asked.options}
    try:
        found = preview_import(source, **options)
    finally:
        if asked.archive:
            source.unlink()
    check_classes(found.classes, "the archive" if asked.archive else source.name, found.problems)
    return found


def _start(settings: Settings, asked: Asked, upload: UploadedFile | None) -> None:
    """Begin the import; the form drops an archive that was uploaded for it when it is drawn next."""
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
    """The path that was given, or a copy of the uploaded archive."""
    if not asked.archive:
        return Path(asked.path)
    assert upload is not None
    return _keep_upload(settings, upload)


def _keep_upload(settings: Settings, upload: UploadedFile) -> Path:
    """Write an uploaded archive to disk under a name of ours: the visitor's is never trusted."""
    path = imports.uploads(settings) / f"{uuid4().hex}.zip"  # each import has a copy, which ends with it
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


@guard.fragment(run_every=LIVE_S)
def _under_way(settings: Settings) -> None:
    jobs = imports.jobs(settings)
    running = {job_id for job_id, job in jobs.items() if job.state == imports.RUNNING}
    before = st.session_state.get("imports-running", set())
    st.session_state["imports-running"] = running
    if before - running:
        st.rerun()  # the list of datasets has changed
    for job_id, job in jobs.items():
        with st.container(horizontal=True, vertical_alignment="center"):
            if job.state == imports.RUNNING:
                _progress(job)
                if st.button("Cancel", key=f"cancel-{job_id}", icon=":material/stop_circle:"):
                    imports.cancel(settings, job_id)
                continue
            show = {imports.DONE: st.success, imports.CANCELLED: st.info}.get(job.state, st.error)
            show(f"{words.plain(job.name)}: {words.plain(job.message)}")
            if st.button("Dismiss", key=f"dismiss-{job_id}", icon=":material/close:"):
                imports.dismiss(settings, job_id)
                st.rerun(scope="fragment")


def _progress(job: imports.ImportJob) -> None:
    name = words.plain(job.name)
    if not job.path:
        st.progress(0.0, text=f"preparing {name}: downloading, or reading what Keras keeps")
        return
    share = job.done / job.total if job.total else 0.0
    left = f" · {duration(job.remaining_s)} left" if job.done else ""
    st.progress(share, text=f"importing {name}: {job.done:,} of {job.total:,} images{left}")
