"""What several pages are made of: reads of the store, charts, fields, words."""
