"""Where does a step of many rows spend its time? Sections of ``gpu.py`` that are asked for by name.

As in ``gpu_parts``: each kernel by what a step takes less without it, and by a chain of nothing
but it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kernels.cuda.rows import bucket_of
from tests.benchmarks.gpu_tools import device_ms, opened, programs, tokens_of

if TYPE_CHECKING:
    from engine.backends.cuda import CudaBackend
    from kernels.cuda.rows import RowsStep
    from kernels.cuda.weights import Weights
    from tests.benchmarks.gpu import Run

_ONCE = ("embed", "mix_head", "head")
_NEED_S = {"0.1B": 8, "0.4B": 8, "1.5B": 10, "2.9B": 14}


def rowparts(run: "Run") -> None:
    """Microseconds a layer of each kernel of a step of many rows, beside those of what it reads."""
    from tests.benchmarks.gpu_rowcuts import variants

    for size, kind, backend in models(run, "rowparts"):
        for rows in run.batches:
            if run.enough(4, "rowparts", size=size, type=kind, rows=rows):
                step = recorded(backend, rows)
                _parts(run, size, kind, rows, step, backend._weights)
            if run.enough(10, "rowparts", size=size, type=kind, variants=rows):
                variants(run, size, kind, rows, backend)


def models(run: "Run", section: str) -> "Iterator[tuple[str, str, CudaBackend]]":
    """Yield a backend of each size and type while there is time."""
    for size in run.sizes:
        for kind in run.types:
            if run.enough(_NEED_S.get(size, 20), section, size=size, type=kind):
                with (
                    run.part(section, size=size, type=kind),
                    opened(size, kind, run.actives[0]) as backend,
                ):
                    yield size, kind, backend


def recorded(backend: "CudaBackend", rows: int) -> "RowsStep":
    """Return the step of so many chats, after it has read a token of each."""
    states = [backend.new_state() for _ in range(rows)]
    for state in states:
        for tensor in state.tensors().values():
            tensor.normal_(std=0.1)
    tokens = [[token] for token in tokens_of(rows, backend.info.shape.vocab)]
    backend.forward_batch(tokens, states)
    return backend._rows._recorded[bucket_of(rows)][0]


def step_ms(step: "RowsStep", names: set[str], rounds: int = 25) -> float:
    """Return the milliseconds of the launches with these names, in a graph."""
    from engine.backends.cuda import graphs_of

    def work() -> None:
        for name, launch in step.launches:
            if name in names:
                launch.run()

    return device_ms(graphs_of(programs().device).captured(work), rounds, 4)


def _parts(
    run: "Run", size: str, kind: str, rows: int, step: "RowsStep", weights: "Weights"
) -> None:
    every = dict.fromkeys(name for name, _ in step.launches)
    whole = step_ms(step, set(every))
    of = {"size": size, "type": kind, "rows": rows}
    run.row("rowparts", **of, kernel="all", ms=whole, launches=len(step), cut=str(step.cut))
    read = read_bytes(weights, rows)
    for name in every:
        count = 1 if name in _ONCE else weights.sizes.layers
        run.row(
            "rowparts",
            **of,
            kernel=name,
            less_us=(whole - step_ms(step, set(every) - {name})) * 1e3 / count,
            alone_us=step_ms(step, {name}) * 1e3 / count,
            read_us=read.get(name, 0) / run.bandwidth * 1e6 if run.bandwidth else 0.0,
        )


def read_bytes(weights: "Weights", rows: int) -> dict[str, int]:
    """Return the bytes that each kernel must move: weights once, states in and out."""
    layer, width = weights.layers[0], weights.sizes.width
    value = "value_by_input" if layer.value.by_input else "value"
    return {
        "in": layer.projections.nbytes + layer.lora_in.nbytes,
        "recur": sum(lora.nbytes for lora in layer.lora_out) + rows * 2 * 256 * width,
        "output": layer.output.nbytes,
        "key": layer.key.nbytes,
        value: layer.value.nbytes,
        "head": weights.head.nbytes + rows * 4 * weights.sizes.vocab,
    }
