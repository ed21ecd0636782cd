"""A small tour of the engine for cards, to be run under compute-sanitizer."""

from engine.backends.graphs import NoGraphs
from engine.sampling import Sampler
from engine.sampling_params import SamplingParams
from tests.benchmarks.gpu_tools import TINY, opened, synchronize, tokens_of


def main() -> None:
    """Step, read, step in rows and draw, in every type and both layouts of value matrices."""
    for weights in ("fp16", "int8", "q4"):
        for by_input in (False, True):
            with opened(
                "tiny", weights, graphs=NoGraphs(), by_input=by_input, cache=None
            ) as backend:
                tokens = tokens_of(40, TINY.vocab)
                state = backend.new_state()
                logits = backend.forward(tokens, state)
                states = [backend.new_state() for _ in range(5)]
                backend.forward_batch([[token] for token in tokens[:5]], states)
                writer = backend.writer(Sampler(SamplingParams(seed=1), TINY.vocab))
                for _ in range(3):
                    logits = writer.read(writer.draw(logits), state)
            synchronize()
            print("done", weights, by_input, flush=True)


if __name__ == "__main__":
    main()
