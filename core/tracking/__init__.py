"""The tracking store: the only truth about a run."""
