"""Pulling: from a provider's pages into the hub."""
