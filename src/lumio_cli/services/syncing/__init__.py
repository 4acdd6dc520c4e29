"""Syncing, and all that is decided before and after: plans, undo, conflicts, failures, status."""
