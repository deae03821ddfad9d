"""Models of finished runs in the formats that others use, each checked against the original.

What converts needs Keras and TensorFlow and runs in a process of its own, `python -m core.exporting`; the
dashboard and the command line use `client`, `formats` and `messages`, which import neither.
"""
