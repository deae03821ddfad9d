"""What the Studies page is made of: recipes, sweeps and searches."""
