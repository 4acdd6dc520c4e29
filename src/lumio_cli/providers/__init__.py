"""The words a provider speaks, and one module a provider."""
