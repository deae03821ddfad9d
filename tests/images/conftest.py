"""The fixtures of `tests.support.photos`."""

from tests.support.photos import home, nothing_written, photos, photos_at, png

__all__ = ["home", "nothing_written", "photos", "photos_at", "png"]
