"""Merging: what was edited here with what was changed there."""
