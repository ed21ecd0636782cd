"""Plain text and JSON Lines as stored tokens: read once, in a stream, and kept in a cache.

Knows nothing of rows; how a chat is written is ``chats.py``'s.
"""

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.errors import DamagedFile, EngineError
from engine.templates import Template, load_templates
from engine.tokenizer import WorldTokenizer
from engine.training.binidx import pair
from engine.training.chats import encode_chat, parse_line
from engine.training.stored import StoredWriter
from engine.vocabulary import world_vocabulary_path

SUFFIXES = {"text": (".txt",), "jsonl": (".jsonl", ".ndjson")}
"""Which files of a folder are read; a file that is named itself may be called anything."""

_CHUNK = 1 << 20  # characters that are read and encoded at a time
_LONGEST_LINE_BYTES = 1 << 28
_FORMAT = 1
"""Raised when the same texts become other tokens: caches of before are not taken then."""


@dataclass(frozen=True, slots=True)
class Source:
    """Texts and how they are read.

    kind: "text" or "jsonl". path: a file, or a folder with all in it. vocabulary: a file in the
    World format, None: the World vocabulary. template: how chats are written, "": as the first of
    resources/templates.toml. separator: the line of a text that divides documents ("" none: a file
    is a document; "\\n" an empty line).
    """

    kind: str
    path: Path
    vocabulary: Path | None = None
    template: str = ""
    separator: str = ""

    def found(self) -> list[Path]:
        """Return the files, in the order of their names; none where nothing fits."""
        if self.path.is_file():
            return [self.path]
        some = (p for p in self.path.rglob("*") if p.suffix.lower() in SUFFIXES[self.kind])
        return sorted((p for p in some if p.is_file()), key=lambda p: p.as_posix())

    def files(self) -> list[Path]:
        """Return the files. Raises EngineError for another kind, and when there is none."""
        if self.kind not in SUFFIXES:
            raise EngineError(
                f'Texts of the kind "{self.kind}" cannot be read.', "Kinds are text and jsonl."
            )
        files = self.found()
        if not files:
            endings = " or ".join(SUFFIXES[self.kind])
            raise EngineError(f"There is no {endings} file at {self.path}.", "Check the path.")
        return files

    def chat_template(self) -> Template:
        """Return the template. Raises EngineError when there is none of that name."""
        templates = load_templates()
        name = self.template or next(iter(templates))
        if name not in templates:
            raise EngineError(
                f'There is no prompt template named "{self.template}".',
                f"Templates are {', '.join(templates)}.",
            )
        return templates[name]


@dataclass(frozen=True, slots=True)
class Stored:
    """What was written: how many documents, and tokens with the id 0 behind each document."""

    documents: int
    tokens: int


def cached_texts(source: Source, folder: Path) -> Path:
    """Return the pair in ``folder`` that holds the tokens of some texts, made if it is not there.

    The name says what was read: changed files, another vocabulary or template make another pair.
    Raises what ``store_texts`` raises.
    """
    path = folder / f"{source.path.name}-{_identity(source)}"
    if not pair(path)[1].exists():
        folder.mkdir(parents=True, exist_ok=True)
        store_texts(source, path)
    return path


def _identity(source: Source) -> str:
    """Return a hash of everything that the tokens depend on; files by size and time of change."""
    seen = [(str(p.absolute()), p.stat().st_size, p.stat().st_mtime_ns) for p in source.files()]
    words = (source.vocabulary or world_vocabulary_path()).read_bytes()
    digest = hashlib.sha256(words)
    template = repr(source.chat_template()) if source.kind == "jsonl" else source.separator
    digest.update(repr((_FORMAT, source.kind, seen, template)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:20]


def store_texts(
    source: Source, out: Path, progress: Callable[[int, int], None] = lambda done, all_: None
) -> Stored:
    """Encode all texts into the pair ``out``; beside JSON Lines their marks (see ``stored.py``).

    progress: called with bytes read and bytes in all. Raises DamagedFile for a file that is no
    UTF-8 text or a line that makes no sense, EngineError, OSError.
    """
    files, template = source.files(), source.chat_template()
    tokenizer = WorldTokenizer.load(source.vocabulary)
    dtype = "uint16" if tokenizer.vocab_size <= 1 << 16 else "int32"
    total = sum(path.stat().st_size for path in files)
    done = told = 0
    out.parent.mkdir(parents=True, exist_ok=True)
    with StoredWriter(out, dtype, marked=source.kind == "jsonl") as writer:
        for path in files:
            if source.kind == "text":
                reading = _store_text(path, source.separator, tokenizer, writer)
            else:
                reading = _store_lines(path, template, tokenizer, writer)
            for read in reading:
                if done + read >= told:  # not with every line
                    progress(done + read, total)
                    told = done + read + total // 500
            done += path.stat().st_size
    return Stored(writer.documents, writer.tokens)


def _store_text(
    path: Path, separator: str, tokenizer: WorldTokenizer, writer: StoredWriter
) -> Iterator[int]:
    """Write the documents of a text file; yield the bytes read so far."""
    encoder = StreamEncoder(tokenizer)
    begun = False
    for piece, read in _text_pieces(path, separator):
        if piece is None:
            if begun:
                writer.add(encoder.finish())
                writer.end_document()
            begun = False
        elif begun or piece.strip():  # nothing is no document, nor how one begins
            writer.add(encoder.feed(piece if begun else piece.lstrip("\n")))
            begun = True
        yield read


def _text_pieces(path: Path, separator: str) -> Iterator[tuple[str | None, int]]:
    """Yield a text in pieces, None where a document ends; with each, how many bytes are read."""
    marker = separator.strip()
    try:
        with path.open("rb") as raw, io.TextIOWrapper(raw, encoding="utf-8-sig") as file:
            whole = True  # the piece before was a line to its end
            while piece := file.readline(_CHUNK) if separator else file.read(_CHUNK):
                ends = bool(separator) and whole and piece.strip() == marker
                yield None if ends else piece, raw.tell()
                whole = piece.endswith("\n")
            yield None, raw.tell()
    except UnicodeDecodeError as error:
        raise DamagedFile(
            f"{path.name} is not UTF-8 text: {error.reason}.", "Save it as UTF-8."
        ) from error


class StreamEncoder:
    """Encodes a text that comes in pieces; the tokens are those of the whole text."""

    def __init__(self, tokenizer: WorldTokenizer, chunk_bytes: int = _CHUNK) -> None:
        """``chunk_bytes``: so much is waited for before it is encoded."""
        self._tokenizer = tokenizer
        self._chunk_bytes = chunk_bytes
        tokens = range(tokenizer.vocab_size)
        self._longest = max(len(tokenizer.token_bytes(token)) for token in tokens)
        self._waiting = bytearray()

    def feed(self, text: str) -> list[int]:
        """Take the next piece; return the tokens that no later text can change."""
        self._waiting += text.encode("utf-8", "surrogatepass")
        if len(self._waiting) < self._chunk_bytes:
            return []
        tokens = self._tokenizer.encode_bytes(bytes(self._waiting))
        # The longest match at a place sees as many bytes as the longest token has.
        left = 0
        while tokens and left < self._longest - 1:
            left += len(self._tokenizer.token_bytes(tokens.pop()))
        del self._waiting[: len(self._waiting) - left]
        return tokens

    def finish(self) -> list[int]:
        """Return the tokens of what is left; what is fed next is another text."""
        tokens = self._tokenizer.encode_bytes(bytes(self._waiting))
        self._waiting.clear()
        return tokens


def _store_lines(
    path: Path, template: Template, tokenizer: WorldTokenizer, writer: StoredWriter
) -> Iterator[int]:
    """Write the documents of a JSON Lines file; yield the bytes read so far."""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(_LONGEST_LINE_BYTES):
            number += 1
            try:
                _store_line(line, template, tokenizer, writer)
            except ValueError as error:
                what = _reason(error, len(line))
                raise DamagedFile(
                    f"Line {number:,} of {path.name} cannot be used: {what}.",
                    'A line is {"text": "..."} or {"messages": [{"role": ..., "content": ...}]}.',
                ) from error
            yield file.tell()


def _store_line(
    line: bytes, template: Template, tokenizer: WorldTokenizer, writer: StoredWriter
) -> None:
    text = line.decode("utf-8-sig")
    if not text.strip():
        return
    read = parse_line(text)
    if isinstance(read, str):
        writer.add(tokenizer.encode(read))
    else:
        writer.add(*encode_chat(read, template, tokenizer))
    writer.end_document()


def _reason(error: Exception, size_bytes: int) -> str:
    """Return why a line makes no sense."""
    if size_bytes >= _LONGEST_LINE_BYTES:
        return f"it is longer than {_LONGEST_LINE_BYTES:,} bytes"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return str(error)
