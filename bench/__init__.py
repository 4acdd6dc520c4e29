"""What lumio costs, measured against the least that a Python program could do (`make bench`)."""
