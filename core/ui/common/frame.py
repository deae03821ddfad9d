"""The frame of every page: title, navigation, state of queue and device, role."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from core.inference.process import ensure, inference_of, onnx_inference_of
from core.jobs.worker import worker_of
from core.system import devices, gpu_check, nvidia
from core.system.redaction import redact, redact_logs
from core.system.settings import LOW_DISK, PROGRAM, Settings, SettingsError, get_settings
from core.tracking import schema
from core.tracking.errors import fault_of
from core.tracking.store import RunStore, get_store
from core.ui.common import guard, stored_runs, uploads, words

OVERVIEW = ("streamlit_app.py", "Overview", ":material/space_dashboard:")
LIVE_S = 2.0
OLD_S = 5.0  # runs that are older are said to be
STYLE, BARE = (Path(__file__).with_name(f"{name}.css") for name in ("style", "bare"))
_title_place: ContextVar[Any] = ContextVar("title_place")  # of the page that this thread draws
ICON = str(Path(__file__).with_name("icon.svg"))  # a named icon would be fetched from the internet


@contextmanager
def open_page(title: str, subtitle: str, *, bare: bool = False) -> Iterator[RunStore]:
    """Draw the frame and yield the store; everything else of a page is inside this context.

    It is the page's error boundary: while the store does not answer a sentence says so, and the page runs
    again once it does. Starts the prediction process, and a worker where training is allowed. When the home
    cannot be written the page ends here with a sentence.

    Args:
        bare: Without navigation, state of the machine and Streamlit's header: a page for a screen of its own.
    """
    redact_logs()
    st.set_page_config(page_title=f"{title} · ArchLab", page_icon=ICON, layout="wide")
    st.html(STYLE)
    if bare:
        st.html(BARE)
    uploads.begin_page()
    try:
        settings = get_settings()
        _keep_processes(settings)
    except (SettingsError, OSError) as error:
        if not guard.is_unusable(error):
            raise
        st.title(title)
        guard.wait_for_disk(error, lambda: _keep_processes(get_settings()))
        st.stop()
    if not bare:
        _sidebar(settings)
    place = st.empty()
    place.title(title)
    _title_place.set(place)
    st.caption(subtitle)
    store: RunStore | None = None
    with guard.show_errors(returns=True):
        store = get_store()
    if store is None:
        st.stop()
    with guard.show_errors(returns=True):
        yield store
    uploads.end_page()


def _sidebar(settings: Settings) -> None:
    with st.sidebar:
        st.markdown("### ArchLab")
        for path, label, icon in navigation():
            st.page_link(path, label=label, icon=icon, width="stretch")
        st.divider()
        _machine_state(settings)
        if settings.role != "trainer":
            st.badge("read-only", icon=":material/visibility:", color="gray")


def retitle(title: str) -> None:
    """Replace the heading of the page that is open, as by the name of what it shows. title: plain text."""
    _title_place.get().title(words.plain(title))


def _keep_processes(settings: Settings) -> None:
    """Start worker and prediction processes ahead, unless the settings save that memory.

    Raises SettingsError, or an OSError of the disk, when the home is not writable.
    """
    settings.check_writable()
    if settings.starts_ahead:
        _keep_worker(settings)
        for daemon in (onnx_inference_of(settings), inference_of(settings)):
            ensure(daemon)


def _keep_worker(settings: Settings) -> None:
    """Start the worker unless it runs; not on a read-only server, which trains nothing."""
    if settings.role == "trainer":
        worker_of(settings).ensure()


@cache
def navigation() -> list[tuple[str, str, str]]:
    """Return path, label and icon of every page: a file in pages/ by its name and its `ICON`."""
    entries = [OVERVIEW]
    for path in sorted((PROGRAM / "pages").glob("[0-9]*_*.py")):
        label = path.stem.partition("_")[2].replace("_", " ")
        entries.append((f"pages/{path.name}", label, _icon(path)))
    return entries


def _icon(path: Path) -> str:
    """The module's `ICON`, read without running the page."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ICON":
            return ast.literal_eval(node.value)
    return ":material/web_asset:"


@guard.fragment(run_every=LIVE_S)
def _machine_state(settings: Settings) -> None:
    """Draw how many runs train and wait, and how busy the machine is; restart the worker should it die."""
    if settings.starts_ahead:
        _keep_worker(settings)
    try:
        states = [run.status for run in stored_runs.active() if run.is_ours]
        if states and not settings.starts_ahead:
            _keep_worker(settings)
        elsewhere = stored_runs.live_elsewhere()
    except Exception as error:
        if fault_of(error) is None:
            raise
        st.badge("store away", icon=":material/cloud_off:", color="red")  # the page itself says why
    else:
        running, waiting = states.count(schema.RUNNING), states.count(schema.SCHEDULED)
        with st.container(horizontal=True, gap="small"):
            st.badge(f"{running} running", color="blue" if running else "gray")
            st.badge(f"{waiting} queued", color="orange" if waiting else "gray")
            if elsewhere:
                st.badge(f"{len(elsewhere)} of other programs", color="gray", help=ELSEWHERE_HELP)
        if (age := stored_runs.age()) > OLD_S:
            st.caption(f"all runs read {age:.0f} s ago", help=AGE_HELP)
    if shutil.disk_usage(settings.home).free < LOW_DISK:
        st.badge("disk full", icon=":material/hard_drive:", color="red", help=FULL_HELP)
    machine, wrong = _machine()
    for part in machine.split(" · "):
        st.caption(redact(part))
    if wrong:
        st.warning(redact(wrong), icon=":material/memory_alt:")


FULL_HELP = (
    f"Less than {LOW_DISK >> 20} MiB are free where the program keeps its files. Running trainings continue; "
    "queued runs begin once there is room."
)
AGE_HELP = (
    "The store is a server. New, running and waiting runs, and what you change, are shown within a second or "
    "two; what others change on runs that have ended is shown when all runs have been read again."
)
ELSEWHERE_HELP = "Live runs that another program logs into this store. They are not in the queue."


@st.cache_data(ttl=LIVE_S, show_spinner=False)
def _machine() -> tuple[str, str | None]:
    """Read once for all visitors: it starts a process where there is a GPU."""
    wrong = nvidia.problem() or gpu_check.known(get_settings())
    return devices.summary(), wrong
