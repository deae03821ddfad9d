"""What a person should know about a dataset, and what can be done; no file of theirs is ever touched."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.datasets import PARTS, DatasetError, DatasetInfo, ImageDataset, curate, findings
from core.datasets.duplicates import near_duplicates
from core.datasets.findings import LEAVE_OUT, MERGE, ONE_PART, Finding
from core.settings import NotAllowed, Settings, get_settings
from core.ui import reads, words
from core.ui.images import image_grid

SHOWN = 20
IMAGES_SHOWN = 6
NEAR = "near-duplicates"


def findings_panel(info: DatasetInfo) -> None:
    """Imbalance, problems, and every finding with its actions; near duplicates on demand."""
    st.subheader("What is in it")
    dataset = reads.dataset(info.name)
    found = _look(get_settings(), info.name, info.fingerprint)
    st.markdown(words.plain(found[-1].sentence))
    near = _near(info)
    _edits(info)
    found = [*(one for one in near if one.serious), *found[:-1], *(one for one in near if not one.serious)]
    found = [one for one in found if one.kind != "not imported"]
    if not found:
        st.success(
            "Nothing else to say: no duplicates, no suspicious classes or sizes.", icon=":material/check:"
        )
    for position, finding in enumerate(found[:SHOWN]):
        _finding(info, dataset, finding, position)
    if len(found) > SHOWN:
        st.caption(f"The first {SHOWN} of {len(found):,}; act on these, and the next ones come up.")
    _problems(info)


@st.cache_data(max_entries=8, show_spinner=False)
def _look(settings: Settings, name: str, fingerprint: str) -> list[Finding]:
    return findings.look(reads.dataset(name))


@st.cache_data(max_entries=8, show_spinner="Comparing all images")
def _look_near(settings: Settings, name: str, fingerprint: str) -> list[Finding]:
    return findings.duplicate_findings(reads.dataset(name), near_duplicates(name))


def _near(info: DatasetInfo) -> list[Finding]:
    """Findings about images that look the same, once somebody asked for them."""
    wanted = st.session_state.setdefault(NEAR, set())
    if info.name not in wanted and st.button("Look for near duplicates", icon=":material/content_copy:"):
        wanted.add(info.name)
    if info.name not in wanted:
        return []
    near = _look_near(get_settings(), info.name, info.fingerprint)
    across = sum(one.serious for one in near)
    st.caption(f"{len(near):,} groups of images look the same, {across:,} of them across parts or classes.")
    return near


def _edits(info: DatasetInfo) -> None:
    from core.datasets import edits, store

    changed = store.exists(info.name) and edits.read(store.folder_of(info.name))
    if changed and st.button("Undo all changes", icon=":material/undo:"):
        _act(lambda: curate.undo_all(info.name))


def _finding(info: DatasetInfo, dataset: ImageDataset, finding: Finding, position: int) -> None:
    with st.container(border=True):
        text, buttons = st.columns([3, 2], vertical_alignment="center")
        icon = ":red[:material/error:]" if finding.serious else ":material/info:"
        text.markdown(f"{icon} {words.plain(finding.sentence)}")
        if finding.rows:
            rows = finding.rows[:IMAGES_SHOWN]
            captions = [
                f"{PARTS[dataset.parts[row]]}: {dataset.source_names[row]}, "
                f"{info.classes[dataset.labels[row]]}"
                for row in rows
            ]
            image_grid([dataset.images[row] for row in rows], captions)
            if len(finding.rows) > len(rows):
                st.caption(f"{len(rows)} of {len(finding.rows):,} shown.")
        with buttons.container(horizontal=True, horizontal_alignment="right"):
            for action in finding.actions:
                label, do = _action(info, finding, action)
                if st.button(label, key=f"{action}-{position}-{finding.kind}"):
                    _act(do)


def _action(info: DatasetInfo, finding: Finding, action: str) -> tuple[str, Callable[[], object]]:
    """The words on the button and what it does."""
    rows = list(finding.rows)
    if action == MERGE:
        one, other = finding.classes
        label = f"Count {words.plain(one)} as {words.plain(other)}"
        return label, lambda: curate.merge_classes(info.name, one, other)
    if action == ONE_PART:
        return "Put them in one part", lambda: curate.put_in_one_part(info.name, rows)
    assert action == LEAVE_OUT
    if "duplicate" in finding.kind:  # one of them stays: of those that test, if any
        dataset = reads.dataset(info.name)
        kept = max(rows, key=lambda row: (dataset.parts[row], -row))
        return "Keep one, leave out the others", lambda: curate.leave_out(
            info.name, [row for row in rows if row != kept]
        )
    return "Leave out", lambda: curate.leave_out(info.name, rows)


def _act(do: Callable[[], object]) -> None:
    try:
        do()
    except (DatasetError, NotAllowed) as error:
        st.error(words.plain(str(error)), icon=":material/block:")
    else:
        st.rerun()


def _problems(info: DatasetInfo) -> None:
    if info.problems:
        with st.expander(f"Not imported: {len(info.problems):,}", icon=":material/warning:"):
            st.dataframe(
                {
                    "file": [one.name for one in info.problems],
                    "reason": [one.reason for one in info.problems],
                },
                hide_index=True,
            )
