"""Care of what lumio keeps: hub, caches, quotas, vault and configuration."""
