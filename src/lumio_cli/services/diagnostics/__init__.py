"""Checks of an installation, its support bundle, and the log of requests."""
