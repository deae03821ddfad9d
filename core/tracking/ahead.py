"""Imports MLflow before anything is logged, so that a process that comes later need not."""

from __future__ import annotations

import importlib

from core.system.settings import Settings
from core.tracking.connections import is_database


def import_mlflow(settings: Settings) -> None:
    """Import what a training needs of MLflow, and open no store.

    That takes one to two seconds of a processor, and 70 MiB.
    """
    importlib.import_module("mlflow")
    if is_database(settings.tracking_uri):
        importlib.import_module("mlflow.store.tracking.sqlalchemy_store")
