"""The adapter of Pipedrive."""
