"""Screenshots of the real window: ``python -m tests.benchmarks.screenshots [FOLDER]``.

The window, its engine thread and its store are the real ones, in a folder of their own. The chat
with Gosling, the built-in model, is a real one: what it says was written while the pictures were
taken. The other chats (formulas, Chinese, an error) show texts that were written by us and put
into the store; no speed in them is a measurement.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

from PySide6.QtWidgets import QApplication

from app.application import Application, build
from engine.hub.catalogue import Catalogue
from engine.hub.connection import DEFAULT_ENDPOINT
from engine.hub.remote_model import RemoteModel, describe
from engine.store import Store

SIZE = (1180, 780)

TALK = (
    "Hi! I'm Mara, and I live in Lisbon with my cat Pip.",
    "How do I branch a chat?",
    "What is 47 + 38?",
    "Tell me a short story about Pip, a cat, in a lighthouse.",
    "What is my cat called?",
    "And where do I live?",
)

QUESTION = "How can a recurrent network remember a whole conversation in a few megabytes?"
ANSWER = """ It does not keep the words, it keeps what they *meant for what comes next*.

Every layer holds one matrix per head. A new token first fades the matrix, then removes what \
stood under its key, and writes its value there:

$$S_t = S_{t-1}\\,\\mathrm{diag}(w_t) + (S_{t-1} a_t)\\, b_t^\\top + v_t\\, k_t^\\top$$

So the size never changes, however long the chat becomes:

| model | state of one chat |
|---|---|
| 0.1B | 2.4 MB |
| 1.5B | 13 MB |
| 7.2B | 35 MB |

To go on tomorrow, only this is loaded:

```python
state = load_state("monday.safetensors").state
logits = model.forward([next_token], state)
```
"""
CHINESE_QUESTION = "用一句话解释什么是“状态”，再写一首关于大雁的短诗。"
CHINESE_ANSWER = """ **状态**就是模型读过的全部内容留下的记忆：大小固定，可以保存、继续、分支。

> 秋空一线雁南行，
> 云影随风写不成。
> 莫道来时无旧路，
> 心中自有万里程。
"""
STATS = {
    "tokens": 212,
    "seconds": 4.9,
    "read_tokens": 23,
    "read_seconds": 0.04,
    "resumed_tokens": 1841,
    "from_disk": True,
}


def main() -> None:
    """Take every picture; the folder defaults to resources/screenshots."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ.setdefault("HF_ENDPOINT", "http://127.0.0.1:9")
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "resources/screenshots")
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ["SKEIN_HOME"] = home
        camera = Camera(target, Path(home))
        camera.take_all()


class Camera:
    """The app in a temporary home, with example chats."""

    def __init__(self, target: Path, home: Path) -> None:
        self._target = target
        self._chats = _fill(home / "data" / "chats.sqlite3")
        _remember_catalogue(home / "cache")
        self._app: Application = build(["skein"])
        self._app.window.resize(*SIZE)
        self._app.window.show()
        self._wait(lambda: self._app.loaded is not None)
        self._chats["chat"] = self._talk()

    def _talk(self) -> int:
        """Chat with the model that is loaded; return the chat."""
        chat = self._app.chat
        chat.open(None)
        for question in TALK:
            chat.send(question)
            self._wait(lambda: not chat.busy)
        assert chat.conversation is not None
        return chat.conversation

    def take_all(self) -> None:
        """Light and dark, a chat, Chinese, empty, an error, models, settings."""
        app = self._app
        for theme in ("light", "dark"):
            app.settings.set("theme", theme)
            for name, chat in self._chats.items():
                app.chat.open(chat)
                self._shoot(f"{name}_{theme}")
            app.chat.open(None)
            self._shoot(f"empty_{theme}")
            for page in ("models", "settings"):
                app.window.show_page(page)
                app.settings_page.show_section("inference")
                self._shoot(f"{page}_{theme}")
                if page == "models":
                    app.models_page.show_tab("available")
                    self._shoot(f"available_{theme}")
                    app.models_page.show_tab("ready")
            app.window.show_page("chat")
        app.chat.open(self._chats["chat"])
        app.chat_page.set_drawer_open(True)
        self._shoot("drawer_dark")
        app.chat_page.set_drawer_open(False)
        app.window.resize(660, 600)
        self._shoot("narrow_dark")
        app.window.close()
        app.close()

    def _shoot(self, name: str) -> None:
        end = time.monotonic() + 0.4
        while time.monotonic() < end or not self._app.chat_page.idle:
            QApplication.processEvents()
            time.sleep(0.01)
        self._app.window.grab().save(str(self._target / f"{name}.png"))
        print(name)

    def _wait(self, what) -> None:
        while not what():
            QApplication.processEvents()
            time.sleep(0.01)


def _remember_catalogue(cache: Path) -> None:
    """Leave a list as the last visit to the hub does: released names and sizes (rwkv7-g1)."""
    sizes = {
        "0.1b": 382_223_725,
        "0.4b": 901_776_749,
        "1.5b": 3_055_445_693,
        "2.9b": 5_896_275_005,
        "7.2b": 14_400_009_405,
        "13.3b": 26_540_871_429,
    }
    repo = "BlinkDL/rwkv7-g1"
    models = [
        describe(repo, f"rwkv7-g1d-{size}-20260129-ctx8192.pth", size_bytes=size_bytes)
        for size, size_bytes in sizes.items()
    ]
    models += [
        describe(repo, f"rwkv7-g1c-{size}-20251231-ctx8192.pth", size_bytes=size_bytes)
        for size, size_bytes in list(sizes.items())[:4]
    ]
    for size, size_bytes in list(sizes.items())[:5]:
        models += _copies(size, size_bytes)
    models.append(
        describe("BlinkDL/rwkv-6-world", _OLDER, size_bytes=3_199_000_000),
    )
    Catalogue(cache, DEFAULT_ENDPOINT)._write({repo: models})


_OLDER = "RWKV-x060-World-1.6B-v2.1-20240328-ctx4096.pth"
_BITS = {"F16": 16.0, "Q8_0": 8.5, "Q6_K": 6.6, "Q5_K_M": 5.7, "Q4_K_M": 4.9}


def _copies(size: str, size_bytes: int) -> list[RemoteModel]:
    """The same model as others offer it: quantised, and in the Hugging Face layout."""
    maker = f"shoumenchougou/RWKV7-G1d-{size}-GGUF"
    quantised = [
        describe(
            maker,
            f"rwkv7-g1d-{size}-20260129-ctx8192-{name}.gguf",
            size_bytes=int(size_bytes * bits / 16),
        )
        for name, bits in _BITS.items()
    ]
    folder = describe(f"RWKV/RWKV7-G1d-{size.upper()}-HF", "", size_bytes=size_bytes)
    return [*quantised, folder]


def _fill(path: Path) -> dict[str, int]:
    """Write example chats; return their ids by picture."""
    store = Store.open(path)
    for title in ("Packing list for Kyoto", "俳句を三つ", "Explain this stack trace"):
        _chat(store, title, [("Hello", " Hello!")])
    chats = {
        "error": _chat(store, "Summarise the minutes", [("Summarise this, please.", "")]),
        "chinese": _chat(store, "什么是状态", [(CHINESE_QUESTION, CHINESE_ANSWER)]),
        "formulas": _chat(store, "How a state remembers", [(QUESTION, ANSWER)]),
    }
    last = store.conversation(chats["error"]).current_node
    assert last is not None
    store.update_node(
        last, status="failed", error="The model ran out of memory. Choose smaller weights."
    )
    store.close()
    return chats


def _chat(store: Store, title: str, turns: list[tuple[str, str]]) -> int:
    chat = store.create_conversation(title).id
    parent = None
    for question, answer in turns:
        asked = store.add_node(chat, parent, "user", question)
        reply = store.add_node(
            chat, asked.id, "assistant", answer, model="rwkv7-g1d-1.5b-20260129-ctx8192"
        )
        store.update_node(reply.id, stats=STATS)
        parent = reply.id
    return chat


if __name__ == "__main__":
    main()
