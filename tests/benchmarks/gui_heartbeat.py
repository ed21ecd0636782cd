"""How long the GUI thread of the real app is ever held: at start, streaming, opening, typing.

    python -m tests.benchmarks.gui_heartbeat [MODEL.pth] [--why] [--seconds 8]

Runs offscreen unless DISPLAY is set. Without a model it makes the tests' tiny one, which writes
far faster than anybody reads. The model's arithmetic is real, but its words come from a script
with headings, lists, code, tables, formulas and Chinese; ``--own-words`` lets it draw its own.
``--why`` names what held the thread. Nothing here is asserted; the goal is that no gap exceeds
16 ms while a reply streams.
"""

import argparse
import itertools
import logging
import os
import sys
import tempfile
from pathlib import Path

if not os.environ.get("DISPLAY"):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractScrollArea, QWidget

from app.application import Application, build
from app.models.message import ChatSettings
from engine.sampling import SamplingParams
from engine.store import Store
from tests.benchmarks.conditions import print_conditions
from tests.benchmarks.heartbeat import Gaps, Heartbeat, spin, spin_until

ANSWER = (
    "## Heading\n\nThe state is a **matrix** per head, updated by *one step* for each token; "
    "see `wkv`.\n\n1. one with `code`\n2. two\n   - nested\n\n"
    "```python\ndef step(state, r, w, k, v):\n    return state * w + v @ k  # decay\n```\n\n"
    "| a | b |\n|---|--:|\n| 1 | 2 |\n\nInline $x_t^2$ and more.\n\n"
    "中文段落，状态大小固定，因此内存占用与对话长度无关。\n\n"
)


class Bench:
    """One start of the real app on a folder of its own."""

    def __init__(self, model: Path, why: bool) -> None:
        self._why = why
        self.app: Application = build(["skein", str(model)])
        self.heart = Heartbeat()

    def report(self, gaps: Gaps) -> None:
        print(gaps.line(), flush=True)
        for gap, places in gaps.blame if self._why else ():
            print(f"      {gap:.0f} ms")
            for place in dict.fromkeys(places):
                print(f"         {place}")

    def start(self) -> None:
        """The window appears; torch is imported, the model loads, the machine is looked at."""
        self.heart.start("the window is shown")
        self.app.window.show()
        spin_until(self._exposed)
        self.report(self.heart.stop())
        self.heart.start("from then until the model is loaded")
        spin_until(lambda: self.app.loaded is not None)
        self.report(self.heart.stop())
        self.heart.start("two seconds after that")
        spin(2.0)
        self.report(self.heart.stop())

    def _exposed(self) -> bool:
        handle = self.app.window.windowHandle()
        return handle is not None and handle.isExposed()

    def ask(self, text: str, tokens: int) -> None:
        sampling = SamplingParams(top_p=0.9, seed=3, max_tokens=tokens)
        self.app.chat.change_settings(ChatSettings(sampling=sampling))
        assert self.app.chat.send(text)

    def stream(self, seconds: float) -> None:
        """A long reply of the model streams, as fast as it can write it."""
        self.app.chat.open(None)
        spin(0.5)
        self.ask("Tell me a long story", 0)
        spin_until(lambda: len(self._last_text()) > 20, 20.0)
        self.heart.start("a reply streams")
        spin(seconds)
        gaps = self.heart.stop()
        self.report(gaps)
        print(f"      {len(self._last_text()):,} characters were written")

    def type_while_streaming(self, seconds: float) -> None:
        """Somebody types meanwhile, ten keys a second."""
        composer = self._find("composer")
        composer.setFocus()
        self.heart.start("typing while a reply streams")
        for i in range(int(seconds * 10)):
            QTest.keyClicks(composer, "abcde "[i % 6])
            spin(0.1)
        self.report(self.heart.stop())
        self.app.chat.stop()
        spin_until(lambda: not self.app.chat.busy)

    def open_long_chat(self, messages: int) -> None:
        """A chat with that many messages is opened and scrolled through."""
        self.app.chat.open(None)
        conversation = _lay_chat(self.app.store, messages)
        self.app.conversations.refresh()
        spin(1.0)
        self.heart.start(f"opening a chat of {messages:,} messages")
        self.app.chat.open(conversation)
        spin(1.5)
        self.report(self.heart.stop())
        bar = self._scroll_area().verticalScrollBar()
        self.heart.start("scrolling it up slowly")
        for _ in range(60):
            bar.setValue(bar.value() - 120)
            spin(0.016)
        self.report(self.heart.stop())
        self.heart.start("scrolling it by screens")
        for _ in range(30):
            bar.setValue(bar.value() - 3000)
            spin(0.05)
        self.report(self.heart.stop())
        self.app.chat.open(None)

    def close(self) -> None:
        self.heart.close()
        self.app.close()

    def _last_text(self) -> str:
        return self.app.chat.messages[-1].text if self.app.chat.messages else ""

    def _find(self, name: str) -> QWidget:
        found = self.app.window.findChild(QWidget, name)
        assert isinstance(found, QWidget), name
        return found

    def _scroll_area(self) -> QAbstractScrollArea:
        found = self._find("transcript")
        assert isinstance(found, QAbstractScrollArea)
        return found


def _follow_script() -> None:
    """Let every sampler of this process draw the tokens of ``ANSWER``, over and over."""
    from engine.sampling import Sampler
    from engine.tokenizer import WorldTokenizer

    script = itertools.cycle(WorldTokenizer.load().encode(ANSWER))
    draw = Sampler._draw  # pyright: ignore[reportPrivateUsage]

    def draw_script(self: Sampler, logits: object) -> int:
        draw(self, logits)  # pyright: ignore[reportArgumentType] - it costs what it costs
        return next(script)

    Sampler._draw = draw_script  # pyright: ignore[reportPrivateUsage]


def _lay_chat(store: Store, messages: int) -> int:
    conversation = store.create_conversation(f"{messages} messages").id
    parent = None
    for i in range(messages // 2):
        parent = store.add_node(conversation, parent, "user", f"Question {i}, of a line.").id
        parent = store.add_node(conversation, parent, "assistant", f"{i}\n\n{ANSWER}").id
    return conversation


def main() -> None:
    """Measure every part."""
    parser = argparse.ArgumentParser(description="Gaps of the GUI thread.")
    parser.add_argument("model", type=Path, nargs="?")
    parser.add_argument("--why", action="store_true", help="name what held the thread")
    parser.add_argument("--seconds", type=float, default=8.0, help="of streaming")
    parser.add_argument("--own-words", action="store_true", help="the model's, not a script's")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="skein-heartbeat-") as home:
        os.environ["SKEIN_HOME"] = home
        os.environ["HF_ENDPOINT"] = "http://127.0.0.1:9"  # nobody: no network is measured here
        model = options.model or _tiny(Path(home))
        platform = os.environ.get("QT_QPA_PLATFORM", "the desktop's")
        logging.disable(logging.CRITICAL)
        print_conditions(f"{model.name}; Qt platform {platform}")
        if not options.own_words:
            _follow_script()
        bench = Bench(model, options.why)
        try:
            bench.start()
            bench.stream(options.seconds)
            bench.type_while_streaming(options.seconds / 2)
            bench.open_long_chat(1000)
        finally:
            bench.close()


def _tiny(home: Path) -> Path:
    """Make the tests' tiny model in another process: torch must not be imported in this one."""
    import subprocess

    path = home / "rwkv7-g1d-tiny.pth"
    program = "import sys; from pathlib import Path; from tests.tiny import write_tiny_pth as w; "
    subprocess.run(
        [sys.executable, "-c", program + "w(Path(sys.argv[1]), width=64)", str(path)], check=True
    )
    return path


if __name__ == "__main__":
    main()
