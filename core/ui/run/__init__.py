"""The Run page: a run while it trains, its results, and what can be done with it."""
