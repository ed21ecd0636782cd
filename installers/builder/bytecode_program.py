"""Walks Skein's ways inside a tree and prints which byte code files were loaded, as JSON.

Started by the tree's own Python (installers/builder/bytecode.py) with a folder to work in.
"""

import contextlib
import importlib
import io
import json
import sys
from pathlib import Path


def main() -> None:
    """Import, compute, train a step, ask a hub that does not answer; then print."""
    loaded: set[str] = set()

    def note(event: str, given: tuple[object, ...]) -> None:
        # Not sys.modules: some modules of torch put another object in their place.
        if event == "open" and isinstance(given[0], str) and given[0].endswith(".pyc"):
            loaded.add(given[0])

    sys.addaudithook(note)
    for package in ("app", "engine", "kernels", "resources"):
        folder = Path(importlib.import_module(package).__path__[0])
        for path in sorted(folder.rglob("*.py")):
            parts = (package, *path.relative_to(folder).with_suffix("").parts)
            if parts[-1] != "__main__":
                importlib.import_module(".".join(parts).removesuffix(".__init__"))
    with contextlib.redirect_stdout(io.StringIO()):
        _train_a_step()
        for words in (["--help"], ["models"], ["hardware"], ["models", "--remote"]):
            _command(words)
        _compute()
    print(json.dumps(sorted(loaded)))


def _command(words: list[str]) -> None:
    """Run a command of Skein's; that it ends with an error here is no news."""
    from engine.cli.main import main as command

    with contextlib.suppress(SystemExit), contextlib.redirect_stderr(io.StringIO()):
        command(words)


def _train_a_step() -> None:
    import torch
    from torch.utils.checkpoint import checkpoint

    weights = torch.nn.Parameter(torch.ones(4, 4))
    optimizer = torch.optim.AdamW([weights])
    loss = torch.nn.functional.cross_entropy(weights @ weights, torch.arange(4))
    loss.backward()
    torch.nn.utils.clip_grad_norm_([weights], 1.0)
    optimizer.step()
    checkpoint(lambda x: x * weights, weights, use_reentrant=False)
    torch.save({"w": weights.data}, Path(sys.argv[1]) / "w.pth")
    torch.load(Path(sys.argv[1]) / "w.pth", weights_only=True)


def _compute() -> None:
    """Let Gosling answer by torch, and by the native engine."""
    from engine.built_in import require_built_in
    from engine.model import RWKV

    for strategy in ("cpu fp32", "cpu bf16", "auto"):
        RWKV(require_built_in(), strategy).forward([0, 1, 2, 3])


if __name__ == "__main__":
    main()
