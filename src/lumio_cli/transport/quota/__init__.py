"""Quotas: what a provider allows, and who may ask when."""
