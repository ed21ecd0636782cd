"""Tests of our own kernels, as far as a processor can run them."""
