"""Layers that Keras lacks, registered for saving; importing this package makes every saved model loadable."""

import sys

from core.architectures.layers.zero_padded_shortcut import ZeroPaddedShortcut

__all__ = ["ZeroPaddedShortcut"]

# Keras walks a functional net by recursion, a frame a layer, when it is built and when it is loaded. The
# deepest net here has 4,213 layers on its longest path; Python's own limit of 1,000 refuses a ResNet of 302.
sys.setrecursionlimit(max(sys.getrecursionlimit(), 20_000))
