"""Import Keras faster, without packages that it imports and this program does not use."""

from __future__ import annotations

import importlib
import sys

# Keras imports them for plots and for its scikit-learn wrappers, where they are installed. Without them
# `import keras` takes about a third less time: 2.5 to 3.5 s instead of 3.8 to 6 s on two cores.
UNUSED = ("matplotlib", "sklearn")


def import_keras() -> None:
    """Import Keras. The packages that were hidden from it can be imported afterwards as usual."""
    hidden = [name for name in UNUSED if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # an import of it then raises ImportError
    try:
        importlib.import_module("keras")
    finally:
        for name in hidden:
            del sys.modules[name]
