"""What may be asked of the built-in model, to begin with. Pure values.

Not translated: the model was taught in English only, and each of these is one of the things that
it was taught (engine/training/corpus: the app, memory, stories, sums).
"""

EXAMPLES = (
    "How do I download a model?",
    "My name is ",
    "Tell me a story about a fox in a forest.",
    "What is 27 + 48?",
)
"""One that ends in a space is the beginning of a message: the rest is for the person to write."""


def is_beginning(example: str) -> bool:
    """Whether something has to be added before it can be sent."""
    return example.endswith(" ")


def example_title(example: str) -> str:
    """Return what stands on its button."""
    return f"{example}…" if is_beginning(example) else example
