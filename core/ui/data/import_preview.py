"""Show the classes that an import would make before it begins."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.images.name_encoding import Guess
from core.importing.preview import ImportPreview
from core.importing.request import ImportRefused
from core.system.settings import NotAllowed, Settings
from core.ui.common import words
from core.ui.data.import_request import Asked, preview_of, start

ASKED = "import-asked"  # in the session: an import that is shown before it begins


def import_preview(settings: Settings, upload: UploadedFile | None) -> None:
    """Draw what the import that was asked for holds, and the button that begins it.

    Args:
        settings: of this installation.
        upload: the archive that is in the form now.
    """
    asked: Asked | None = st.session_state.get(ASKED)
    if asked is None:
        return
    if asked.archive and (upload is None or upload.file_id != asked.archive):
        st.session_state.pop(ASKED)  # the archive was removed from the form, or replaced
        return
    try:
        found = preview_of(settings, asked, upload)
        if found.guess is not None and "encoding" not in asked.options:
            asked = replace(asked, options={**asked.options, "encoding": _encoding(found.guess)})
            found = preview_of(settings, asked, upload)
        _contents(asked.name, found)
        with st.container(horizontal=True):
            if st.button("Import these classes", icon=":material/upload:", type="primary"):
                start(settings, asked, upload)
                st.session_state.pop(ASKED)
                st.rerun()
            if st.button("Discard", icon=":material/close:"):
                st.session_state.pop(ASKED)
                st.rerun()
    except (ImportRefused, NotAllowed) as error:
        st.error(words.plain(str(error)), icon=":material/block:")


def _encoding(guess: Guess) -> str:
    """Draw the choice of an encoding of an archive's names, each with examples; returns the chosen one."""
    readings = ((guess.encoding, guess.examples), *guess.others)
    shown = {encoding: f"{encoding}: {', '.join(examples)}" for encoding, examples in readings}
    st.warning(
        "The archive does not say how its names are encoded. "
        "Choose the encoding in which the names look right.",
        icon=":material/translate:",
    )
    return st.selectbox(
        "Encoding of the names", list(shown), format_func=lambda name: shown[name], key="import-encoding"
    )


def _contents(name: str, found: ImportPreview) -> None:
    """Draw the classes with their counts, the notes, and one of the files that would not be imported."""
    st.markdown(f"**{words.plain(name)}**: {len(found.classes):,} classes, {found.size:,} images")
    subsets = {subset: counts for subset, counts in found.counts.items() if any(counts)}
    st.dataframe(
        pd.DataFrame({"class": found.classes, **subsets}),
        hide_index=True,
        height="content" if len(found.classes) < 8 else 280,
    )
    for note in found.notes:
        st.caption(words.plain(note))
    if found.problems:
        file, reason = found.problems[0]
        st.caption(words.plain(f"Not imported: {len(found.problems):,} files, as {file!r}, which {reason}."))
