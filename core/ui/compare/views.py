"""Named views of the Compare page: addresses that are kept for everybody who uses this installation."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from core.config import ConfigError
from core.system.files import parse_object, write_whole
from core.system.settings import get_settings
from core.ui.common import guard, words
from core.ui.common.actions import may_change

FILE = "views.json"
LONGEST, MOST = 80, 100  # characters of a name; views


def views() -> None:
    """Draw the menu of the kept views: each is opened in a new tab; the present one is kept under a name."""
    kept = read()
    if not kept and not may_change():
        return
    with st.popover("Views", icon=":material/bookmarks:"):
        for name, query in kept.items():
            left, right = st.columns([5, 1])
            left.link_button(words.plain(name), f"?{query}", width="stretch")
            if may_change() and right.button(
                "", key=f"forget {name}", icon=":material/close:", help=f"Forget {words.plain(name)}"
            ):
                with guard.show_errors():
                    save({one: said for one, said in read().items() if one != name})
                    st.rerun()
        if may_change():
            with st.form("keep view", border=False, clear_on_submit=True):
                name = st.text_input(
                    "Keep this view as", placeholder="ResNets on CIFAR-10", max_chars=LONGEST
                )
                if st.form_submit_button("Keep"):
                    with guard.show_errors():
                        keep(name, urlencode(_pairs()))
                        st.rerun()


def _pairs() -> list[tuple[str, str]]:
    return [(key, value) for key in st.query_params for value in st.query_params.get_all(key)]


def read() -> dict[str, str]:
    """Return the kept views: their queries by name. A file that cannot be read counts as empty."""
    try:
        found = parse_object(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {name: query for name, query in found.items() if isinstance(query, str)}


def keep(name: str, query: str) -> None:
    """Keep a view under a name, in place of an earlier one of that name. Raises NotAllowed, ConfigError."""
    name = " ".join(name.split())
    if not 0 < len(name) <= LONGEST:
        raise ConfigError(f"The name of a view has 1 to {LONGEST} characters, not {len(name)}.")
    kept = read() | {name: query}
    if len(kept) > MOST:
        raise ConfigError(f"{MOST} views are kept already: forget one first.")
    save(kept)


def save(kept: dict[str, str]) -> None:
    """Write all views. Raises NotAllowed on a read-only server, and an OSError of the disk."""
    get_settings().require_trainer("keep a view")
    write_whole(_path(), json.dumps(kept, indent=1, ensure_ascii=False))


def _path() -> Path:
    return get_settings().home / FILE
