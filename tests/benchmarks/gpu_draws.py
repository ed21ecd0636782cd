"""What does a draw on the card cost, by how it is drawn and from which logits? Of ``gpu.py``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from engine.backends.cuda import graphs_of
from engine.sampling import Sampler
from engine.sampling_params import SamplingParams
from kernels.cuda.sampler import DeviceSampler, Drawing, SamplerCut
from tests.benchmarks.gpu_tools import ON_CARD, device_ms, opened, programs, tokens_of

if TYPE_CHECKING:
    from kernels.cuda.program import LaunchLike
    from tests.benchmarks.gpu import Run

VOCAB = 65536 if ON_CARD else 2000
_REPEATS = 20 if ON_CARD else 1
_PEAKED = 3.0  # standard deviation of logits about as in text
WAYS = {
    "greedy": Drawing(temperature=0),
    "all": Drawing(),
    "penalties, warm": Drawing(temperature=0.8, presence=0.5, frequency=0.1, decay=0.996),
    "top-p": Drawing(top_p=0.5),
    "top-p 0.95": Drawing(top_p=0.95),
    "top-k": Drawing(top_k=40),
    "top-p, top-k": Drawing(top_p=0.5, top_k=32),
    "top-p, min-p, warm": Drawing(top_p=0.9, min_p=0.02, temperature=0.8),
}
CUTS = (
    SamplerCut(),
    SamplerCut(rehearsals=(0, 0, 0, 1)),
    SamplerCut(rehearsals=(0, 0, 1, 1)),
    SamplerCut(rehearsals=(0, 1, 1, 1)),
    SamplerCut(rehearsals=(1, 1, 1, 1)),
    SamplerCut(rehearsals=(0, 1, 1, 2)),
    SamplerCut(rehearsals=(0, 0, 0, 2)),
    SamplerCut(pick_threads=256),
    SamplerCut(pick_threads=1024),
)
IN_STEP = {
    "greedy": SamplingParams(temperature=0, presence_penalty=0, frequency_penalty=0),
    "top-p": SamplingParams(top_p=0.5, seed=1),
    "top-p, top-k": SamplingParams(temperature=1.0, top_p=0.5, top_k=32, seed=1),
    "everything": SamplingParams(top_p=1.0, presence_penalty=0, frequency_penalty=0, seed=1),
}


def sampler(run: "Run") -> None:
    """Microseconds: in a step, then draws by themselves and how far each of their kernels gets."""
    for size in run.sizes:
        for peaked in (False, True):
            with run.part("sampler", size=size, peaked=peaked):
                _in_step(run, size, peaked)
    for kind in ("text", "flat"):
        for cut in CUTS if ON_CARD else CUTS[:2]:
            with run.part("sampler", logits=kind, cut=str(cut)):
                _alone(run, kind, cut)


def _in_step(run: "Run", size: str, peaked: bool) -> None:
    """What drawing adds to a step. peaked: the head is made louder, for logits as of text."""
    with opened(size, "int8") as backend:
        state, vocab = backend.new_state(), backend.info.shape.vocab
        prompt = tokens_of(64, vocab)
        spread = float(backend.forward(prompt, state).std())
        if peaked and (scales := backend._weights.head.scales) is not None:
            scales.mul_(_PEAKED / spread)
        logits = backend.forward(prompt, backend.new_state())
        alone = device_ms(backend.step_replay(state), 60, 10)
        for cut in CUTS if ON_CARD else CUTS[4:5]:
            backend._draws = backend.new_draws(cut)
            added = {}
            for way, params in IN_STEP.items():
                # Measuring draws what nobody takes.
                writer = backend.writer(Sampler(params, vocab))
                writer.read(writer.draw(logits), state)
                greedy = params.temperature == 0
                both = device_ms(lambda g=greedy: backend.step_and_draw(g), 60, 10)
                backend._draws.sampler.owner = None  # what it drew is gone
                added[way] = round((both - alone) * 1e3, 1)
            std = float(logits.std())
            row = {"size": size, "std": std, "cut": str(cut), "step_ms": alone}
            run.row("sampler", **row, added_us=added)


def _alone(run: "Run", kind: str, cut: SamplerCut) -> None:
    """Draws one after the other, all kernels and only the first ones of them."""
    device = programs().device
    draws = DeviceSampler(programs(), VOCAB, 1, 1, device, cut=cut)
    logits = _logits(kind).to(device)[None]
    slots = torch.zeros(1, dtype=torch.int32, device=device)
    token = torch.zeros(1, dtype=torch.int32, device=device)
    for way, drawing in WAYS.items():
        draws.load(0, drawing)
        launches = draws.bind(logits, slots, token, greedy=drawing.is_greedy)
        parts = [_microseconds(launches[:count]) for count in range(1, len(launches) + 1)]
        run.row("sampler", logits=kind, cut=str(cut), way=way, us=parts[-1], kernels_us=parts)


def _microseconds(launches: "Sequence[LaunchLike]") -> float:
    """Return what one round of launches takes, many of them in one graph."""

    def work() -> None:
        for _ in range(_REPEATS):
            for launch in launches:
                launch.run()

    replay = graphs_of(programs().device).captured(work)
    return round(device_ms(replay, 20, 3) * 1e3 / _REPEATS, 2)


def _logits(kind: str) -> torch.Tensor:
    """Return fp32 [VOCAB]: of random weights ("flat"), or falling by rank as of text."""
    rng = torch.Generator().manual_seed(1)
    noise = torch.randn(VOCAB, generator=rng)
    if kind == "flat":
        return noise
    ranks = torch.randperm(VOCAB, generator=rng) + 1
    return noise * 0.5 - 1.4 * ranks.log()
