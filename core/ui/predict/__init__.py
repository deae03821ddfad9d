"""The Predict page: images in, predictions out."""
