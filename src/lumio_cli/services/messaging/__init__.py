"""Sending messages: from options and rows to what became of each."""
