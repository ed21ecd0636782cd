"""Kernels of our own: cpu/ behind one C header, cuda/ compiled on the card. Knows nobody."""
