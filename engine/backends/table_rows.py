"""Rows of DeepEmbed's tables (v7a), read from the model's file when a token wants them.

The tables are by far the largest part of such a model ([V, n * n] in each layer: 1.6 GB beside
0.4 GB for the released 0.1B) and a token reads one row of each. So they are never loaded: what is
read stays in the system's cache of files, in memory for as long as nobody else needs that memory,
and the rows of the tokens that came last are kept here. Knows files and bytes, not what rows mean.
"""

from collections.abc import Sequence

import numpy as np

from engine.checkpoint import ModelInfo, open_checkpoint
from engine.checkpoint.entries import ITEM_BYTES
from engine.checkpoint.names import is_table
from engine.errors import UnsupportedModel
from engine.lora_files import LoraFile

_KEPT_BYTES = 32 << 20


class TableRows:
    """The open tables of one model. For one thread at a time; close it."""

    def __init__(self, info: ModelInfo) -> None:
        """Open the model's file. Raises what ``open_checkpoint`` raises, UnsupportedModel."""
        self._names = [f"blocks.{i}.ffn.s_emb.weight" for i in range(info.shape.layers)]
        _require_unchanged(info)
        self._checkpoint = open_checkpoint(info.path)
        try:
            self.dtype = self._one_type(info.name)
        except BaseException:
            self.close()
            raise
        self.row_bytes = info.shape.deep**2 * ITEM_BYTES[self.dtype]
        most = _KEPT_BYTES // (len(self._names) * self.row_bytes)
        self._most = max(64, most)
        self._kept: dict[int, np.ndarray] = {}

    def _one_type(self, name: str) -> str:
        types = {self._checkpoint.entries[table].dtype for table in self._names}
        if len(types) > 1:
            raise UnsupportedModel(
                f"{name} holds DeepEmbed's tables in several number types; one was expected.",
                "Choose another file of this model, or convert it: `skein convert`.",
            )
        return types.pop()

    def close(self) -> None:
        """Close the file."""
        self._checkpoint.close()

    def read(self, tokens: Sequence[int]) -> np.ndarray:
        """Return the rows of some tokens as the file has them: uint8 [L, T, row_bytes].

        Raises DamagedFile when the file cannot be read any more.
        """
        rows = np.empty((len(self._names), len(tokens), self.row_bytes), np.uint8)
        for i, token in enumerate(tokens):
            rows[:, i] = self._of(token)
        return rows

    def _of(self, token: int) -> np.ndarray:
        """Return a token's rows [L, row_bytes]; those that were wanted last are kept."""
        rows = self._kept.pop(token, None)
        if rows is None:
            rows = self._from_file(token)
            if len(self._kept) >= self._most:
                del self._kept[next(iter(self._kept))]
        self._kept[token] = rows
        return rows

    def _from_file(self, token: int) -> np.ndarray:
        rows = np.empty((len(self._names), self.row_bytes), np.uint8)
        start = token * self.row_bytes
        for name, row in zip(self._names, rows, strict=True):
            self._checkpoint.read_into(name, row.data, start, self.row_bytes)
        return rows


def _require_unchanged(info: ModelInfo) -> None:
    """Raise UnsupportedModel where a LoRA changes a table: rows are read as the file has them."""
    for use in info.loras:
        with LoraFile(use.path) as file:
            if any(map(is_table, (*file.pairs, *file.replacements))):
                raise UnsupportedModel(
                    f"{use.path.name} changes the DeepEmbed tables of {info.name}, which are read "
                    "from the model's file as they are.",
                    "Merge it first: `skein convert MODEL OUT --lora FILE`.",
                )
