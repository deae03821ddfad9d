"""ArchLab: train, compare and demonstrate convolutional architectures."""
