"""The form that imports images, the datasets that can be downloaded, and the imports that run."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.images.target import POLICIES
from core.importing.request import ImportRefused
from core.jobs import imports
from core.system.settings import NotAllowed, Settings
from core.ui.common import stored_datasets, words
from core.ui.common.actions import may_change
from core.ui.common.uploads import uploader
from core.ui.data.import_preview import ASKED, import_preview
from core.ui.data.import_progress import import_progress
from core.ui.data.import_request import (
    ARCHIVES,
    CHANNELS,
    Asked,
    Filled,
    asked_for,
    check,
    is_archive,
    name_problem,
    preview_of,
    start,
)

MAX_ARCHIVE_MB = 1024  # larger ones are imported by their path on the server


def import_panel(settings: Settings) -> None:
    """Draw the import form, the known datasets that can be downloaded, and the progress of imports.

    A viewer sees none of it.
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
        import_preview(settings, upload)
    if known := stored_datasets.unprepared():
        with st.expander("Download a known dataset", icon=":material/download:"):
            for info in known:
                _offer(settings, info.name, info.title, info.description, info.licence)
    import_progress(settings)


def _offer(settings: Settings, name: str, title: str, description: str, licence: str) -> None:
    text, button = st.columns([5, 1], vertical_alignment="center")
    text.markdown(f"**{words.plain(title)}** — {words.plain(description)} {words.plain(licence)}")
    if button.button("Prepare", key=f"prepare-{name}", icon=":material/download:", width="stretch"):
        try:
            imports.start(settings, name, None, False, {})
        except NotAllowed as error:
            st.error(str(error), icon=":material/block:")


def _form(settings: Settings) -> UploadedFile | None:
    """Draw the form and do what its buttons ask for. Returns the archive in it."""
    name = st.text_input("Name of the dataset", placeholder="flowers", max_chars=64).strip()
    below = st.container()  # always there, so that the form keeps its place and what was filled in
    if name and (problem := name_problem(name)):
        below.error(words.plain(problem), icon=":material/block:")
    with st.form("import", border=False):
        filled = _fields()
        with st.container(horizontal=True):
            starts = st.form_submit_button("Import", icon=":material/upload:", type="primary")
            shows = st.form_submit_button("Preview", icon=":material/visibility:")
    if starts or shows:
        st.session_state.pop(ASKED, None)
        try:
            _submit(settings, asked_for(name, filled), filled, shows)
        except (ImportRefused, NotAllowed) as error:
            st.error(words.plain(str(error)), icon=":material/block:")
    return filled.upload


def _submit(settings: Settings, asked: Asked, filled: Filled, shows: bool) -> None:
    """Begin an import, or have it previewed. Raises ImportRefused, NotAllowed.

    Names in a guessed encoding are previewed in any case, so that nobody trains on garbled classes.
    """
    check(settings, asked)
    named = bool(filled.encoding) or not is_archive(asked)
    if shows or (not named and preview_of(settings, asked, filled.upload).guess):
        st.session_state[ASKED] = asked
        return
    start(settings, asked, filled.upload)
    if asked.archive:
        st.rerun()  # so that the form no longer has the archive


def _fields() -> Filled:
    """Draw the fields of the form and return their values."""
    archive, folder = st.columns(2)
    # Another widget after each import: an archive that was imported is not held in memory any longer.
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
    test_fraction = fraction.number_input(
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
    return Filled(
        upload=upload,
        encoding=encoding.strip(),
        path=path.strip(),
        links=links.strip(),
        pixels=pixels,
        test_fraction=test_fraction,
        policy=fit,
        channels=channels,
        mirrored=mirrored.strip(),
        counted=counted.strip(),
        columns=columns,
        value_range=value_range,
        near=near,
        replaces=replaces,
    )
