"""Rows: what the trainer reads, whatever the data are. ``open_rows`` finds the kind by its name.

Knows nothing of models, batches or steps; the kinds themselves are modules of their own.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from engine.errors import EngineError

if TYPE_CHECKING:
    import numpy as np

KINDS = ("corpus", "text", "jsonl", "binidx")
"""What data may be: generated, plain text, JSON Lines, tokens in a ``.bin`` and ``.idx`` pair."""

ORDERS = ("shuffled", "rwkv-lm")
"""Documents shuffled anew in every epoch, or the slots of RWKV-LM's recipe (binidx only)."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row to train on.

    tokens: int64 [T + 1]. weights: float32 [T]; how much it counts to predict ``tokens[1:]``.
    """

    tokens: "np.ndarray"
    weights: "np.ndarray"


class Rows(Protocol):
    """Rows by their number, the same from any process and in any order of asking."""

    @property
    def length(self) -> int:
        """T: how many tokens of a row are predicted."""
        ...

    def __len__(self) -> int:
        """How many rows an epoch has; generated data have very many."""
        ...

    def row(self, index: int) -> Row:
        """Return a row; an index behind the epoch's end goes on with the next epoch.

        A pure function of the index, and safe to pickle into a worker process.
        """
        ...


class Documents(Protocol):
    """Documents by their number: what ``PackedRows`` lays into rows.

    A document begins with id 0 and ends before the id 0 of the next. Pickles into a worker process.
    """

    @property
    def sizes(self) -> "np.ndarray":
        """How many tokens each document has, its id 0 among them: integers [documents]."""
        ...

    def part(self, index: int, begin: int, end: int) -> "tuple[np.ndarray, np.ndarray]":
        """Return tokens begin to end of a document (integers) and as many weights (float32).

        A weight says how much it counts to predict what follows its token; behind the last
        token that is the end of the document.
        """
        ...


def open_rows(
    kind: str,
    path: Path | None = None,
    *,
    length: int,
    seed: int,
    vocabulary: Path | None = None,
    template: str = "",
    others_weight: float = 0.1,
    separator: str = "",
    order: str = "shuffled",
    cache: Path | None = None,
) -> Rows:
    """Return the rows of some data; texts are read and kept as tokens first.

    kind: one of ``KINDS``. path: the file or folder; a binidx pair with or without an ending; the
    corpus has none. length: T, predicted tokens a row. vocabulary: a file in the World format,
    None: the World vocabulary, for the corpus Gosling's. template: how chats of a JSONL file are
    written (a name of resources/templates.toml, "": its first). others_weight: what a token counts
    in a chat that is not the assistant's. separator: the line that divides the documents of a
    text ("\\n": an empty one), "": a file is one document. order: one of ``ORDERS``. cache: the
    folder for texts as tokens, None: in Skein's own. Raises EngineError, DamagedFile, OSError.
    """
    if order not in ORDERS:
        raise _unknown("order of training data", order, ORDERS)
    if kind == "corpus":
        from engine.training.corpus.rows import CorpusRows

        return CorpusRows(length, seed, vocabulary)
    if kind not in KINDS:
        raise _unknown("kind of training data", kind, KINDS)
    if path is None:
        raise EngineError(f'Training data of the kind "{kind}" need a path.', "Name the file.")
    if kind != "binidx":
        from engine.folders import Folders
        from engine.training.texts import Source, cached_texts

        source = Source(kind, path, vocabulary, template, separator)
        path = cached_texts(source, cache or Folders.standard().cache / "training")
    return _stored_rows(path, others_weight, length, seed, order)


def _stored_rows(path: Path, others_weight: float, length: int, seed: int, order: str) -> Rows:
    from engine.training.order import SlotRows
    from engine.training.packing import PackedRows
    from engine.training.stored import StoredTokens

    stored = StoredTokens(path, others_weight)
    if order == "rwkv-lm":
        return SlotRows(stored, length)
    return PackedRows(stored, length, seed)


def _unknown(what: str, name: str, names: tuple[str, ...]) -> EngineError:
    return EngineError(f'There is no {what} named "{name}".', f"There are: {', '.join(names)}.")
