"""A comparison as one HTML file that is handed on: no server, no script, no network."""

from core.study.collect import study_of
from core.study.page import render

__all__ = ["render", "study_of"]
