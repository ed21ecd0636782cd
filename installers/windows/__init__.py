"""What makes Skein's installer for Windows, and the small programs in it."""
