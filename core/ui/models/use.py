"""Code that uses a version, to be copied."""

from __future__ import annotations

import streamlit as st

from core.exporting.usage import usage
from core.inference.logged_images import logged_images
from core.system.redaction import redact
from core.tracking.errors import DamagedArtifact
from core.tracking.registered import Version
from core.tracking.run_state import UnknownRun
from core.tracking.store import RunStore
from core.ui.common.actions import may_change

STORE = "address of the tracking store"


def code_to_use(store: RunStore, version: Version) -> None:
    """Draw code for Python, MLflow's server and curl."""
    try:
        images = logged_images(store, version.run_id) if version.run_id else None
    except (FileNotFoundError, DamagedArtifact, UnknownRun):
        images = None
    if images is None:
        return
    st.subheader("Use it")
    place = redact(store.uri) if may_change() else STORE  # a visitor does not learn paths of the server
    code = usage(version.name, version.number, place, images.shape, images.classes)
    python, serve, curl = st.tabs(["Python", "MLflow's server", "curl"])
    python.code(code.python, language="python")
    serve.code(code.serve, language="bash")
    curl.code(code.curl, language="bash")
    st.caption(
        "Needs mlflow, the packages in the model's requirements.txt, and Pillow. A model with layers that "
        "Keras lacks must import them first: its README says how, in the Keras download."
    )
