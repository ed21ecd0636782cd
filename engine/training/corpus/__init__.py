"""The program that writes the built-in model's training data: seeded, every sentence our own."""
