"""What a provider's module speaks in: the words between it and the engine."""
