"""Skein's installer for one user, as it runs inside the .run and from the installed folder.

Standard library only, and nothing of the rest of the repository: the .run carries this folder, and
runs it with the Python that it has just unpacked.
"""
