"""MNIST and Fashion-MNIST: 70,000 grey images of 28×28 pixels in ten classes each.

Sources: LeCun, Cortes, Burges, "The MNIST database of handwritten digits", 1998 (CC BY-SA 3.0; 60,000 train,
10,000 test). Xiao, Rasul, Vollgraf, "Fashion-MNIST", arXiv 1708.07747 (MIT; 60,000 train, 10,000 test).
"""

from __future__ import annotations

from dataclasses import replace

from core.datasets import datasets
from core.datasets.keras_source import keras_source

datasets.register(
    replace(
        keras_source(
            name="mnist",
            title="MNIST",
            description="70,000 handwritten digits of 28×28 pixels, white on black.",
            licence="CC BY-SA 3.0",
            shape=(28, 28, 1),
            classes=tuple("0123456789"),
            counts={},
            file="mnist.npz",
        ),
        counts={
            "train": (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
            "validation": (0,) * 10,
            "test": (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
        },
    )
)
datasets.register(
    keras_source(
        name="fashion_mnist",
        title="Fashion-MNIST",
        description="70,000 pieces of clothing of 28×28 pixels, white on black.",
        licence="MIT",
        shape=(28, 28, 1),
        classes=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
        counts={"train": 6000, "test": 1000},
        file="its four files (train-images-idx3-ubyte.gz and so on)",
        subfolder="datasets/fashion-mnist",
    )
)
