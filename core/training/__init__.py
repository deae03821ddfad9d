"""Training and evaluation of one run, in a process of its own."""
