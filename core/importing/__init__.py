"""The import of images: which files and tables there are, what their labels are, and the new dataset."""
