"""Compute kernels for NVIDIA cards, compiled on the user's machine for exactly its card."""
