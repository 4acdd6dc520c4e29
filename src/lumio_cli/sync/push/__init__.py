"""Pushing: from the hub's edits to a provider, and what its receipts say."""
