"""The GPU pack: PyTorch for NVIDIA cards, fetched by the app and laid over the bundled one.

A pack is a folder of unpacked wheels below the data folder; one line in a file says which is
used. Knows nothing of windows and of models.
"""
