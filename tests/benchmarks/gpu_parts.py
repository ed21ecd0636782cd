"""Where does a step's time go? A section of ``gpu.py``, which runs when it is asked for by name.

Kernels overlap (dependent launches), so that no clock tells one from the next. Each is measured
twice: by what a step takes less without it, and by a chain of nothing but it.
"""

from typing import TYPE_CHECKING

from tests.benchmarks.gpu_tools import device_ms, opened, programs, synchronize

if TYPE_CHECKING:
    from engine.backends.graphs import Graphs
    from kernels.cuda.step import Step
    from kernels.cuda.weights import Weights
    from tests.benchmarks.gpu import Run


def parts(run: "Run") -> None:
    """Microseconds a layer of each kernel of a step, beside those of reading its weights."""
    from engine.backends.cuda import graphs_of
    from kernels.cuda.step import Step, StepBuffers

    for size in run.sizes:
        for kind in run.types:
            if not run.enough(20, "parts", size=size, type=kind):
                continue
            options = {"cache": None}
            with (
                run.part("parts", size=size, type=kind),
                opened(size, kind, run.actives[0], **options) as backend,
            ):
                held = backend._weights
                device = programs().device
                buffers = StepBuffers.zeros(held.sizes, device)
                step = Step(held, programs(), buffers)
                for _ in range(3):
                    step.run()
                synchronize()
                _parts(run, size, kind, step, held, graphs_of(device))


def _parts(
    run: "Run", size: str, kind: str, step: "Step", weights: "Weights", graphs: "Graphs"
) -> None:
    def ms(names: set[str]) -> float:
        def work() -> None:
            for name, launch in step.launches:
                if name in names:
                    launch.run()

        return device_ms(graphs.captured(work), 40, 5)

    every = {name for name, _ in step.launches}
    whole, layers = ms(every), weights.sizes.layers
    run.row("parts", size=size, type=kind, kernel="all", ms=whole, launches=len(step.launches))
    layer = weights.layers[0]
    read = {
        "mix_in": layer.projections.nbytes + layer.lora_in.nbytes,
        "recur": sum(lora.nbytes for lora in layer.lora_out) + 512 * weights.sizes.width,
        "output": layer.output.nbytes,
        "key": layer.key.nbytes,
        "value": layer.value.nbytes,
        "value_sparse": layer.value.nbytes * run.actives[0],
        "head": weights.head.nbytes,
    }
    for name in sorted(every):
        count = 1 if name in ("embed", "head") else layers
        run.row(
            "parts",
            size=size,
            type=kind,
            kernel=name,
            less_us=(whole - ms(every - {name})) * 1e3 / count,
            alone_us=ms({name}) * 1e3 / count,
            read_us=read.get(name, 0) / run.bandwidth * 1e6 if run.bandwidth else 0.0,
        )
