"""The files of a version in all formats, each checked against the original before it is offered."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import streamlit as st

from core.exporting.client import Exported, NotExported, found_export, kept_export
from core.exporting.formats import FORMATS, Format
from core.tracking.registered import Version
from core.tracking.store import RunStore
from core.ui.common import stored_runs, words
from core.ui.common.actions import may_change

GONE = "The file was deleted meanwhile, to make room for others: make it again."
REFUSED = "refused exports"  # key of the session: sentences by run and format


def downloads(store: RunStore, version: Version) -> None:
    """Draw one row per format: what it is, its check, and its download or the button that makes it."""
    if not version.run_id or stored_runs.find(version.run_id) is None:
        return
    st.subheader("Take it away")
    st.caption(
        "Each file is made once, in a process of its own, and answers for test images as the original does "
        "before it is offered; in 8 bits it may lose up to five points of accuracy, and the script is not "
        "run. Making one takes ten to thirty seconds."
    )
    missing = []
    for one in FORMATS.values():
        try:
            made = found_export(store, version.run_id, one.name)
        except FileNotFoundError as error:
            st.error(words.plain(str(error)), icon=":material/error:")
            return
        if made is None and not may_change():
            missing.append(one.label)
            continue
        with st.container(border=True):
            _row(store, version, one, made)
    if missing:
        st.caption(f"Not made yet: {', '.join(missing)}.")


def _row(store: RunStore, version: Version, one: Format, made: Exported | None) -> None:
    refused = st.session_state.setdefault(REFUSED, {})
    key = version.run_id, one.name
    left, right = st.columns([3, 1], vertical_alignment="center")
    left.markdown(f"**{one.label}**")
    left.caption(words.plain(one.tells))
    if made is not None:

        def content() -> bytes:  # called at the click, outside the page
            try:
                return _content(made.path)
            except FileNotFoundError:
                refused[key] = GONE
                raise

        for sentence in made.report.sentences:
            left.caption(f":material/check: {words.plain(sentence)}")
        right.download_button(
            "Download",
            content,
            file_name=_file_name(version, made.path),
            icon=":material/download:",
            on_click="ignore",
            key=f"download-{one.name}",
            width="stretch",
        )
        return
    if key in refused:
        left.error(words.plain(refused[key]), icon=":material/block:")
    if right.button("Make it", key=f"make-{one.name}", icon=":material/build:", width="stretch"):
        refused.pop(key, None)
        with st.spinner("Exporting and comparing"):
            try:
                kept_export(store, version.run_id, one.name)
            except NotExported as error:
                refused[key] = str(error)
        st.rerun()


def _content(path: Path) -> bytes:
    """The bytes of a file, or of a zip of a folder, whole. Raises FileNotFoundError."""
    if path.is_file():
        return path.read_bytes()
    buffer, files = io.BytesIO(), sorted(path.rglob("*"))
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, Path(path.name) / file.relative_to(path))
    if not files or not all(file.exists() for file in files):
        raise FileNotFoundError(GONE)
    return buffer.getvalue()


def _file_name(version: Version, path: Path) -> str:
    name = "-".join(version.name.split())
    return f"{name}-{version.number}-{path.name}{'.zip' if path.is_dir() else ''}"
