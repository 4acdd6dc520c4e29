"""What every part stands on: errors, time, stopping, locks, paths, and what may be shown."""
