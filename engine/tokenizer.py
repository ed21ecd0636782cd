"""Tokenizers: text to ids and back. The World vocabulary by the native library or in pure Python,
tokenizer.json by the library of that name.

Knows nothing of prompts, models' weights or streams (see ``text_stream`` for cut characters).
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from engine.checkpoint.gguf_vocabulary import read_gguf_vocabulary
from engine.checkpoint.info import PILE_TOKENIZER_FILE
from engine.checkpoint.small_json import lies_inside
from engine.errors import DamagedFile, EngineError, UnsafeFile, UnsupportedModel
from engine.vocabulary import JSON_VOCABULARY, byte_letters, read_vocabulary, world_vocabulary_path
from kernels.cpu.library import NativeTokenizer, find_library

if TYPE_CHECKING:
    from engine.checkpoint import ModelInfo
    from kernels.cpu.library import Library

END_OF_DOCUMENT = 0
REPLACEMENT = "\ufffd".encode()
_WHOLE = -1  # key of a trie node's own token; bytes are 0 to 255
_FROM_THERE = "from the model's repository"
_SOURCES = {PILE_TOKENIZER_FILE: "from the repository BlinkDL/ChatRWKV on GitHub"}
_PADDING = 256  # models round the rows of their vocabulary up to a multiple of at most this


class Tokenizer(Protocol):
    """What the engine needs of any vocabulary."""

    @property
    def vocab_size(self) -> int:
        """The highest id + 1. A model may have more rows; they are unused."""
        ...

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text; lone surrogates are no error."""
        ...

    def encode_bytes(self, data: bytes) -> list[int]:
        """Return the ids of bytes, which need not be valid UTF-8."""
        ...

    def decode_bytes(self, tokens: Iterable[int]) -> bytes:
        """Return the bytes of ids; ids that stand for nothing give nothing."""
        ...

    def decode(self, tokens: Iterable[int]) -> str:
        """Return the text of ids; bytes that are no UTF-8 become U+FFFD."""
        ...

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of one id."""
        ...


class WorldTokenizer:
    """Greedy longest match over UTF-8 bytes, as RWKV World models were trained.

    Id 0 is the end of a document and decodes to nothing, as do the padding rows behind the last
    id (65530 to 65535); any other id outside the vocabulary decodes to U+FFFD.
    """

    def __init__(self, vocabulary: dict[int, bytes], library: "Library | None" = None) -> None:
        """``vocabulary``: id -> bytes, with all 256 single bytes (see ``read_vocabulary``).

        library: cuts the text, forty times faster; None: Python does.
        """
        self.vocab_size = max(vocabulary) + 1
        rows = -(-self.vocab_size // _PADDING) * _PADDING
        self._bytes = [vocabulary.get(token, b"") for token in range(rows)]
        self._native = NativeTokenizer(library, vocabulary) if library else None
        self._root = {} if library else _build_trie(vocabulary)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the vocabulary: the library's memory stays in its process."""
        vocabulary = {token: data for token, data in enumerate(self._bytes) if data}
        return _unpickled, (vocabulary, self._native is not None)

    @classmethod
    def load(cls, path: Path | None = None) -> "WorldTokenizer":
        """Read a vocabulary in the World format; None: the one that the rwkv package carries.

        Raises EngineError or DamagedFile.
        """
        return cls(read_vocabulary(path or world_vocabulary_path()), find_library())

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text; a lone surrogate counts as its three bytes."""
        return self.encode_bytes(text.encode("utf-8", "surrogatepass"))

    def encode_bytes(self, data: bytes) -> list[int]:
        """Return the ids of any bytes: from the left, always the longest token that fits."""
        return self._native.encode(data) if self._native else self._encode_slowly(data)

    def _encode_slowly(self, data: bytes) -> list[int]:
        tokens: list[int] = []
        add, root = tokens.append, self._root
        size, start = len(data), 0
        longest = longest_end = 0
        while start < size:
            node = root[data[start]]
            end = start + 1
            try:
                while node.__class__ is dict:
                    whole = node.get(_WHOLE)
                    if whole is not None:
                        longest, longest_end = whole, end
                    node = node.get(data[end])
                    end += 1
            except IndexError:  # the data ends inside the trie
                node = None
            if node is None:
                add(longest)
                start = longest_end
            else:
                add(node)
                start = end
        return tokens

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of one id."""
        return self._bytes[token] if 0 <= token < len(self._bytes) else REPLACEMENT

    def decode_bytes(self, tokens: Iterable[int]) -> bytes:
        """Return the concatenated bytes of ids."""
        return b"".join(map(self.token_bytes, tokens))

    def decode(self, tokens: Iterable[int]) -> str:
        """Return the text of ids; bytes that are no UTF-8 become U+FFFD."""
        return self.decode_bytes(tokens).decode("utf-8", "replace")


def _unpickled(vocabulary: dict[int, bytes], native: bool) -> WorldTokenizer:
    return WorldTokenizer(vocabulary, find_library() if native else None)


def _build_trie(vocabulary: dict[int, bytes]) -> dict[int, Any]:
    """Return nested dicts: byte -> deeper dict, or the id itself where no longer token follows.

    A dict's own id, if its path is a token, is under _WHOLE. Ids as leaves save two thirds of
    the dicts.
    """
    root: dict[int, Any] = {}
    for token, data in vocabulary.items():
        node = root
        for byte in data[:-1]:
            deeper = node.get(byte)
            if deeper is None:
                deeper = node[byte] = {}
            elif deeper.__class__ is not dict:
                deeper = node[byte] = {_WHOLE: deeper}
            node = deeper
        deeper = node.get(data[-1])
        if deeper is None:
            node[data[-1]] = token
        else:
            deeper[_WHOLE] = token
    return root


class JsonTokenizer:
    """A ``tokenizer.json``, run by the ``tokenizers`` library (Pile models, Hugging Face layout).

    Special tokens decode to nothing, as id 0 of the World vocabulary does.
    """

    def __init__(self, path: Path) -> None:
        """Read the file. Raises EngineError when it is missing, DamagedFile when it is not one."""
        from tokenizers import Tokenizer as Library

        if not path.is_file():
            raise EngineError(
                f"The tokenizer {path.name} is missing from the folder {path.parent.name}.",
                f"Download {path.name} {_SOURCES.get(path.name, _FROM_THERE)} and put it beside "
                "the model.",
            )
        try:
            self._library = Library.from_file(str(path))
        except Exception as error:  # the library raises bare Exceptions
            raise DamagedFile(f"The tokenizer {path.name} cannot be read: {error}.") from error
        vocabulary = self._library.get_vocab(with_added_tokens=True)
        self.vocab_size = max(vocabulary.values(), default=-1) + 1
        added = self._library.get_added_tokens_decoder()
        self._bytes = _piece_bytes(vocabulary, _is_byte_level(path))
        for token, piece in added.items():
            self._bytes[token] = b"" if piece.special else piece.content.encode("utf-8")

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text; a lone surrogate counts as U+FFFD, which the library can."""
        sound = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return self._library.encode(sound, add_special_tokens=False).ids

    def encode_bytes(self, data: bytes) -> list[int]:
        """Return the ids of bytes; the library takes text, so invalid UTF-8 becomes U+FFFD."""
        return self.encode(data.decode("utf-8", "replace"))

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of one id."""
        return self._bytes.get(token, b"")

    def decode_bytes(self, tokens: Iterable[int]) -> bytes:
        """Return the concatenated bytes of ids."""
        return b"".join(map(self.token_bytes, tokens))

    def decode(self, tokens: Iterable[int]) -> str:
        """Return the text of ids; bytes that are no UTF-8 become U+FFFD."""
        return self.decode_bytes(tokens).decode("utf-8", "replace")


def _is_byte_level(path: Path) -> bool:
    """Whether the pieces of a tokenizer.json spell bytes as letters."""
    try:
        content = json.loads(path.read_text("utf-8"))
        spelt = json.dumps([content.get("decoder"), content.get("pre_tokenizer")])
    except (
        ValueError,
        AttributeError,
        RecursionError,
    ) as error:  # the library reads more leniently
        raise DamagedFile(f"The tokenizer {path.name} cannot be read: {error}.") from error
    return '"ByteLevel"' in spelt


def _piece_bytes(vocabulary: dict[str, int], byte_level: bool) -> dict[int, bytes]:
    """Return the bytes of every piece; byte-level vocabularies spell bytes as letters."""
    if not byte_level:
        return {token: piece.encode("utf-8", "replace") for piece, token in vocabulary.items()}
    letters = byte_letters()
    return {
        token: b"".join(letters.get(letter, letter.encode()) for letter in piece)
        for piece, token in vocabulary.items()
    }


def load_tokenizer(info: "ModelInfo") -> Tokenizer:
    """Return the tokenizer that a model was trained with.

    A vocabulary of its own is looked for in the model's folder. Raises EngineError when it is
    missing, UnsupportedModel when the model has fewer rows than its vocabulary has ids.
    """
    tokenizer: Tokenizer
    if info.path.is_dir() and not lies_inside(info.path / info.tokenizer, info.path):
        raise UnsafeFile(
            f"{info.tokenizer} in the folder {info.name} is a link to a file outside of it.",
            "If you made this link, put the file itself there.",
        )
    folder = info.path if info.path.is_dir() else info.path.parent
    if info.tokenizer == "world":
        tokenizer = WorldTokenizer.load()
    elif info.tokenizer == "gguf":
        tokenizer = WorldTokenizer(read_gguf_vocabulary(info.path), find_library())
    elif info.tokenizer.endswith(".txt") or info.tokenizer == JSON_VOCABULARY:
        tokenizer = WorldTokenizer.load(folder / info.tokenizer)
    else:
        tokenizer = JsonTokenizer(folder / info.tokenizer)
    if info.shape.vocab < tokenizer.vocab_size:
        own = "tokenizer.json" if info.tokenizer == "world" else info.tokenizer
        raise UnsupportedModel(
            f"{info.name} has {info.shape.vocab} tokens, but its vocabulary needs "
            f"{tokenizer.vocab_size}.",
            f"Put the {own} that belongs to this model beside it.",
        )
    return tokenizer
