"""The Queue page: what runs, what waits, and when it starts."""
