"""How long a saved chat takes to its first new token, by the chat's length.

    python -m tests.benchmarks.resume MODEL.pth [--tokens 1000 50000] [--runs 5] [--profile]

Counted from the start of ``Session.run`` to the first ``Token`` event: the model is loaded, the
archive is fresh, its memory is empty and the state's file is out of the page cache where the
system lets us say so. Chats up to --read tokens are really read and written; longer ones are
laid into the store as they would lie there, with one state at the end whose numbers come from
the last hundred tokens only: how long it takes does not depend on what the numbers are.
"""

import argparse
import cProfile
import gc
import os
import pstats
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from engine.archive import StateArchive
from engine.events import Event, Finished, Token, Turn
from engine.folders import Folders
from engine.hardware import detect
from engine.model import Model, load_model
from engine.sampling import SamplingParams
from engine.segments import SegmentMaker
from engine.session import Session
from engine.snapshot import Snapshot
from engine.store import Store
from engine.strategy import Strategy
from tests.benchmarks.conditions import median, print_conditions

PARAMS = SamplingParams(top_p=0.9, seed=1, max_tokens=2)
QUESTION = "What does the state of a recurrent network hold after a long conversation? "
ANSWER = (
    "It holds a matrix per head; every token changes it a little, and what is read once is "
    "never read again. 状态大小固定，因此内存占用与对话长度无关。 "
)


class Desk:
    """One start of the program on the folders: a store, an archive and a session."""

    def __init__(self, folders: Folders, model: Model) -> None:
        self.store = Store.open(folders.database)
        self.archive = StateArchive(folders.states, self.store)
        self.session = Session(model, self.store, self.archive)

    def close(self) -> None:
        self.archive.close()
        self.store.close()

    def reply_to(self, parent: int | None, conversation: int, text: str) -> int:
        question = self.store.add_node(conversation, parent, "user", text)
        return self.store.add_node(conversation, question.id, "assistant", "", status="writing").id


def build_by_reading(folders: Folders, model: Model, tokens: int) -> int:
    """Make a chat as a person does, by questions and written replies; return its last node."""
    desk = Desk(folders, model)
    conversation = desk.store.create_conversation(f"{tokens} tokens").id
    leaf, read = None, 0
    while read < tokens:
        leaf = desk.reply_to(leaf, conversation, QUESTION * 8)
        turn = Turn(leaf, SamplingParams(top_p=0.9, seed=1, max_tokens=32))
        stats = desk.session.run(turn, lambda _event: None, lambda: False).stats
        read = stats.resumed_tokens + stats.read_tokens + stats.tokens
    desk.close()
    assert leaf is not None
    return leaf


def build_by_laying(folders: Folders, model: Model, tokens: int) -> int:
    """Lay a chat into the store, and one state behind its last reply; return its last node."""
    desk = Desk(folders, model)
    conversation = desk.store.create_conversation(f"{tokens} tokens").id
    encode = model.tokenizer.encode
    answer = tuple(encode(ANSWER * 4))
    leaf, laid = None, 0
    while laid < tokens:
        leaf = desk.reply_to(leaf, conversation, QUESTION * 4)
        desk.store.update_node(
            leaf,
            text=ANSWER * 4,
            tokens=answer,
            status="done",
            fingerprint=model.info.fingerprint,
        )
        laid += len(answer) + len(encode(QUESTION * 4))
    assert leaf is not None
    maker = SegmentMaker(model, model.template, "")
    last = maker.segments(desk.store.path_to(leaf))[-1]
    state = model.backend.new_state()
    logits = model.backend.forward(answer[-100:], state).cpu().numpy().copy()
    state.tokens_read = laid
    snapshot = Snapshot(state.clone().to("cpu"), logits)
    desk.archive.put(leaf, last.key, len(answer), model.info.fingerprint, snapshot, disk=True)
    desk.archive.flush()
    desk.close()
    return leaf


def forget_pages(folder: Path) -> bool:
    """Ask the system to read these files from the disk next time; tell whether it can."""
    if not hasattr(os, "posix_fadvise"):
        return False
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True


def first_token(folders: Folders, model: Model, leaf: int) -> tuple[float, Finished]:
    """Return the seconds to the first token of a new reply after a restart."""
    forget_pages(folders.data)
    desk = Desk(folders, model)
    reply = desk.reply_to(leaf, desk.store.node(leaf).conversation, "And then?")
    seen: list[float] = []

    def emit(event: Event) -> None:
        if isinstance(event, Token):
            seen.append(time.perf_counter())

    began = time.perf_counter()
    finished = desk.session.run(Turn(reply, PARAMS), emit, lambda: False)
    desk.close()
    assert finished.stats.from_disk, "the state was not found: this measures something else"
    return seen[0] - began, finished


def measure(model: Model, tokens: int, runs: int, build: Callable[..., int]) -> None:
    home = Path(tempfile.mkdtemp(prefix="skein-resume-"))
    try:
        folders = Folders.below(home)
        folders.create()
        leaf = build(folders, model, tokens)
        found = [first_token(folders, model, leaf) for _ in range(runs)]
        times, stats = [seconds for seconds, _ in found], found[-1][1].stats
        way = "read and written" if build is build_by_reading else "laid into the store"
        print(
            f"{stats.resumed_tokens:7,} tokens ({way}): first {times[0] * 1000:5.0f} ms, "
            f"median {median(times) * 1000:5.0f} ms, max {max(times) * 1000:5.0f} ms "
            f"to the first token; {stats.read_tokens} tokens read",
            flush=True,
        )
    finally:
        shutil.rmtree(home)


def main() -> None:
    """Measure every length."""
    parser = argparse.ArgumentParser(description="First token of a resumed chat.")
    parser.add_argument("model", type=Path)
    parser.add_argument("--tokens", type=int, nargs="+", default=[1_000, 50_000])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--read", type=int, default=2_000, help="read chats up to this length")
    parser.add_argument("--strategy", default="auto")
    parser.add_argument("--profile", action="store_true", help="say where the time goes")
    options = parser.parse_args()
    model = load_model(options.model, Strategy.parse(options.strategy), detect(None))
    gc.freeze()  # as app.services.engine does
    print_conditions(f"{model.info.name}, {model.plan.strategy}; goal: under 300 ms")
    profiler = cProfile.Profile() if options.profile else None
    for tokens in options.tokens:
        build = build_by_reading if tokens <= options.read else build_by_laying
        if profiler:
            profiler.enable()
        measure(model, tokens, options.runs, build)
        if profiler:
            profiler.disable()
    if profiler:
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(35)


if __name__ == "__main__":
    main()
