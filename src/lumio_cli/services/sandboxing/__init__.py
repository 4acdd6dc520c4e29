"""The look-alikes as a child process, and in the foreground."""
