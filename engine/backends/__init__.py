"""What runs the weights: one module per kind of backend, all behind ``base.Backend``."""
