"""Keras without what it imports and we do not use; what was hidden from it can be had afterwards."""

from __future__ import annotations

import subprocess
import sys

import pytest

from core.system.settings import PROGRAM

pytestmark = pytest.mark.engine

CODE = """
import sys
from core.system.fast_keras_import import UNUSED, import_keras
import_keras()
assert "keras" in sys.modules
assert not [name for name in UNUSED if name in sys.modules], sys.modules
import matplotlib, sklearn
print(matplotlib.__name__, sklearn.__name__)
"""


def test_hidden_packages_come_back() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", CODE], cwd=PROGRAM, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "matplotlib sklearn"
