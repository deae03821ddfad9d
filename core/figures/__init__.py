"""One plot per file: `collect` gathers the data into a small record, `draw` draws it."""
