"""Optimizers, learning-rate schedules, preprocessings and losses: registries of which one entry is one file.

An entry has its formula or the Keras class that it builds, its settings with ranges and defaults, and its
words. The config, the Train form, the command line and docs/training.md follow from the entries. Importing
them does not import Keras.
"""

from core.components.settings import Component, Setting, Values, settings_of

__all__ = ["Component", "Setting", "Values", "settings_of"]
