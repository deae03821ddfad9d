"""Show the findings about a dataset, with their remedies; the user's files are never changed."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.config import DataConfig
from core.datasets import SUBSETS, DatasetInfo, ImageDataset, curate, findings, split_report
from core.datasets.duplicates import near_duplicates
from core.datasets.findings import GATHER, KEEP_ONE, LEAVE_OUT, MERGE, ONE_SET, Finding
from core.system.settings import Settings, get_settings
from core.ui.common import stored_datasets, words
from core.ui.common.actions import action_button, may_change
from core.ui.common.images import image_grid
from core.ui.data.edits import act, edits_panel

SHOWN = 20
IMAGES_SHOWN = 6
NEAR = "near-duplicates"


def findings_panel(info: DatasetInfo) -> None:
    """Draw class imbalance, problems, and every finding with its actions; near duplicates on demand."""
    st.subheader("Findings")
    dataset = stored_datasets.dataset(info.name)
    found = _look(get_settings(), info.name, info.fingerprint)
    st.markdown(words.plain(found[-1].sentence))
    _default_split(info)
    near = _near(info)
    edits_panel(info)
    found = [*(one for one in near if one.serious), *found[:-1], *(one for one in near if not one.serious)]
    found = [one for one in found if one.kind != "not imported"]
    if not found:
        st.success("No duplicates and no suspicious classes or sizes were found.", icon=":material/check:")
    for position, finding in enumerate(found[:SHOWN]):
        _finding(info, dataset, finding, position)
    if len(found) > SHOWN:
        st.caption(f"The first {SHOWN} of {len(found):,}; act on these, and the next ones come up.")
    _problems(info)


@st.cache_data(max_entries=8, show_spinner=False)
def _look(settings: Settings, name: str, fingerprint: str) -> list[Finding]:
    return findings.find_all(stored_datasets.dataset(name))


@st.cache_data(max_entries=8, show_spinner=False)
def _spare_copies(settings: Settings, name: str, fingerprint: str) -> set[int]:
    return set(curate.spare_copies(stored_datasets.dataset(name)))


@st.cache_data(max_entries=8, show_spinner="Comparing all images")
def _look_near(settings: Settings, name: str, fingerprint: str) -> list[Finding]:
    return findings.duplicate_findings(stored_datasets.dataset(name), near_duplicates(name))


def _near(info: DatasetInfo) -> list[Finding]:
    """Draw findings about images that look the same, once they were requested."""
    wanted = st.session_state.setdefault(NEAR, set())
    if info.name not in wanted and st.button("Look for near duplicates", icon=":material/content_copy:"):
        wanted.add(info.name)
    if info.name not in wanted:
        return []
    near = _look_near(get_settings(), info.name, info.fingerprint)
    across = sum(one.serious for one in near)
    st.caption(f"{len(near):,} groups of images look the same, {across:,} of them across sets or classes.")
    return near


def _default_split(info: DatasetInfo) -> None:
    """Describe the split of a run with the default validation fraction; None if there is nothing to say."""
    try:
        report = split_report.report_of(info.name, info.fingerprint, DataConfig(name=info.name))
    except ValueError:
        return  # no image to train on, which is a finding
    for sentence in report.notes:
        st.caption(words.plain(f"With the default validation fraction: {sentence}"))


def _finding(info: DatasetInfo, dataset: ImageDataset, finding: Finding, position: int) -> None:
    with st.container(border=True):
        text, buttons = st.columns([3, 2], vertical_alignment="center")
        icon = ":red[:material/error:]" if finding.serious else ":material/info:"
        text.markdown(f"{icon} {words.plain(finding.sentence)}")
        kept = None
        if _is_copy(finding) and may_change():
            kept = _choose_kept(dataset, finding, position)
        if finding.rows:
            rows = finding.rows[:IMAGES_SHOWN]
            stay: set[int] = set() if kept is None else {kept}
            if KEEP_ONE in finding.actions:
                stay = set(rows) - _spare_copies(get_settings(), info.name, info.fingerprint)
                text.caption(
                    "Of copies with one label the one in the test set stays, else the one in the validation "
                    "set, else the first. Copies under different labels all stay."
                )
            captions = [f"{image_name(dataset, row)}{' (stays)' if row in stay else ''}" for row in rows]
            image_grid([dataset.images[row] for row in rows], captions)
            if len(finding.rows) > len(rows):
                st.caption(f"{len(rows)} of {len(finding.rows):,} shown.")
        with buttons.container(horizontal=True, horizontal_alignment="right"):
            for action in finding.actions:
                key = f"{action}-{position}-{finding.kind}"
                if action == LEAVE_OUT and _is_copy(finding):
                    _keep_one(info, finding, kept, key)
                    continue
                label, do = _action(info, finding, action)
                if action_button(label, key=key):
                    act(do)


def image_name(dataset: ImageDataset, row: int) -> str:
    """Return an image's set, file and class as text."""
    label = dataset.labels[row]
    name = dataset.info.classes[label] if label >= 0 else "no class"
    subset = dataset.subsets[row]
    return f"{SUBSETS[subset] if subset >= 0 else 'left out'}: {dataset.source_names[row]}, {name}"


def _is_copy(finding: Finding) -> bool:
    return finding.kind in ("duplicate", "near duplicate")


def _choose_kept(dataset: ImageDataset, finding: Finding, position: int) -> int | None:
    """Let the user choose which of several copies is kept; None until one is chosen.

    If the labels agree, one of the test set is the default. If not, there is no default: one label is wrong,
    and only a person can decide which.
    """
    rows = list(finding.rows)
    proposed = None if finding.labels else rows.index(curate.kept_of(dataset, rows))
    return st.selectbox(
        "Which one stays" if not finding.labels else "Which one has the right label and stays",
        rows,
        index=proposed,
        format_func=lambda row: image_name(dataset, row),
        key=f"kept-{finding.kind}-{rows[0]}-{len(rows)}",
        placeholder="Choose the image that stays",
    )


def _keep_one(info: DatasetInfo, finding: Finding, kept: int | None, key: str) -> None:
    others = [row for row in finding.rows if row != kept]
    label = f"Keep the chosen one, leave out {'the other' if len(others) == 1 else f'{len(others)} others'}"
    if kept is None:
        label = "Keep the chosen one, leave out the rest"
    if action_button(label, key=key, disabled=kept is None):
        act(lambda: curate.leave_out(info.name, others))
    if finding.labels and action_button("Leave out all of them", key=f"{key}-all"):
        act(lambda: curate.leave_out(info.name, finding.rows))


def _action(info: DatasetInfo, finding: Finding, action: str) -> tuple[str, Callable[[], object]]:
    """Return the label of a button and its action."""
    rows = list(finding.rows)
    if action == MERGE:
        one, other = finding.classes
        label = f"Count {words.plain(one)} as {words.plain(other)}"
        return label, lambda: curate.merge_classes(info.name, one, other)
    if action == ONE_SET:
        return "Put them in one set", lambda: curate.put_in_one_set(info.name, rows)
    if action == GATHER:
        what = "group" if finding.kind.startswith("group") else "image with its copies"
        return f"Put each {what} in one set", lambda: curate.gather(info.name)
    if action == KEEP_ONE:
        return "Keep one of each where the labels agree", lambda: curate.keep_one_of_each(info.name)
    assert action == LEAVE_OUT
    return "Leave out", lambda: curate.leave_out(info.name, rows)


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
