"""The settings: how they are declared, read from a file, and checked."""
