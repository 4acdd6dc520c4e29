"""Completion on the command line."""
