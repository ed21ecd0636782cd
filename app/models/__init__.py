"""Observable state and list models: what is shown, without widgets."""
