"""What the smoke test runs inside a tree: window, answer or resume (smoke.py starts it).

Started by the tree's own Python with the step's name and a folder to work in.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.model import Model
    from engine.state import State

_TOKENS = 24


def window(folder: Path) -> str:
    """Import every module of Skein, then show the window and look at what was drawn."""
    modules = _import_all()
    from app.application import build

    application = build(["skein"])
    application.window.show()
    application.qt_app.processEvents()
    picture = application.window.grab().toImage()
    points = range(0, picture.width() * picture.height(), 997)
    colours = {picture.pixel(at % picture.width(), at // picture.width()) for at in points}
    application.close()
    if len(colours) < 3:
        raise SystemExit(f"the window shows {len(colours)} colours")
    return f"{modules} modules, {picture.width()} x {picture.height()}, {len(colours)} colours"


def _import_all() -> int:
    """Import every module of Skein; return how many those are."""
    names = []
    for package in ("app", "engine", "kernels", "resources"):
        folder = Path(importlib.import_module(package).__path__[0])
        for path in sorted(folder.rglob("*.py")):
            parts = (package, *path.relative_to(folder).with_suffix("").parts)
            names.append(".".join(parts).removesuffix(".__init__"))
    for name in names:
        if not name.endswith("__main__"):
            importlib.import_module(name)
    return len(names)


def answer(folder: Path) -> str:
    """Let Gosling answer, save its state, and note how it goes on from there."""
    from engine.snapshot import Snapshot, save_snapshot

    model = _model()
    turn = model.template.opening("") + model.template.turn(
        "Hello! Who are you?", "off", first=True
    )
    state = model.new_state()
    first, token = _write(model, state, [0, *model.tokenizer.encode(turn)])
    save_snapshot(folder / "smoke.safetensors", Snapshot(state), {"next": str(token)})
    then, _ = _write(model, state, [token])
    (folder / "expected.json").write_text(json.dumps(then), "utf-8")
    words = model.tokenizer.decode(first).strip()
    if not words:
        raise SystemExit("Gosling says nothing")
    return f"{model.plan.strategy}, {words[:60]!r}"


def resume(folder: Path) -> str:
    """Read on from the saved state, in a process that has read nothing else."""
    from engine.snapshot import load_snapshot

    model = _model()
    snapshot, words = load_snapshot(folder / "smoke.safetensors")
    then, _ = _write(model, snapshot.state, [int(words["next"])])
    expected = json.loads((folder / "expected.json").read_text("utf-8"))
    if then != expected:
        raise SystemExit(f"another answer than without the break: {then} and not {expected}")
    return f"the same {len(then)} tokens from {snapshot.state.tokens_read} read ones"


def _model() -> "Model":
    from engine.built_in import require_built_in
    from engine.folders import Folders
    from engine.hardware import detect
    from engine.model import load_model
    from engine.strategy import Strategy
    from kernels.cpu.library import find_library

    if find_library() is None:
        raise SystemExit("the native library is not in the tree")
    folders = Folders.standard()
    folders.create()
    return load_model(require_built_in(), Strategy.parse("auto"), detect(folders.cache))


def _write(model: "Model", state: "State", tokens: list[int]) -> tuple[list[int], int]:
    """Read tokens, draw the likeliest ones; return them, and the one to read next."""
    drawn: list[int] = []
    logits = model.backend.forward(tokens, state)
    for _ in range(_TOKENS):
        drawn.append(int(logits.argmax()))
        logits = model.backend.forward(drawn[-1:], state)
    return drawn, int(logits.argmax())


if __name__ == "__main__":
    print({"window": window, "answer": answer, "resume": resume}[sys.argv[1]](Path(sys.argv[2])))
