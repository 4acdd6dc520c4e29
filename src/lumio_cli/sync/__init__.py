"""The engine: plan, pull, sweep, preview."""
