"""Layers that Keras lacks, registered for saving; importing this package makes every saved model loadable."""
