"""How long the transcript holds the GUI thread: opening, scrolling, streaming. Prints, asserts not.

    QT_QPA_PLATFORM=offscreen python -m tests.benchmarks.transcript [--light] [--cpu]

"longest" is the longest time between two beats of a 1 ms timer: what a person would feel. With
``--cpu`` only the time that the GUI thread itself worked counts, for machines that do more.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QCoreApplication, QTimer
from PySide6.QtWidgets import QApplication

from app.chat.document_style import StyleShelf
from app.chat.formulas import FormulaShelf
from app.chat.highlight import Highlighter
from app.chat.message_view import ViewTools
from app.chat.thinking import ThinkingClock
from app.chat.transcript import Transcript
from app.chat.workshop import Workshop
from app.models.message import Message
from app.theme import Theme
from engine.templates import load_templates
from tests.app.scripted_chat import ScriptedChat

if TYPE_CHECKING:
    from app.models.chat import ChatModel

PARAGRAPH = (
    "The state is a **matrix** per head, updated by *one step* for each token; see `wkv` and "
    "the [paper](https://example.org). It holds all that was read, in constant memory. "
)
SECTION = (
    "## Heading\n\n"
    + PARAGRAPH * 3
    + "\n\n1. one with `code`\n2. two\n   - nested\n3. three\n\n"
    + "```python\ndef step(state, r, w, k, v):\n    return state * w + v @ k  # decay\n```\n\n"
    + "| a | b |\n|---|--:|\n| 1 | 2 |\n\nInline $x_t^2$ and more.\n\n"
    + "中文段落，状态大小固定，因此内存占用与对话长度无关。" * 4
    + "\n\n"
)


class Heartbeat:
    """Measures the longest silence of the event loop."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.gaps: list[float] = []
        self._clock = clock
        self._last = clock()
        self._timer = QTimer(interval=1)
        self._timer.timeout.connect(self._beat)

    def _beat(self) -> None:
        now = self._clock()
        self.gaps.append((now - self._last) * 1000)
        self._last = now

    def start(self) -> None:
        self.gaps.clear()
        self._last = self._clock()
        self._timer.start()

    def report(self, name: str) -> None:
        self._timer.stop()
        gaps = sorted(self.gaps)
        over = sum(gap > 16 for gap in gaps)
        p99 = gaps[int(len(gaps) * 0.99)]
        print(
            f"{name:38} longest {gaps[-1]:6.1f} ms   p99 {p99:5.1f} ms   "
            f"over 16 ms: {over} of {len(gaps)}"
        )


def spin(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        QCoreApplication.processEvents()


def conversation(count: int) -> list[Message]:
    texts = ("A question of a line or two, as people ask them.", SECTION)
    roles = ("user", "assistant")
    return [Message(i + 1, roles[i % 2], f"{i} {texts[i % 2]}", model="m") for i in range(count)]


def tokens(text: str) -> Iterator[str]:
    for start in range(0, len(text), 4):
        yield text[start : start + 4]


def stream(chat: ScriptedChat, text: str, per_second: float) -> None:
    """Write like an engine: every 33 ms what came meanwhile."""
    chat.send("Go")
    pieces = tokens(text)
    each = max(1, round(per_second * 0.033))
    while batch := "".join(piece for _, piece in zip(range(each), pieces, strict=False)):
        chat.write(batch)
        spin(0.033)
    chat.finish()
    spin(0.5)


def timed(name: str, work: Callable[[], None]) -> None:
    start = time.perf_counter()
    work()
    print(f"{name:38} {1000 * (time.perf_counter() - start):6.1f} ms")


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--light", action="store_true", help="shorter streams")
    parser.add_argument("--cpu", action="store_true", help="this thread's own time only")
    options = parser.parse_args()
    light = options.light
    sys.setswitchinterval(0.001)  # as the engine does in the real app
    qt_app = QApplication(sys.argv[:1])
    theme = Theme()
    theme.apply(qt_app, "light")
    workshop = Workshop()
    split = load_templates()["world"].split_thinking
    tools = ViewTools(
        theme,
        StyleShelf(theme),
        FormulaShelf(workshop),
        Highlighter(workshop),
        split,
        ThinkingClock(),
        str,
    )
    chat = ScriptedChat()
    transcript = Transcript(tools, cast("ChatModel", chat))
    transcript.resize(900, 800)
    transcript.show()
    spin(0.3)
    beat = Heartbeat(time.thread_time if options.cpu else time.perf_counter)
    messages = conversation(1000)
    timed("open 1,000 messages", lambda: chat.reset(messages))
    beat.start()
    spin(1.5)
    beat.report("after opening, idle")
    beat.start()
    bar = transcript.verticalScrollBar()
    for _ in range(100):
        bar.setValue(bar.value() - 120)
        spin(0.016)
    beat.report("scroll up slowly")
    beat.start()
    for _ in range(20):
        bar.setValue(bar.value() - 3000)
        spin(0.05)
    beat.report("scroll by screens")
    size = 1 if light else 4
    for name, text in (
        ("stream sections", SECTION * (4 * size)),
        ("stream one long paragraph", PARAGRAPH * (10 * size)),
        ("stream one long list", "- an item with **bold** words\n" * (60 * size)),
        ("stream long code", "```python\n" + "x = f(y) + 1  # why\n" * (100 * size) + "```\n"),
        ("stream Chinese", "状态大小固定，因此内存占用与对话长度无关。" * (40 * size)),
    ):
        chat.reset([])
        spin(0.2)
        beat.start()
        stream(chat, text, 400)
        beat.report(f"{name}, {len(text) / 1000:.0f} kB")
    workshop.close()


if __name__ == "__main__":
    main()
