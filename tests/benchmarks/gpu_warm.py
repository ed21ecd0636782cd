"""Compiles what a size and type need on this card: ``... gpu_warm SIZE TYPE``.

Kernels do not depend on the number of layers, so a model of two stands for all. ``gpu.py`` runs
many of these at once; what they compile is kept in its folder of cubins. Nothing is measured.
"""

import sys
from dataclasses import replace

from engine.sampling import Sampler
from engine.sampling_params import SamplingParams
from kernels.cuda.rows import BUCKETS
from kernels.cuda.step import Step, StepBuffers
from kernels.cuda.step_cut import candidates
from tests.benchmarks.gpu_tools import ON_CARD, opened, programs, shape_of, synchronize, tokens_of
from tests.benchmarks.random_model import RandomSource


def main() -> None:
    """Step, read, draw, step in rows of all numbers; then bind every cut of a step."""
    size, weights = sys.argv[1:]
    shape = replace(shape_of(size), layers=2)
    source = RandomSource(shape, device="cuda" if ON_CARD else "cpu")
    with opened(size, weights, source=source, cache=None) as backend:
        state, vocab = backend.new_state(), shape.vocab
        logits = backend.forward(tokens_of(40, vocab), state)
        writer = backend.writer(Sampler(SamplingParams(seed=1), vocab))
        writer.read(writer.draw(logits), state)
        for rows in BUCKETS if ON_CARD else BUCKETS[:1]:
            states = [backend.new_state() for _ in range(rows)]
            backend.forward_batch([[token] for token in tokens_of(rows, vocab)], states)
        held = backend._weights
        buffers = StepBuffers.zeros(held.sizes, programs().device)
        for cut in candidates(held.sizes, held.kind) if ON_CARD else ():
            Step(held, programs(), buffers, cut)
        synchronize()


if __name__ == "__main__":
    main()
