"""Whatever a model was loaded from, nothing of it stays open or mapped when it is closed."""

import os
from pathlib import Path

import pytest

from engine.checkpoint import inspect
from engine.convert import convert
from engine.model import load_backend
from engine.strategy import Strategy
from engine.vocabulary import format_vocabulary, read_vocabulary, world_vocabulary_path
from tests.engine.checkpoint.files import weights, write
from tests.engine.checkpoint.huggingface_files import write_folder


def in_use(folder: Path) -> list[str]:
    """Return what this process has open or mapped below a folder (as Linux tells)."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    mapped = [line.split(maxsplit=5)[-1] for line in maps]
    opened = []
    for handle in Path("/proc/self/fd").iterdir():
        try:
            opened.append(os.readlink(handle))
        except OSError:  # the one that lists them
            continue
    return [path for path in (*mapped, *opened) if path.startswith(str(folder))]


def source(folder: Path, form: str) -> Path:
    if form == "huggingface":
        return write_folder(folder / "model", weights(vocab=320), shards=2)
    if form == "gguf":
        world = read_vocabulary(world_vocabulary_path())
        words = format_vocabulary({token: world[token] for token in range(1, 301)})
        (folder / "vocabulary.txt").write_bytes(words)
        convert(write(folder, "pth", weights(vocab=320)), folder / "model.gguf", "f16")
        return folder / "model.gguf"
    return write(folder, form, weights(vocab=320))


@pytest.mark.parametrize("strategy", ["cpu fp32", "cpu int8 @1"])
@pytest.mark.parametrize("form", ["pth", "safetensors", "huggingface", "gguf"])
def test_closing_lets_go_of_every_file(tmp_path: Path, form: str, strategy: str):
    path = source(tmp_path, form)
    info = inspect(path)
    assert info.format == form
    backend = load_backend(info, Strategy.parse(strategy))
    backend.forward([1, 2, 3], backend.new_state())
    backend.close()
    assert not in_use(tmp_path)
