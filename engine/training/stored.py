"""Tokens that are kept on disk, as documents and as one stream, with what each of them counts.

A pair NAME.bin/.idx holds, as RWKV-LM's tools write it, each document's tokens and the id 0 that
ends it. Beside it NAME.marks.bin/.idx may say of each of those tokens whether it is the
assistant's (1) or not (0). Knows nothing of rows or of the texts that the tokens were.
"""

from pathlib import Path
from types import TracebackType

import numpy as np

from engine.errors import DamagedFile
from engine.tokenizer import END_OF_DOCUMENT
from engine.training.binidx import Binidx, BinidxWriter, pair


def marks_path(path: Path) -> Path:
    """Return the name of the pair that holds the marks of a pair's tokens."""
    stem = pair(path)[0].with_suffix("")
    return stem.with_name(stem.name + ".marks")


class StoredTokens:
    """The documents of a pair, each from its id 0 on; the ``Documents`` of rows.py.

    Where the id 0 of a document is, the first document tells for all: behind (RWKV-LM's tools),
    before, or nowhere. Memory: 16 bytes a document.
    """

    def __init__(self, path: Path, others_weight: float = 1.0) -> None:
        """``others_weight``: what tokens count that the marks say are not the assistant's.

        Raises DamagedFile or OSError.
        """
        self._pair = Binidx(path)
        self._others_weight = np.float32(others_weight)
        marks = marks_path(path)
        self._marks = Binidx(marks) if pair(marks)[1].exists() else None
        if self._marks is not None and len(self._marks.tokens) != len(self._pair.tokens):
            raise DamagedFile(
                f"{marks.name} does not belong to {path.name}: it has "
                f"{len(self._marks.tokens):,} marks for {len(self._pair.tokens):,} tokens.",
                "Make both again with 'skein train data'.",
            )
        self._firsts, self._lengths = _documents(self._pair)
        self._place = self._find_separators()
        self.sizes = self._lengths + 1 if self._place == "nowhere" else self._lengths

    @property
    def stream_size(self) -> int:
        """How many tokens there are, one after the other; RWKV-LM's recipe reads these."""
        return len(self._pair.tokens)

    def stream_tokens(self, begin: int, end: int) -> np.ndarray:
        """Return tokens of the stream: int64 [end - begin]. Raises DamagedFile for negative ids."""
        tokens = np.array(self._pair.tokens[begin:end], np.int64)
        if tokens.min(initial=0) < 0:
            raise DamagedFile(
                f"{self._pair.path.name} holds the token {tokens.min()}, and no id is negative.",
                "Make it again with 'skein train data', or copy it again from where it came.",
            )
        return tokens

    def stream_weights(self, begin: int, end: int) -> np.ndarray:
        """Return what it counts to predict tokens of the stream: float32 [end - begin]."""
        if self._marks is None:
            return np.ones(end - begin, np.float32)
        marks = self._marks.tokens[begin:end]
        return np.where(marks != 0, np.float32(1), self._others_weight)

    def part(self, index: int, begin: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        """Return tokens and weights of a part of a document; see ``Documents``."""
        first, length = int(self._firsts[index]), int(self._lengths[index])
        if not self._begins_elsewhere(first, length):
            tokens = self.stream_tokens(first + begin, first + end)
            return tokens, self._following(first + begin + 1, first + length, end - begin)
        # The id 0 before, so that all tokens move one on: to predict what follows the token at
        # ``begin`` is to predict what is stored at ``begin``.
        stored = self.stream_tokens(first + max(begin - 1, 0), first + max(end - 1, 0))
        zero = np.full(int(begin == 0 < end), END_OF_DOCUMENT)
        tokens = np.concatenate((zero, stored))
        return tokens, self._following(first + begin, first + length, end - begin)

    def _following(self, begin: int, end: int, count: int) -> np.ndarray:
        """Return weights of the stream, and 1 for an end of the document that is not stored."""
        weights = self.stream_weights(begin, max(min(begin + count, end), begin))
        return np.concatenate((weights, np.ones(count - len(weights), np.float32)))

    def _begins_elsewhere(self, first: int, length: int) -> bool:
        """Whether the id 0 that a document begins with is not stored before it."""
        if self._place == "behind":  # a document that was cut has none: it is taken as it is
            return length > 0 and self._pair.tokens[first + length - 1] == END_OF_DOCUMENT
        return self._place == "nowhere"

    def _find_separators(self) -> str:
        some = np.flatnonzero(self._lengths[:1024])
        if not len(some):
            return "nowhere"
        first, length = int(self._firsts[some[0]]), int(self._lengths[some[0]])
        if self._pair.tokens[first + length - 1] == END_OF_DOCUMENT:
            return "behind"
        return "before" if self._pair.tokens[first] == END_OF_DOCUMENT else "nowhere"


def _documents(pair: Binidx) -> tuple[np.ndarray, np.ndarray]:
    """Return where each document begins and how long it is, in tokens: int64 [documents].

    A document is what the bounds say where they cover all sequences, which lie one behind the
    other; else every sequence is one.
    """
    firsts = pair.starts_bytes // pair.dtype.itemsize
    lengths = pair.sizes.astype(np.int64)
    bounds = pair.bounds
    covers = len(bounds) > 1 and bounds[0] == 0 and bounds[-1] == len(pair)
    if not covers or (firsts[1:] != firsts[:-1] + lengths[:-1]).any():
        return np.asarray(firsts), lengths
    ends = np.append(firsts, firsts[-1] + lengths[-1])[bounds]
    return ends[:-1], np.diff(ends)


class StoredWriter:
    """Writes documents into a pair, and their marks beside it; used in a ``with``.

    What was there under the name goes when all documents were added. An error before that leaves
    it; one while the new pair is finished leaves none.
    """

    def __init__(self, path: Path, dtype: str, marked: bool) -> None:
        """``dtype``: "uint16" or "int32"; ``marked``: whether marks are written."""
        self._path = path
        self._tokens = BinidxWriter(path, dtype)
        self._marks = BinidxWriter(marks_path(path), "uint8") if marked else None
        self.documents = self.tokens = 0

    def __enter__(self) -> "StoredWriter":
        self._tokens.__enter__()
        if self._marks is not None:
            self._marks.__enter__()
        return self

    def add(self, tokens: list[int], marks: "np.ndarray | None" = None) -> None:
        """Put tokens behind those of the document that is being written.

        marks: uint8, one for each token; None: all are the assistant's (plain text).
        """
        self._tokens.add(tokens)
        if self._marks is not None:
            self._marks.add(np.ones(len(tokens), np.uint8) if marks is None else marks)
        self.tokens += len(tokens)

    def end_document(self, mark: int = 1) -> None:
        """Finish a document; ``mark``: whether its end counts as the assistant's."""
        self.add([END_OF_DOCUMENT], np.array([mark], np.uint8))
        self._tokens.end_document()
        if self._marks is not None:
            self._marks.end_document()
        self.documents += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and self.documents:
            # No old half may be taken for one of the new: a pair without an index is none.
            for path in (self._path, marks_path(self._path)):
                pair(path)[1].unlink(missing_ok=True)
        try:
            if self._marks is not None:
                self._marks.__exit__(kind, error, trace)
        except BaseException as failed:  # tokens without their marks would all count
            self._tokens.__exit__(type(failed), failed, failed.__traceback__)
            raise
        self._tokens.__exit__(kind, error, trace)
