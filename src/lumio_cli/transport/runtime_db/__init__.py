"""What the lumio processes of this machine tell each other."""
