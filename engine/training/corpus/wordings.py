"""How the tasks ask: a wording chosen and typed as people type, then filled with its content.

The content is put in last, so that a word or a sentence stands exactly as it is to be answered.
"""

import random
from collections.abc import Sequence

from engine.training.corpus.exchange import casual


def asked(wordings: Sequence[str], rng: random.Random, **content: object) -> str:
    """Return one of the wordings with its ``{fields}`` filled; fields are lower case."""
    return casual(rng.choice(wordings), rng).format(**content)
