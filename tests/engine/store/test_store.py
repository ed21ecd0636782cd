"""The file: migrations, damage, a full disk, several threads, several processes, kill -9."""

import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from engine.errors import StoreError
from engine.store import DamagedStore, Store
from engine.store.database import Database
from engine.store.schema import MIGRATIONS


def test_opening_twice_keeps_everything(folders):
    store = Store(folders.database)
    chat = store.create_conversation("kept")
    store.close()
    store = Store(folders.database)
    assert [c.title for c in store.conversations()] == ["kept"]
    assert store.conversation(chat.id) == chat
    store.close()
    with pytest.raises(StoreError):
        store.conversations()


def test_migrations_run_once_and_in_order(tmp_path):
    path = tmp_path / "x.sqlite3"
    Database(path, MIGRATIONS).close()

    def add_column(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE conversation ADD COLUMN folder TEXT NOT NULL DEFAULT ''")

    for _ in range(2):
        database = Database(path, (*MIGRATIONS, add_column))
        assert database.read("PRAGMA user_version")[0][0] == 2
        assert database.read("SELECT count(folder) FROM conversation")[0][0] == 0
        database.close()


def test_a_migration_that_fails_leaves_the_old_version(tmp_path):
    path = tmp_path / "x.sqlite3"
    Database(path, MIGRATIONS).close()

    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE half(a)")
        connection.execute("nonsense")

    with pytest.raises(StoreError):
        Database(path, (*MIGRATIONS, fail))
    database = Database(path, MIGRATIONS)
    assert not database.read("SELECT 1 FROM sqlite_master WHERE name='half'")
    database.close()


def test_a_newer_version_is_refused_and_untouched(folders):
    with sqlite3.connect(folders.database) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    before = folders.database.read_bytes()
    with pytest.raises(StoreError, match="newer"):
        Store.open(folders.database)
    assert folders.database.read_bytes() == before
    assert [path.name for path in folders.data.glob("*damaged*")] == []


@pytest.mark.parametrize("damage", [b"not a database at all" * 100, b"\x00" * 5000])
def test_a_damaged_file_is_kept_aside(folders, damage):
    folders.database.write_bytes(damage)
    with pytest.raises(DamagedStore):
        Store(folders.database)
    store = Store.open(folders.database)
    (kept,) = folders.data.glob("chats.damaged-*.sqlite3")
    assert kept.read_bytes() == damage
    assert kept.name in store.notice
    assert store.conversations() == []
    store.close()
    again = Store.open(folders.database)
    assert again.notice == ""
    again.close()


def test_a_truncated_file_is_kept_aside(folders):
    store = Store(folders.database)
    chat = store.create_conversation()
    for i in range(50):
        store.add_node(chat.id, None, "user", f"{i} " * 500)
    store.close()
    data = folders.database.read_bytes()
    folders.database.write_bytes(data[: len(data) // 2])
    store = Store.open(folders.database)
    assert store.notice
    store.close()


def test_damage_in_the_middle_is_met_later_and_handled_at_the_next_start(folders):
    store = Store(folders.database)
    chat = store.create_conversation()
    for i in range(100):
        store.add_node(chat.id, None, "user", f"{i} " * 500)
    store.close()
    data = bytearray(folders.database.read_bytes())
    half = len(data) // 2
    data[half : half + 40960] = b"\xff" * 40960
    folders.database.write_bytes(data)
    store = Store.open(folders.database)
    with pytest.raises(DamagedStore):
        [store.node(number) for number in range(1, 101)]
    store.close()
    store = Store.open(folders.database)
    assert store.notice
    assert store.conversations() == []
    store.close()


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError) as caught:
        Store.open(tmp_path / "file" / "chats.sqlite3")
    assert caught.value.hint


def test_readers_and_a_writer_at_once(store):
    chat = store.create_conversation().id
    node = store.add_node(chat, None, "assistant", "", status="writing").id
    problems: list[BaseException] = []
    written = threading.Event()

    def write() -> None:
        try:
            for i in range(1, 200):
                store.update_node(node, text="x" * i, tokens=range(i))
        except BaseException as error:
            problems.append(error)
        written.set()

    def read() -> None:
        try:
            while not written.is_set():
                seen = store.node(node)
                assert len(seen.text) == len(seen.tokens)
                store.conversations("xxx")
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work) for work in (write, read, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert problems == []
    assert len(store.node(node).text) == 199


def test_connections_of_ended_threads_are_closed(store):
    for _ in range(5):
        thread = threading.Thread(target=store.conversations)
        thread.start()
        thread.join()
    assert len(store._database._handles) == 1


def test_recover_waits_until_no_other_process_writes(folders, store):
    chat = store.create_conversation().id
    node = store.add_node(chat, None, "assistant", "x", status="writing").id
    code = "import sys; from engine.store import Store; from pathlib import Path\n"
    code += "store = Store(Path(sys.argv[1])); print(store.recover()); store.close()"
    command = [sys.executable, "-c", code, str(folders.database)]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert told.stdout.strip() == "0"
    assert store.node(node).status == "writing"
    assert store.recover() == 1


def test_a_full_disk_is_a_sentence_and_nothing_is_lost(folders, monkeypatch):
    store = Store(folders.database)
    chat = store.create_conversation("kept").id
    store.tidy()
    size = store._database.read("PRAGMA page_count")[0][0]
    # the limit of a connection stands in for that of a disk: the same SQLITE_FULL
    store._database.read(f"PRAGMA max_page_count={size + 2}")
    with pytest.raises(StoreError, match="disk is full"):
        store.add_node(chat, None, "user", "x" * 100_000)
    assert store.conversation(chat).title == "kept"
    assert store.children(chat, None) == []
    store._database.read("PRAGMA max_page_count=1000000")
    store.add_node(chat, None, "user", "x" * 100_000)
    store.close()


def test_a_limit_of_the_system_is_a_sentence(folders, store):
    resource = pytest.importorskip("resource")  # not on Windows
    chat = store.create_conversation("kept").id
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, old[1]))
    try:
        with pytest.raises(StoreError):
            store.add_node(chat, None, "user", "x" * 1_000_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert store.children(chat, None) == []
    store.add_node(chat, None, "user", "x" * 1_000_000)


_WRITER = """
import sys
from pathlib import Path
from engine.store import Store
store = Store(Path(sys.argv[1]))
chat = store.create_conversation("killed").id
node = None
print("ready", flush=True)
for i in range(100000):
    node = store.add_node(chat, None, "assistant", "", status="writing").id
    for length in range(1, 20):
        store.update_node(node, text="word " * length, tokens=range(length))
    store.update_node(node, status="done")
    print(node, flush=True)
"""


@pytest.mark.parametrize("replies", [1, 7, 30])
def test_kill_9_loses_nothing_that_was_written(folders, replies: int):
    command = [sys.executable, "-c", _WRITER, str(folders.database)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        done = [int(process.stdout.readline()) for _ in range(replies)]
        process.kill()
    store = Store.open(folders.database)
    assert store.notice == ""
    store.recover()
    chat = store.conversations()[0].id
    nodes = {node.id: node for node in store.children(chat, None)}
    assert all(nodes[number].status == "done" for number in done)
    assert all(node.status in ("done", "stopped") for node in nodes.values())
    for node in nodes.values():
        assert node.text == "word " * len(node.tokens)
    assert store._database.read("PRAGMA integrity_check")[0][0] == "ok"
    with store._database.write() as connection:
        connection.execute("INSERT INTO node_words(node_words) VALUES ('integrity-check')")
    store.close()


def test_the_guard_file_is_beside_the_store(folders: object, store: Store):
    assert Path(f"{store.path}.guard").exists()
