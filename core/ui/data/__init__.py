"""The Data page: datasets, what is known of them, and imports."""
