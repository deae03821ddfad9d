"""Statistics on what runs logged: pure functions on frames and `Run`s."""
