"""Pure functions on the frames that runs left behind."""
