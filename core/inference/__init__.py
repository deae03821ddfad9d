"""The prediction process: everything that needs Keras outside training, in one long-lived process.

The dashboard and the command line send it requests with `core.inference.client` and never import Keras.
"""
