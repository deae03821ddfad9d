"""The Overview: the newest runs in tables."""
