"""Layers that Keras lacks, registered for saving; importing this package makes every saved model loadable."""

import sys

from core.architectures.layers.auxiliary_model import AuxiliaryModel
from core.architectures.layers.euclidean_rbf import EuclideanRBF
from core.architectures.layers.local_response_normalization import LocalResponseNormalization
from core.architectures.layers.partially_connected_conv2d import PartiallyConnectedConv2D
from core.architectures.layers.scaled_residual import ScaledResidual
from core.architectures.layers.scaled_tanh import ScaledTanh
from core.architectures.layers.trainable_subsampling import TrainableSubsampling
from core.architectures.layers.zero_padded_shortcut import ZeroPaddedShortcut

__all__ = [
    "AuxiliaryModel",
    "EuclideanRBF",
    "LocalResponseNormalization",
    "PartiallyConnectedConv2D",
    "ScaledResidual",
    "ScaledTanh",
    "TrainableSubsampling",
    "ZeroPaddedShortcut",
]

# Keras traverses a functional model by recursion, one frame per layer, when it is built and when it is
# loaded. The deepest model here has 4,213 layers on its longest path; Python's limit of 1,000 refuses one
# of 302 layers.
sys.setrecursionlimit(max(sys.getrecursionlimit(), 20_000))
