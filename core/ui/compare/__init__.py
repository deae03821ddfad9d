"""The Compare page: tables and curves of chosen runs."""
