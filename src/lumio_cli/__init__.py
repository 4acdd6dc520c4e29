"""lumio keeps a local SQLite hub in sync with SaaS providers, and explains itself."""

__version__ = "0.1.0"
