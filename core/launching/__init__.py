"""From a config to a run in the queue: checks, groups of runs, extensions."""
