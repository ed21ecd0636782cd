"""A small tour of the engine for cards, to be run under compute-sanitizer."""

import torch

from engine.backends.cuda import CudaBackend
from engine.backends.graphs import NoGraphs
from engine.sampling import Sampler
from engine.sampling_params import SamplingParams
from engine.strategy import Strategy
from tests.benchmarks.gpu_checks import TINY
from tests.benchmarks.gpu_tools import programs, tokens_of
from tests.benchmarks.random_model import RandomSource, random_info


def main() -> None:
    """Step, read, step in rows and draw, in every type."""
    compiled = programs()
    for weights in ("fp16", "int8", "q4"):
        strategy = Strategy.parse(f"cuda {weights}")
        info = random_info(TINY, "tiny")
        backend = CudaBackend(info, strategy, RandomSource(TINY), compiled, NoGraphs())
        tokens = tokens_of(40, TINY.vocab)
        state = backend.new_state()
        logits = backend.forward(tokens, state)
        states = [backend.new_state() for _ in range(5)]
        backend.forward_batch([[token] for token in tokens[:5]], states)
        writer = backend.writer(Sampler(SamplingParams(seed=1), TINY.vocab))
        for _ in range(3):
            logits = writer.read(writer.draw(logits), state)
        backend.close()
        torch.cuda.synchronize()
        print("done", weights, flush=True)


if __name__ == "__main__":
    main()
