"""Rows of every kind by their one door; the same from another process."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.errors import EngineError
from engine.training.rows import Rows, open_rows
from tests.engine.training.small_vocabulary import write_small_vocabulary

ROOT = Path(__file__).parents[3]
HASH = """
import hashlib, sys
from pathlib import Path
from engine.training.rows import open_rows
folder = Path(sys.argv[1])
rows = open_rows("text", folder / "in", length=16, seed=5, vocabulary=folder / "v.txt",
                 cache=folder / sys.argv[2])
content = b"".join(rows.row(i).tokens.tobytes() + rows.row(i).weights.tobytes() for i in (9, 2, 30))
assert "torch" not in sys.modules
print(hashlib.sha256(content).hexdigest())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A vocabulary v.txt, a folder "in" of texts, chats.jsonl."""
    write_small_vocabulary(tmp_path / "v.txt")
    (tmp_path / "in").mkdir()
    for number in range(20):
        (tmp_path / "in" / f"{number}.txt").write_text(f"hello world {number}\n" * (number + 1))
    chat = [{"role": "user", "content": "ab"}, {"role": "assistant", "content": "yes"}]
    (tmp_path / "chats.jsonl").write_text(json.dumps({"messages": chat}))
    return tmp_path


def digest(rows: Rows, numbers: tuple[int, ...]) -> str:
    parts = (rows.row(n).tokens.tobytes() + rows.row(n).weights.tobytes() for n in numbers)
    return hashlib.sha256(b"".join(parts)).hexdigest()


def test_another_process_reads_the_same_rows(folder: Path):
    rows = open_rows(
        "text", folder / "in", length=16, seed=5, vocabulary=folder / "v.txt", cache=folder / "c"
    )
    assert len(rows) * 3 > 30
    expected = digest(rows, (9, 2, 30))
    for cache in ("c", "d"):  # what this one kept, and what it makes by itself
        answer = subprocess.run(
            [sys.executable, "-c", HASH, str(folder), cache],
            capture_output=True, text=True, check=True, cwd=ROOT,
        )  # fmt: skip
        assert answer.stdout.strip() == expected


def test_texts_are_kept_in_the_cache_of_the_app(folder: Path, skein_home: Path):
    open_rows("text", folder / "in", length=16, seed=0, vocabulary=folder / "v.txt")
    kept = [path.suffix for path in (skein_home / "cache" / "training").iterdir()]
    assert sorted(kept) == [".bin", ".idx"]


def test_chats_count_as_told(folder: Path):
    rows = open_rows(
        "jsonl", folder / "chats.jsonl", length=10, seed=0, vocabulary=folder / "v.txt",
        template="gosling", others_weight=0.25, cache=folder,
    )  # fmt: skip
    assert len(rows) == 1
    assert rows.row(0).weights.tolist() == [0.25] * 7 + [1, 1, 0]


def test_both_orders_of_a_pair(folder: Path):
    open_rows(
        "text", folder / "in", length=16, seed=5, vocabulary=folder / "v.txt", cache=folder / "c"
    )
    path = next((folder / "c").glob("*.bin"))
    for order in ("shuffled", "rwkv-lm"):
        rows = open_rows("binidx", path, length=16, seed=5, order=order)
        assert rows.length == 16
        assert len(rows) > 50
        assert np.array_equal(rows.row(0).tokens, rows.row(len(rows)).tokens) == (
            order == "rwkv-lm"
        )


def test_the_corpus_has_no_path():
    rows = open_rows("corpus", length=24, seed=3)
    assert rows.length == 24
    assert len(rows) > 1 << 30


@pytest.mark.parametrize(
    ("kind", "path", "order", "words"),
    [
        ("words", Path("x"), "shuffled", 'kind of training data named "words"'),
        ("text", Path("x"), "sorted", 'order of training data named "sorted"'),
        ("text", None, "shuffled", "need a path"),
        ("text", Path("x"), "shuffled", r"no \.txt file at x"),
    ],
)
def test_what_is_not_known_is_said(kind: str, path: Path | None, order: str, words: str):
    with pytest.raises(EngineError, match=words):
        open_rows(kind, path, length=8, seed=0, order=order)
