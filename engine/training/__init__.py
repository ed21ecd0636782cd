"""Training of RWKV-7: the model with gradients, the data, the trainer, and the built-in corpus."""
