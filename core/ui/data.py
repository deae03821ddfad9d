"""The parts of the Data page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import streamlit as st

from core import datasets
from core.datasets import DatasetInfo
from core.datasets.decode import POLICIES
from core.figures import class_counts
from core.jobs import imports
from core.settings import NotAllowed, Settings
from core.ui import reads, words
from core.ui.images import image_grid

LIVE_S = 1.0
SAMPLES_A_CLASS = 6
MAX_CLASSES_SHOWN = 20


def choose_dataset() -> DatasetInfo:
    """A select box over the datasets; the choice stands in the URL."""
    infos = {info.name: info for info in reads.dataset_infos()}
    name = st.selectbox("Dataset", list(infos), key="dataset", bind="query-params")
    return infos[name]


def facts(info: DatasetInfo) -> None:
    """Size, classes, counts, and what was left out at the import."""
    height, width, channels = info.shape
    images, classes, pixels, test = st.columns(4)
    images.metric("Images", f"{info.size:,}")
    classes.metric("Classes", info.num_classes)
    pixels.metric("Pixels", f"{height}×{width}×{channels}")
    test.metric("Held out for testing", f"{sum(info.counts['test']):,}")
    if info.description:
        st.caption(info.description)
    for note in info.notes:
        st.caption(words.plain(note))
    st.plotly_chart(class_counts.draw(info.classes, info.counts))
    if info.problems:
        with st.expander(f"Not imported: {len(info.problems)}", icon=":material/warning:"):
            st.dataframe(
                {"file": [one.name for one in info.problems], "reason": [one.reason for one in info.problems]}
            )


def samples(info: DatasetInfo) -> None:
    """Some images of every class."""
    st.subheader("Samples")
    seed = st.session_state.setdefault("samples-seed", 0)
    if st.button("Others", icon=":material/casino:"):
        seed = st.session_state["samples-seed"] = seed + 1
    dataset = reads.dataset(info.name)
    for index, name in enumerate(info.classes[:MAX_CLASSES_SHOWN]):
        rows = datasets.sample(info.name, index, SAMPLES_A_CLASS, seed=seed)
        label, grid = st.columns([1, 8], vertical_alignment="center")
        label.markdown(f"**{words.plain(name)}**")
        with grid:
            image_grid([dataset.images[row] for row in rows], [""] * len(rows), size=72)
    if info.num_classes > MAX_CLASSES_SHOWN:
        st.caption(f"The first {MAX_CLASSES_SHOWN} of {info.num_classes} classes.")


def import_panel(settings: Settings) -> None:
    """The form of an import, and the imports under way; a visitor who may only look sees neither."""
    if settings.role != "trainer":
        return
    with st.expander("Import images", icon=":material/add_photo_alternate:"):
        st.caption(
            "A folder or a zip with a folder for each class, with or without train, validation and test "
            "above. Where no test part is given, one is held out now and never chooses anything."
        )
        _import_form(settings)
    _imports(settings)


def _import_form(settings: Settings) -> None:
    with st.form("import", border=False):
        name = st.text_input("Name of the dataset", placeholder="flowers", max_chars=64)
        archive, folder = st.columns(2)
        upload = archive.file_uploader("A zip archive", type="zip")
        path = folder.text_input("or a path on the server", placeholder="/data/flowers")
        size, fraction, policy = st.columns(3)
        pixels = size.number_input(
            "Size in pixels", min_value=0, value=0, step=8, help="0: the images' own, when all are alike."
        )
        test = fraction.number_input(
            "Held out for testing", min_value=0.01, max_value=0.9, value=0.15, step=0.05
        )
        fit = policy.selectbox(
            "Made to fit by", POLICIES, help="Stretch; pad: fit inside; crop: cover and cut."
        )
        replaces = st.checkbox("Replace a dataset of this name")
        if not st.form_submit_button("Import", icon=":material/upload:"):
            return
    options = {"test_fraction": test, "policy": fit, "replace": replaces} | (
        {"size": pixels} if pixels else {}
    )
    _start(settings, name.strip(), upload, path.strip(), options)


def _start(settings: Settings, name: str, upload: Any, path: str, options: dict[str, Any]) -> None:
    if not name:
        st.error("Give the dataset a name.", icon=":material/block:")
    elif (upload is None) == (not path):
        st.error("Give either an archive or a path.", icon=":material/block:")
    else:
        try:
            settings.require_trainer("import datasets")
            source = Path(path) if upload is None else _keep_upload(settings, upload)
            imports.start(settings, name, source, upload is not None, options)
        except NotAllowed as error:
            st.error(str(error), icon=":material/block:")


def _keep_upload(settings: Settings, upload: Any) -> Path:
    """Write an uploaded archive to disk under a name of ours: the visitor's is never trusted."""
    path = imports.uploads(settings) / f"{re.sub(r'[^A-Za-z0-9]', '', upload.file_id)[:64]}.zip"
    path.write_bytes(upload.getbuffer())
    return path


@st.fragment(run_every=LIVE_S)
def _imports(settings: Settings) -> None:
    jobs = imports.jobs(settings)
    running = {job_id for job_id, job in jobs.items() if job.state == imports.RUNNING}
    before = st.session_state.get("imports-running", set())
    st.session_state["imports-running"] = running
    if before - running:
        st.rerun()  # the list of datasets has changed
    for job_id, job in jobs.items():
        with st.container(horizontal=True, vertical_alignment="center"):
            if job.state == imports.RUNNING:
                share = job.done / job.total if job.total else 0.0
                left = f" · {words.duration(job.remaining_s)} left" if job.done else ""
                text = f"importing {words.plain(job.name)}: {job.done:,} of {job.total:,} images{left}"
                st.progress(share, text=text)
                if st.button("Cancel", key=f"cancel-{job_id}", icon=":material/stop_circle:"):
                    imports.cancel(settings, job_id)
                continue
            show = {imports.DONE: st.success, imports.CANCELLED: st.info}.get(job.state, st.error)
            show(f"{words.plain(job.name)}: {words.plain(job.message)}")
            if st.button("Dismiss", key=f"dismiss-{job_id}", icon=":material/close:"):
                imports.dismiss(settings, job_id)
                st.rerun(scope="fragment")
