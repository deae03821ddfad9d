"""The Architectures page: cards, costs, and one model in full."""
