"""CIFAR-10 and CIFAR-100: 60,000 colour photographs of 32×32 pixels, 50,000 to train and 10,000 to test.

Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. No licence is stated; the
authors ask to cite that report.
"""

from __future__ import annotations

from core.datasets import datasets
from core.datasets.keras_source import keras_source

LICENCE = "None stated; cite Krizhevsky, 2009"
CIFAR10 = "airplane automobile bird cat deer dog frog horse ship truck"
CIFAR100 = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel
can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur
dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion
lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree
pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea
seal shark shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank
telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""

datasets.register(
    keras_source(
        name="cifar10",
        title="CIFAR-10",
        description="60,000 photographs of 32×32 pixels: ten kinds of animals and vehicles.",
        licence=LICENCE,
        shape=(32, 32, 3),
        classes=tuple(CIFAR10.split()),
        counts={"train": 5000, "test": 1000},
        file="cifar-10-python.tar.gz as cifar-10-batches-py-target_archive",
    )
)
datasets.register(
    keras_source(
        name="cifar100",
        title="CIFAR-100",
        description="60,000 photographs of 32×32 pixels: a hundred kinds of things, 600 each.",
        licence=LICENCE,
        shape=(32, 32, 3),
        classes=tuple(CIFAR100.split()),
        counts={"train": 500, "test": 100},
        file="cifar-100-python.tar.gz as cifar-100-python-target_archive",
    )
)
