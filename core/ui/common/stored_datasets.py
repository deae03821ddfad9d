"""Cached reads of datasets, and the words for the version of one that runs were measured on."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import streamlit as st

from core import datasets
from core.analysis.basis import Basis
from core.analysis.evaluated_images import ImportOf
from core.datasets import Catalogue, DatasetInfo, ImageDataset
from core.datasets import store as stored
from core.system.settings import Settings, get_settings
from core.tracking import schema
from core.ui.common.kept import BY_HASH


def words_of_bases(bases: Sequence[Basis]) -> list[str]:
    """Return `basis_words` of each, with the fingerprint of its split where two would read alike."""
    told = [basis_words(basis) for basis in bases]
    return [
        f"{said}, split {min(basis.splits)[:8]}" if told.count(said) > 1 else said
        for basis, said in zip(bases, told, strict=True)
    ]


def basis_words(basis: Basis) -> str:
    """Describe the version and the split of a dataset that runs were measured on."""
    info = next((info for info in dataset_infos() if info.name == basis.dataset), None)
    if not basis.fingerprint:
        version = "dataset version not logged"
    elif info is not None and info.fingerprint == basis.fingerprint:
        version = "current version of the dataset"
    else:
        version = f"earlier version {basis.fingerprint[:8]} of the dataset"
    own = info is not None and info.fingerprint == basis.fingerprint and info.subset_size("validation")
    if own and "fold" not in basis.how:
        return f"{version}, its own validation set"
    return f"{version}, {basis.how}"


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs=BY_HASH)
def _dataset(settings: Settings, name: str, fingerprint: str) -> ImageDataset:
    return datasets.load(name)


def dataset(name: str) -> ImageDataset:
    """Return a dataset with its images mapped from disk."""
    return _dataset(get_settings(), name, datasets.info(name).fingerprint)


def same_dataset(name: str, fingerprint: str) -> ImageDataset | None:
    """Return the dataset of this name; None where it is removed, or no longer of that fingerprint."""
    try:
        found = dataset(name)
    except ValueError:
        return None
    return found if found.info.fingerprint == fingerprint else None


def same_images(name: str, fingerprint: str) -> ImageDataset | None:
    """Return the dataset of this name if it has the images of a version of it, whatever was edited since.

    Its labels, sets and classes may be others; rows are the same. None where it is removed or replaced.
    """
    try:
        return dataset(name) if stored.has_version(name, fingerprint) else None
    except ValueError:
        return None


def imports() -> ImportOf:
    """Return `core.datasets.store.import_of` for the datasets as they are now, quick to call often."""
    settings, state = get_settings(), stored.files_state()

    def import_of(name: str, fingerprint: str) -> str:
        return _import_of(settings, state, name, fingerprint)

    return import_of


@st.cache_resource(max_entries=512, show_spinner=False, hash_funcs=BY_HASH)
def _import_of(settings: Settings, state: Hashable, name: str, fingerprint: str) -> str:
    return stored.import_of(name, fingerprint)


def dataset_infos() -> list[DatasetInfo]:
    """Return the datasets that can be used now: imported, or shipped and prepared."""
    return [info for info in _catalogue().infos if info.prepared]


def damaged_datasets() -> dict[str, str]:
    """Return why datasets cannot be read, by name."""
    return _catalogue().damaged


def _catalogue() -> Catalogue:
    """All datasets, read again when a file of one has changed."""
    found = _catalogue_of(get_settings(), stored.files_state())
    if found.damaged:  # the reason may pass without a change of a file, as a full disk does
        _catalogue_of.clear()
    return found


@st.cache_resource(max_entries=4, show_spinner=False, hash_funcs=BY_HASH)
def _catalogue_of(settings: Settings, state: tuple[tuple[str, str, int, int, int], ...]) -> Catalogue:
    return datasets.catalogue()


def datasets_of_few_classes() -> list[str]:
    """Return the datasets with so few classes that a top-5 accuracy is always 1."""
    return [info.name for info in dataset_infos() if info.num_classes <= schema.TOP]


def unprepared() -> list[DatasetInfo]:
    """Return the built-in datasets that were not downloaded yet."""
    return [info for info in _catalogue().infos if not info.prepared]
