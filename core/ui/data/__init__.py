"""The Data page: datasets, their findings and edits, and imports."""
