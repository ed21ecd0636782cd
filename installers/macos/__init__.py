"""Skein.app out of a tree, its signature, and the disk image that it comes in."""
