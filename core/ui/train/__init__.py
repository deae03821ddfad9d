"""The Train page: the form, from widgets to configs."""
