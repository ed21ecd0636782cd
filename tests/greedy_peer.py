"""Greedy tokens by another engine, in a process of its own: ``python -m tests.greedy_peer``.

Arguments: rwkv or llama_cpp, a model file, the ids to read separated by commas, how many to write.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any


def greedy(peer: str, path: Path, tokens: Sequence[int], count: int) -> list[int]:
    """Return what a peer writes after these tokens."""
    ids = ",".join(map(str, tokens))
    command = [sys.executable, "-m", "tests.greedy_peer", peer, str(path), ids, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def main(peer: str, path: str, ids: str, count: str) -> None:
    """Print the tokens as JSON in the last line."""
    run = {"rwkv": by_rwkv, "llama_cpp": by_llama_cpp}[peer]
    print(json.dumps(run(path, [int(one) for one in ids.split(",")], int(count))))


def by_rwkv(path: str, tokens: list[int], count: int) -> list[int]:
    """Run the author's package, which adds the .pth to the name itself."""
    os.environ.update(RWKV_V7_ON="1", RWKV_JIT_ON="0", RWKV_CUDA_ON="0")
    from rwkv.model import RWKV

    model = RWKV(model=path.removesuffix(".pth"), strategy="cpu fp32")
    state = None

    def step(read: list[int]) -> int:
        nonlocal state
        logits, state = model.forward(read, state)
        return int(logits.argmax())

    return written(step, tokens, count)


def by_llama_cpp(path: str, tokens: list[int], count: int) -> list[int]:
    """Run llama.cpp by its C interface."""
    import numpy as np

    llama_cpp: Any = import_module("llama_cpp")  # it may not be installed
    quiet = llama_cpp.llama_log_callback(lambda *_: None)
    llama_cpp.llama_log_set(quiet, None)
    llama_cpp.llama_backend_init()
    params = llama_cpp.llama_model_default_params()
    params.n_gpu_layers = 0
    model = llama_cpp.llama_model_load_from_file(path.encode(), params)
    assert model, "llama.cpp does not load it"
    options = llama_cpp.llama_context_default_params()
    options.n_ctx, options.n_threads, options.n_threads_batch = 256, 1, 1
    context = llama_cpp.llama_init_from_model(model, options)
    rows = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))

    def step(read: list[int]) -> int:
        ids = (llama_cpp.llama_token * len(read))(*read)
        batch = llama_cpp.llama_batch_get_one(ids, len(read))
        assert llama_cpp.llama_decode(context, batch) == 0
        logits = llama_cpp.llama_get_logits_ith(context, -1)
        return int(np.ctypeslib.as_array(logits, (rows,)).argmax())

    return written(step, tokens, count)


def written(step: Callable[[list[int]], int], tokens: list[int], count: int) -> list[int]:
    """Return ``count`` tokens, each the likeliest after what was read and written."""
    made = [step(tokens)]
    while len(made) < count:
        made.append(step(made[-1:]))
    return made


if __name__ == "__main__":
    main(*sys.argv[1:])
