"""Credentials and accounts: connecting, signing in, and sessions that are opened with them."""
