"""Prediction, and all else that needs Keras outside training, in one long-lived process of its own.

The dashboard and the command line speak to it through `core.inference.client` and never import Keras.
"""
