"""Bridges between worker threads and the GUI thread."""
