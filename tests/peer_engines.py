"""Other engines, each in a process of its own: ``python -m tests.peer_engines``.

Arguments: rwkv or llama_cpp, a model file, the ids to read separated by commas, how many to write;
or quantise, a GGUF, the new one, llama.cpp's name of a mix.
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
    return _run(peer, str(path), ",".join(map(str, tokens)), str(count))


def quantised(source: Path, target: Path, mix: str) -> Path:
    """Let llama.cpp quantise a GGUF to one of its mixes, such as Q4_K_M."""
    assert _run("quantise", str(source), str(target), mix) == [0]
    return target


def _run(*arguments: str) -> list[int]:
    command = [sys.executable, "-m", "tests.peer_engines", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def main(what: str, path: str, *more: str) -> None:
    """Print numbers as JSON in the last line."""
    if what == "quantise":
        print(json.dumps([quantise(path, *more)]))
        return
    run = {"rwkv": by_rwkv, "llama_cpp": by_llama_cpp}[what]
    print(json.dumps(run(path, [int(one) for one in more[0].split(",")], int(more[1]))))


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


def quiet_llama_cpp() -> Any:
    """Return the package, which may not be installed, and let it say nothing."""
    package: Any = import_module("llama_cpp")
    package.skein_log = package.llama_log_callback(lambda *_: None)  # kept as long as the package
    package.llama_log_set(package.skein_log, None)
    package.llama_backend_init()
    return package


def quantise(path: str, target: str, mix: str) -> int:
    """Return what llama.cpp's own quantisation returns: 0 when it went well."""
    llama_cpp = quiet_llama_cpp()
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype, params.nthread = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{mix}"), 1
    return llama_cpp.llama_model_quantize(path.encode(), target.encode(), params)


def by_llama_cpp(path: str, tokens: list[int], count: int) -> list[int]:
    """Run llama.cpp by its C interface."""
    import numpy as np

    llama_cpp = quiet_llama_cpp()
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
