"""Images from files of any kind: read, decoded within limits, and brought to one size. Knows no dataset."""
