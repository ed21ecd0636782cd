"""The setup for Windows and its launchers, under wine."""
