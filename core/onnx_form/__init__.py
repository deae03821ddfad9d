"""Models as ONNX files: made from a Keras model, checked against it, and answered from without Keras.

`convert` and `check` import Keras; `session` imports onnxruntime alone.
"""
