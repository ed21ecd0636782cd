"""Other engines under the same measurements: the ``rwkv`` package and llama.cpp.

Each reads tokens onto a fresh state and writes greedily, as its own documentation advises.
"""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from engine.errors import EngineError
from engine.strategy import Strategy

PEERS = ("rwkv", "llama.cpp")
_LIKE_OURS = {"fp32": "F32", "fp16": "F16", "bf16": "BF16", "int8": "Q8_0", "q4": "Q4_K_M"}
_BATCH = 512  # llama.cpp's own default for reading


def open_peer(name: str, path: Path, strategy: Strategy, threads: int) -> "Rwkv | LlamaCpp":
    """Return a peer with the model loaded.

    name: "rwkv", "llama.cpp" (in the type that is nearest to ours) or "llama.cpp:Q4_0".
    Raises EngineError for another name, or when the peer's package is missing.
    """
    require_peer(name)
    kind, _, weights = name.partition(":")
    if kind == "rwkv":
        return Rwkv(path, strategy)
    return LlamaCpp(path, weights or _LIKE_OURS.get(strategy.native_weights, "F16"), threads)


def require_peer(name: str) -> None:
    """Raise EngineError unless there is such a peer."""
    if name not in PEERS and not name.startswith("llama.cpp:"):
        raise EngineError(
            f"Skein cannot compare with '{name}'.", f"Use --compare {' or '.join(PEERS)}."
        )


class Rwkv:
    """The ``rwkv`` package, as its README says to use it."""

    name = "rwkv"

    def __init__(self, path: Path, strategy: Strategy) -> None:
        os.environ.setdefault("RWKV_V7_ON", "1")
        os.environ.setdefault("RWKV_JIT_ON", "1")
        os.environ.setdefault("RWKV_CUDA_ON", "0")
        from rwkv.model import RWKV  # pyright: ignore[reportMissingImports]

        # On a CPU the package has no fp16; fp32 is what its README advises there.
        on_cpu = strategy.stages[0].device == "cpu"
        words = "cpu fp32" if on_cpu else "cuda fp16"
        self._model = RWKV(model=str(path.with_suffix("")), strategy=words)
        self._state: Any = None
        self._next = 0

    def read(self, tokens: Sequence[int]) -> None:
        """Read tokens onto a fresh state."""
        logits, self._state = self._model.forward(list(tokens), None)
        self._next = int(logits.argmax())

    def write(self, count: int) -> None:
        """Write that many tokens."""
        for _ in range(count):
            logits, self._state = self._model.forward([self._next], self._state)
            self._next = int(logits.argmax())


class LlamaCpp:
    """llama.cpp by its C interface, so that no Python of the binding's is measured with it."""

    def __init__(self, path: Path, weights: str, threads: int) -> None:
        """Convert ``path`` to a GGUF in a folder that is deleted again, and load it.

        weights: llama.cpp's name of a type, such as "Q8_0". Raises EngineError.
        """
        try:
            import llama_cpp  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise EngineError(
                "The comparison with llama.cpp needs its Python package.",
                "Install it: pip install llama-cpp-python (a compiler is needed).",
            ) from error
        self.name = f"llama.cpp {weights}"
        self._c = llama_cpp
        self._log = llama_cpp.llama_log_callback(lambda *_: None)  # pages of it on every load
        llama_cpp.llama_log_set(self._log, None)
        llama_cpp.llama_backend_init()
        self._model: Any = None
        with tempfile.TemporaryDirectory() as folder:
            file = _make_gguf(llama_cpp, path, Path(folder), weights, threads)
            params = llama_cpp.llama_model_default_params()
            params.n_gpu_layers = 0
            if hasattr(llama_cpp, "LLAMA_LOAD_MODE_NONE"):  # no mapping: the file goes away
                params.load_mode = llama_cpp.LLAMA_LOAD_MODE_NONE
            else:  # as older releases name it
                params.use_mmap = False
            self._model = llama_cpp.llama_model_load_from_file(str(file).encode(), params)
        if not self._model:
            raise EngineError(f"llama.cpp could not load the model as {weights}.")
        self._context = self._new_context(threads)
        self._vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self._model))
        self._next = 0

    def _new_context(self, threads: int) -> object:
        params = self._c.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = 4 * _BATCH, _BATCH, _BATCH
        params.n_threads = params.n_threads_batch = threads
        context = self._c.llama_init_from_model(self._model, params)
        if not context:
            raise EngineError("llama.cpp could not make a context for this model.")
        return context

    def read(self, tokens: Sequence[int]) -> None:
        """Read tokens onto a fresh state."""
        self._c.llama_memory_clear(self._c.llama_get_memory(self._context), True)
        for begin in range(0, len(tokens), _BATCH):
            self._decode(tokens[begin : begin + _BATCH])

    def write(self, count: int) -> None:
        """Write that many tokens."""
        for _ in range(count):
            self._decode([self._next])

    def _decode(self, tokens: Sequence[int]) -> None:
        import numpy as np

        ids = (self._c.llama_token * len(tokens))(*tokens)
        code = self._c.llama_decode(self._context, self._c.llama_batch_get_one(ids, len(tokens)))
        if code:
            raise EngineError(f"llama.cpp failed with code {code}.")
        logits = self._c.llama_get_logits_ith(self._context, -1)
        self._next = int(np.ctypeslib.as_array(logits, (self._vocab,)).argmax())


def _make_gguf(llama_cpp: ModuleType, path: Path, folder: Path, weights: str, threads: int) -> Path:
    """Return a GGUF of the model in one of our types, or quantised from one by llama.cpp."""
    from engine.convert import convert

    plain = folder / "plain.gguf"
    is_plain = weights in ("F32", "F16", "BF16")
    convert(path, plain, weights.lower() if is_plain else "bf16")
    if is_plain:
        return plain
    kind = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{weights}", None)
    if kind is None:
        raise EngineError(f"llama.cpp has no type '{weights}'.", "Try Q8_0, Q4_K_M or BF16.")
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype, params.nthread = kind, threads
    made = folder / "quantised.gguf"
    code = llama_cpp.llama_model_quantize(str(plain).encode(), str(made).encode(), params)
    if code:
        raise EngineError(f"llama.cpp could not quantise the model to {weights}.")
    plain.unlink()
    return made
