"""What is done with an input: everything that the engine does with such a file before it is used.

Each function returns, or raises ``EngineError``; whatever else it raises is a crash.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from engine.archive import StateArchive
from engine.checkpoint import Checkpoint, ModelInfo, open_checkpoint
from engine.checkpoint.info import ModelInfo as Info
from engine.checkpoint.shape import ModelShape, Ranks
from engine.checkpoint.vocabularies import WORLD_ROWS, folder_vocabulary
from engine.errors import EngineError, UnsupportedModel
from engine.lora_files import LoraFile
from engine.packed_files import PackedFiles, _is_of_use
from engine.packed_format import read_header
from engine.personas import Personas
from engine.recognition import recognise
from engine.sampling import Sampler
from engine.sampling_params import SamplingParams
from engine.snapshot import load_snapshot
from engine.state import read_metadata
from engine.state_files import open_for
from engine.state_formats import format_of, import_state
from engine.store import Conversation, Store
from engine.tokenizer import JsonTokenizer, WorldTokenizer, load_tokenizer
from tests.fuzz.seeds import CHATS, VOCAB, WIDTH, packed_key, place

SHAPE = ModelShape(2, WIDTH, 4 * WIDTH, VOCAB, 64, Ranks(8, 8, 8, 8))
_READ_BYTES = 1 << 20
_T = TypeVar("_T")


def model(path: Path) -> None:
    """Inspect it, read its beginnings, cut a text with its own vocabulary."""
    recognise(path)
    if path.is_dir():
        folder_vocabulary(path, WORLD_ROWS)
    with open_checkpoint(path) as checkpoint:
        info = checkpoint.info
        checkpoint.read_start()
        _read_some(checkpoint)
    _tried(_cut_text, info)


def _read_some(checkpoint: Checkpoint) -> None:
    left = _READ_BYTES
    for name, entry in checkpoint.entries.items():
        left -= entry.size_bytes
        if left < 0:
            break
        try:
            checkpoint.read(name)
        except KeyError as error:
            raise UnsupportedModel(f"{error}") from error


def lora(path: Path) -> None:
    """Read all of a LoRA and compare it with a model."""
    recognise(path, [_info()])
    with LoraFile(path) as file:
        file.digest()
        for pair in file.pairs.values():
            file.scale(pair)
            file.read(pair.first)
            file.read(pair.second)
        for entry in file.replacements.values():
            file.read(entry)
        file.require_fit(SHAPE, "x")


def _info() -> ModelInfo:
    return Info(
        Path("x"), "x", "rwkv7", "pth", SHAPE, "bf16", SHAPE.parameters, 1, "world", "f" * 32
    )


def state(path: Path) -> None:
    """Recognise, import and open a state; go on with its sampler."""
    recognise(path, [_info()])
    for step in (format_of, import_state, read_metadata, _resume):
        _tried(step, path)
    open_for(path, _info())


def _cut_text(info: ModelInfo) -> None:
    if info.tokenizer != "world":
        tokenizer = load_tokenizer(info)
        tokenizer.decode(tokenizer.encode("Grüße 你好 \ud800"))


def _tried(step: Callable[[_T], object], argument: _T) -> None:
    try:
        step(argument)
    except EngineError as error:
        _require_readable(error)


def _resume(path: Path) -> None:
    snapshot = load_snapshot(path)[0]
    if snapshot.sampler is not None:
        Sampler(SamplingParams(), VOCAB).restore(snapshot.sampler)


def packed(path: Path) -> None:
    """Find and open packed weights, and decide whether they stay."""
    files = PackedFiles(path, least_bytes=1)
    for file in path.iterdir():
        header = read_header(file)
        if header is not None:
            _is_of_use(header, header.key)
    files.find(packed_key())
    memory = files.open(packed_key())
    if memory is not None:
        memory.close()
    files.usage()


def persona(path: Path) -> None:
    """List and load personas as the archive does."""
    kept = Personas(path / "personas")
    for one in kept.all():
        _tried(lambda _, name=one.name: kept.load(name), path)
    load_snapshot(path / "checkpoint")


def archive(path: Path) -> None:
    """Open chats, read and search them, find their states and tidy up, as at a start."""
    store = Store.open(path / CHATS)
    try:
        for step in (Store.recover, _read_chats, _tidied):
            _tried(step, store)
        kept = StateArchive(path / "states", store)
        try:
            for limit in (None, 0):
                kept.find(*place(), at_most=limit)
            for step in (StateArchive.usage, lambda kept: kept.prune(0), StateArchive.flush):
                _tried(step, kept)
        finally:
            kept.close()
    finally:
        store.close()


def _read_chats(store: Store) -> None:
    store.search("word")
    for chat in store.conversations()[:20]:
        _tried(lambda chat: _read_chat(store, chat), chat)


def _read_chat(store: Store, chat: Conversation) -> None:
    nodes = store.children(chat.id, None)[:20]
    if chat.current_node is not None:
        nodes = store.path_to(chat.current_node)
    store.sibling_ids(nodes)
    for node in nodes:
        store.leaf_below(node.id)


def _tidied(store: Store) -> None:
    store.purge_deleted(2.0)
    store.tidy()


def vocabulary(path: Path) -> None:
    """Read a vocabulary and use it."""
    made = JsonTokenizer(path) if path.name == "tokenizer.json" else WorldTokenizer.load(path)
    made.decode(made.encode("Grüße 你好 \ud800"))


READERS: dict[str, Callable[[Path], None]] = {
    "pth": model,
    "safetensors": model,
    "folder": model,
    "gguf": model,
    "lora": lora,
    "state": state,
    "packed": packed,
    "persona": persona,
    "vocabulary": vocabulary,
    "archive": archive,
}
OWNERS = ("archive",)
"""Readers whose folder is their own, to write in."""


class Hidden(Exception):
    """The engine met an error that it had not expected, and only logged it."""


class _Unexpected(logging.Handler):
    """Keeps the first error that was logged with its traceback, on whatever thread."""

    def __init__(self) -> None:
        super().__init__()
        self.first: BaseException | None = None

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if self.first is None and not isinstance(error, EngineError):
            self.first = error


def attempt(reader: str, path: Path) -> str:
    """Read one input; return "value" or the name of the refusal. Raises what is a crash."""
    handler, outcome = _Unexpected(), "value"
    logging.getLogger("engine").addHandler(handler)
    try:
        READERS[reader](path)
    except EngineError as error:
        _require_readable(error)
        outcome = type(error).__name__
    finally:
        logging.getLogger("engine").removeHandler(handler)
    if handler.first is not None:
        raise Hidden from handler.first
    return outcome


def _require_readable(error: EngineError) -> None:
    """A message that cannot be printed would crash whoever shows it; a huge one would fill it."""
    assert len(error.message.encode("utf-8")) < 8100, error.message[:100]
    error.hint.encode("utf-8")
