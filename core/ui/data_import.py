"""How another dataset comes in: a form, downloads, and what is under way."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import streamlit as st

from core.datasets.decode import POLICIES
from core.datasets.request import ImportRefused, parse_columns, parse_range
from core.jobs import imports
from core.settings import NotAllowed, Settings
from core.ui import reads, words

LIVE_S = 1.0
CHANNELS = {"as the images are": None, "grey": 1, "colour": 3}


def import_panel(settings: Settings) -> None:
    """The form of an import, the known datasets that can be downloaded, and what is under way.

    A visitor who may only look sees none of it.
    """
    if settings.role != "trainer":
        return
    with st.expander("Import images", icon=":material/add_photo_alternate:"):
        st.caption(
            "A folder or a zip with a folder for each class, with or without train, validation and test "
            "above; or with a table (CSV or Parquet) of files and labels; or Parquet with images inside. "
            "Where no test part is given, one is held out now and never chooses anything."
        )
        _form(settings)
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


def _form(settings: Settings) -> None:
    with st.form("import", border=False):
        name = st.text_input("Name of the dataset", placeholder="flowers", max_chars=64)
        archive, folder = st.columns(2)
        upload = archive.file_uploader("A zip archive", type="zip")
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
            help="Leave it empty when the source brings a test part.",
        )  # fmt: skip
        fit = policy.selectbox(
            "Made to fit by", POLICIES, help="Stretch; pad: fit inside; crop: cover and cut."
        )
        channels = colour.selectbox("Channels", CHANNELS)
        one, other, table, values = st.columns([3, 3, 5, 3])
        mirrored = one.text_input("Mirror this class", help="Its images are flipped left to right …")
        counted = other.text_input("and count it as this class", help="… and counted in this one.")
        columns = table.text_input(
            "Columns of a table", placeholder="image=path, label=kind, group=patient",
            help="Only where they are called otherwise than usual: image, label, part, group.",
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
        if not st.form_submit_button("Import", icon=":material/upload:"):
            return
    try:
        options: dict[str, Any] = {"policy": fit, "replace": replaces, "channels": CHANNELS[channels]}
        options |= {"size": pixels} if pixels else {}
        options |= {"test_fraction": test} if test else {}
        options |= {"links": [links.strip()]} if links.strip() else {}
        options["value_range"] = parse_range(value_range)
        options |= {"keep_together": "near"} if near else {}
        options["columns"] = parse_columns(part for part in columns.split(",") if part.strip())
        if bool(mirrored.strip()) != bool(counted.strip()):
            raise ImportRefused("To mirror a class, name both it and the class that it is counted as.")
        options["mirror"] = (mirrored.strip(), counted.strip()) if mirrored.strip() else None
        _start(settings, name.strip(), upload, path.strip(), options)
    except (ImportRefused, NotAllowed) as error:
        st.error(words.plain(str(error)), icon=":material/block:")


def _start(settings: Settings, name: str, upload: Any, path: str, options: dict[str, Any]) -> None:
    if not name:
        raise ImportRefused("Give the dataset a name.")
    if (upload is None) == (not path):
        raise ImportRefused("Give either an archive or a path.")
    settings.require_trainer("import datasets")
    source = Path(path) if upload is None else _keep_upload(settings, upload)
    imports.start(settings, name, source, upload is not None, options)


def _keep_upload(settings: Settings, upload: Any) -> Path:
    """Write an uploaded archive to disk under a name of ours: the visitor's is never trusted."""
    path = imports.uploads(settings) / f"{uuid4().hex}.zip"  # each import has a copy, which ends with it
    path.write_bytes(upload.getbuffer())
    return path


@st.fragment(run_every=LIVE_S)
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
    left = f" · {words.duration(job.remaining_s)} left" if job.done else ""
    st.progress(share, text=f"importing {name}: {job.done:,} of {job.total:,} images{left}")
