"""Files of rows that a command is given."""
