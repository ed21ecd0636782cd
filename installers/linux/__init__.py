"""Packages for Linux out of a finished tree: .deb, self-extracting .run, AppDir."""
