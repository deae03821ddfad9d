"""One plot a file: a collector that gathers the data into a small record, and a drawer."""
