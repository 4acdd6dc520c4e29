"""The hub in SQLite: one file, opened by one run and read by anybody."""
