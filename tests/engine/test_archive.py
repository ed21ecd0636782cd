"""States in memory and on disk: what is found, what goes, and what damage does (nothing)."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.archive import StateArchive
from engine.errors import DamagedFile, EngineError
from engine.sampling import SamplerState
from engine.snapshot import Snapshot, load_snapshot, save_snapshot
from engine.state import State
from engine.store import Store

KEY, WEIGHTS = "key", "weights"


def make_snapshot(seed: int = 0, *, sampler: bool = True) -> Snapshot:
    rng = torch.Generator().manual_seed(seed)
    state = State(
        torch.randn(2, 8, generator=rng),
        torch.randn(2, 2, 4, 4, generator=rng),
        torch.randn(2, 8, generator=rng),
        tokens_read=seed,
    )
    logits = torch.randn(100, generator=rng).numpy()
    drawn = SamplerState(np.arange(3), np.ones(3, np.float32), '{"seed": 1}')
    return Snapshot(state, logits, drawn if sampler else None)


def same(a: Snapshot, b: Snapshot) -> bool:
    arrays = zip(a.state.tensors().values(), b.state.tensors().values(), strict=True)
    assert a.logits is not None
    assert b.logits is not None
    return all(torch.equal(x, y) for x, y in arrays) and np.array_equal(a.logits, b.logits)


@pytest.fixture
def store(folders) -> Iterator[Store]:
    opened = Store(folders.database)
    yield opened
    opened.close()


@pytest.fixture
def archive(folders, store) -> Iterator[StateArchive]:
    opened = StateArchive(folders.states, store)
    yield opened
    opened.close()


@pytest.fixture
def node(store: Store) -> int:
    return new_node(store)


def new_node(store: Store, chat: int | None = None) -> int:
    chat = store.create_conversation().id if chat is None else chat
    return store.add_node(chat, None, "user", "x").id


def reopened(folders, store: Store, **options: int) -> StateArchive:
    """An archive as after a restart: nothing in memory."""
    return StateArchive(folders.states, store, **options)


def put(archive: StateArchive, node: int, position: int = 1, **options) -> Snapshot:
    snapshot = make_snapshot(options.pop("seed", position))
    archive.put(node, KEY, position, WEIGHTS, snapshot, disk=options.pop("disk", True))
    return snapshot


def files(archive: StateArchive) -> list[Path]:
    return sorted(archive._folder.glob("checkpoint-*.safetensors"))


def test_memory_answers_at_once(archive, node):
    kept = put(archive, node, disk=False)
    found = archive.find(node, KEY, WEIGHTS)
    assert found
    assert found.snapshot is kept
    assert (found.position, found.from_disk) == (1, False)
    archive.flush()
    assert files(archive) == []


@pytest.mark.parametrize("place", [(99, KEY, WEIGHTS), (None, "other", WEIGHTS), (None, KEY, "x")])
def test_another_node_text_or_model_finds_nothing(archive, node, place):
    put(archive, node)
    archive.flush()
    archive.forget_memory()
    assert archive.find(place[0] or node, *place[1:]) is None


def test_a_restart_finds_the_same_bits(archive, node, folders, store):
    kept = put(archive, node, 7)
    archive.close()
    again = reopened(folders, store)
    found = again.find(node, KEY, WEIGHTS)
    assert found
    assert same(found.snapshot, kept)
    assert found.snapshot.state.tokens_read == 7
    assert found.snapshot.sampler
    assert found.snapshot.sampler.rng_json == '{"seed": 1}'
    assert found.snapshot.sampler.ids.tolist() == [0, 1, 2]
    assert (found.position, found.from_disk) == (7, True)
    second = again.find(node, KEY, WEIGHTS)  # from memory now
    assert second
    assert not second.from_disk
    again.close()


def test_a_longer_state_replaces_the_shorter_file(archive, node, store):
    put(archive, node, 3)
    archive.flush()
    put(archive, node, 9)
    archive.flush()
    (row,) = store.checkpoints.all()
    assert row.position == 9
    assert [path.name for path in files(archive)] == [row.file]


def test_at_most_passes_over_what_knows_too_much(archive, node):
    put(archive, node, 9)
    archive.flush()
    put(archive, node, 4)
    archive.flush()
    archive.forget_memory()
    assert archive.find(node, KEY, WEIGHTS).position == 9
    assert archive.find(node, KEY, WEIGHTS, at_most=8).position == 4
    assert archive.find(node, KEY, WEIGHTS, at_most=3) is None


def test_what_waits_is_found_though_memory_is_too_small(folders, store, node):
    archive = reopened(folders, store, memory_bytes=10)
    gate = threading.Event()
    archive._jobs.put(gate.wait)
    kept = put(archive, node)
    found = archive.find(node, KEY, WEIGHTS)
    assert found
    assert found.snapshot is kept
    gate.set()
    archive.close()


def test_only_the_newest_of_a_queue_is_written(archive, node, store):
    gate = threading.Event()
    archive._jobs.put(gate.wait)
    for position in range(1, 20):
        put(archive, node, position)
    gate.set()
    archive.flush()
    (row,) = store.checkpoints.all()
    assert (row.id, row.position) == (1, 19)


def test_memory_forgets_the_least_recently_used(folders, store):
    archive = reopened(folders, store, memory_bytes=3 * make_snapshot().nbytes)
    nodes = [new_node(store) for _ in range(4)]
    for number in nodes[:3]:
        put(archive, number, disk=False)
    archive.find(nodes[0], KEY, WEIGHTS)
    put(archive, nodes[3], disk=False)
    kept = [bool(archive.find(number, KEY, WEIGHTS)) for number in nodes]
    assert kept == [True, False, True, True]
    archive.close()


def test_over_budget_the_least_recently_used_go_first(folders, store):
    archive = reopened(folders, store)
    chat = store.create_conversation().id
    nodes = [new_node(store, chat) for _ in range(5)]
    for number in nodes:
        put(archive, number)
        archive.flush()
    pinned = store.checkpoints.find(nodes[1], KEY, WEIGHTS)[0]
    store.checkpoints.pin(pinned.id, True)
    archive.forget_memory()
    archive.find(nodes[0], KEY, WEIGHTS)  # used now: the last to go
    archive.flush()
    size = archive.usage() // 5
    assert archive.prune(3 * size + size // 2) >= 2 * size
    left = {row.node for row in store.checkpoints.all()}
    assert left == {nodes[0], nodes[1], nodes[4]}
    archive.prune(0)  # pinned, and the newest of the chat
    assert {row.node for row in store.checkpoints.all()} == {nodes[1], nodes[4]}
    assert len(files(archive)) == 2
    archive.close()


def test_the_newest_of_each_chat_stays_but_not_of_deleted_ones(folders, store):
    archive = reopened(folders, store, budget_bytes=0)
    chats = [store.create_conversation().id for _ in range(3)]
    nodes = [new_node(store, chat) for chat in chats for _ in range(2)]
    for number in nodes:
        put(archive, number)
    archive.flush()
    assert {row.node for row in store.checkpoints.all()} == set(nodes[1::2])
    store.delete(chats[0])
    archive.prune()
    assert {row.node for row in store.checkpoints.all()} == {nodes[3], nodes[5]}
    archive.close()


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-50] ^= 1
    path.write_bytes(data)


def _scribble(path: Path) -> None:
    path.write_bytes(b"\xff" * 500)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [_truncate, _flip_a_bit, _scribble, _empty, _remove])
def test_a_damaged_file_is_dropped_and_logged(archive, node, store, caplog, damage):
    put(archive, node)
    archive.flush()
    archive.forget_memory()
    damage(files(archive)[0])
    assert archive.find(node, KEY, WEIGHTS) is None
    assert "was dropped" in caplog.text
    assert store.checkpoints.all() == []
    assert files(archive) == []


def test_a_file_of_other_weights_is_not_used(archive, store):
    ours, theirs = new_node(store), new_node(store)
    put(archive, ours)
    archive.put(theirs, KEY, 1, "other weights", make_snapshot(5), disk=True)
    archive.flush()
    archive.forget_memory()
    mine = store.checkpoints.find(ours, KEY, WEIGHTS)[0]
    other = store.checkpoints.find(theirs, KEY, "other weights")[0]
    shutil.copy(archive.path_of(other), archive.path_of(mine))
    assert archive.find(ours, KEY, WEIGHTS) is None


def test_the_start_cleans_up_what_a_crash_left(archive, node, folders, store):
    put(archive, node)
    archive.flush()
    lost = new_node(store)
    put(archive, lost)
    archive.close()
    archive.path_of(store.checkpoints.find(lost, KEY, WEIGHTS)[0]).unlink()
    stray = folders.states / f"checkpoint-{'0' * 32}.safetensors"
    half = folders.states / f".checkpoint-{'1' * 32}.safetensors.12345678.part"
    of_the_user = folders.states / "holiday.safetensors"
    for path in (stray, half, of_the_user):
        path.write_bytes(b"x")
    again = reopened(folders, store)
    again.flush()
    assert not stray.exists()
    assert not half.exists()
    assert of_the_user.exists()
    assert [row.node for row in store.checkpoints.all()] == [node]
    again.close()


def test_files_of_purged_chats_go(archive, node, store):
    put(archive, node)
    archive.flush()
    store.delete(store.node(node).conversation)
    store.purge_deleted(float("inf"))
    assert archive.usage() == 0
    archive.prune()
    assert files(archive) == []


def test_a_state_of_a_purged_node_is_no_error(archive, store, node):
    put(archive, 12345)
    archive.flush()
    assert files(archive) == []
    put(archive, node)
    archive.flush()
    assert store.checkpoints.all()
    assert archive.last_problem == ""


def test_a_full_disk_is_remembered_and_not_raised(archive, node, store, caplog):
    resource = pytest.importorskip("resource")  # not on Windows
    archive.flush()
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, old[1]))
    try:
        kept = put(archive, node)
        archive.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert "could not be saved" in archive.last_problem
    assert "A state was not saved" in caplog.text
    assert list(archive._folder.iterdir()) == []
    found = archive.find(node, KEY, WEIGHTS)
    assert found
    assert found.snapshot is kept
    put(archive, node, 2)
    archive.flush()
    assert archive.last_problem == ""
    assert len(files(archive)) == 1


def test_a_folder_that_is_a_file_is_remembered_and_not_raised(tmp_path, store, node):
    (tmp_path / "states").write_text("x")
    archive = StateArchive(tmp_path / "states", store)
    put(archive, node)
    archive.flush()
    assert archive.last_problem
    assert archive.usage() == 0
    archive.close()


def test_after_close_nothing_is_written_and_nothing_hangs(archive, node):
    put(archive, node)
    archive.close()
    assert len(files(archive)) == 1
    put(archive, node, 2)
    archive.flush()
    archive.close()
    assert archive.find(node, KEY, WEIGHTS).position == 2
    assert len(files(archive)) == 1


def test_personas_belong_to_no_chat_and_stay(archive, store):
    kept = make_snapshot(3)
    archive.save_persona("海盗 / CON", kept, WEIGHTS, {"template": "g1"})
    archive.save_persona("Ada", make_snapshot(4), WEIGHTS)
    archive.save_persona("Ada", make_snapshot(5), "")
    ada, pirate = archive.personas()
    assert (ada.name, ada.tokens_read, ada.fingerprint) == ("Ada", 5, "")
    assert (pirate.name, pirate.notes) == ("海盗 / CON", {"template": "g1"})
    assert same(archive.load_persona("海盗 / CON"), kept)
    archive.prune(0)
    assert archive.usage() == sum(p.size_bytes for p in archive.personas()) > 0
    archive.delete_persona("Ada")
    assert [p.name for p in archive.personas()] == ["海盗 / CON"]
    for missing in ("Ada", ""):
        with pytest.raises(EngineError):
            archive.load_persona(missing)
    with pytest.raises(EngineError):
        archive.save_persona("  ", kept, WEIGHTS)


def test_a_damaged_persona_is_left_out_of_the_list(archive, caplog):
    persona = archive.save_persona("Ada", make_snapshot(), WEIGHTS)
    _flip_a_bit(persona.path)
    with pytest.raises(DamagedFile):
        archive.load_persona("Ada")
    _scribble(persona.path)
    assert archive.personas() == []
    assert "left out" in caplog.text


def test_a_snapshot_without_logits_or_sampler(tmp_path):
    bare = Snapshot(make_snapshot().state)
    save_snapshot(tmp_path / "s", bare, {})
    again, words = load_snapshot(tmp_path / "s")
    assert again.logits is None
    assert again.sampler is None
    assert torch.equal(again.state.wkv, bare.state.wkv)
    assert words["created"]


_WRITER = """
import sys
from pathlib import Path
import tests.engine.test_archive as t
from engine.archive import StateArchive
from engine.store import Store
store = Store(Path(sys.argv[1]))
archive = StateArchive(Path(sys.argv[2]), store)
print("ready", flush=True)
for i in range(1, 100000):
    node = t.new_node(store)
    t.put(archive, node, i)
    archive.flush()
    print(node, flush=True)
"""


def test_kill_9_never_leaves_a_half_file_in_use(folders):
    command = [sys.executable, "-c", _WRITER, str(folders.database), str(folders.states)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        done = [int(process.stdout.readline()) for _ in range(5)]
        process.kill()
    store = Store.open(folders.database)
    archive = StateArchive(folders.states, store)
    archive.flush()
    for position, node in enumerate(done, start=1):
        found = archive.find(node, KEY, WEIGHTS)
        assert found
        assert same(found.snapshot, make_snapshot(position))
    assert {row.file for row in store.checkpoints.all()} == {p.name for p in files(archive)}
    assert not [name for name in os.listdir(folders.states) if name.endswith(".part")]
    archive.close()
    store.close()


def test_what_comes_while_a_write_fails_in_any_way_is_still_written(
    archive, node, store, monkeypatch
):
    real = archive._write_file

    def fail(place, entry):
        monkeypatch.setattr(archive, "_write_file", real)
        put(archive, node, 2)  # a newer one arrives just then
        raise RuntimeError("out of memory")

    monkeypatch.setattr(archive, "_write_file", fail)
    put(archive, node, 1)
    archive.flush()
    assert [row.position for row in store.checkpoints.all()] == [2]
    assert archive._waiting == {}


def test_a_forgotten_node_has_no_state_anywhere(archive, node, store):
    other = new_node(store)
    put(archive, node)
    put(archive, other)
    archive.forget(node)
    assert archive.find(node, KEY, WEIGHTS) is None
    assert archive.find(other, KEY, WEIGHTS)
    assert len(files(archive)) == 1
