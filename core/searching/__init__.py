"""Searches for good settings: Optuna proposes, the queue trains, the store remembers."""
