"""The Hugging Face hub: which models there are, and how a file comes here whole.

Knows nothing of windows and nothing of what the weights mean.
"""
