"""``skein generate``: a text goes on, streamed to standard output."""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.built_in import require_built_in
from engine.cli.loading import (
    LoraOption,
    PowerSavingOption,
    StrategyOption,
    interrupted,
    open_model,
)
from engine.errors import EngineError
from engine.sampling_params import SamplingParams

if TYPE_CHECKING:
    from engine.generate import Generation
    from engine.model import Model
    from engine.snapshot import Snapshot


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("generate")(generate_command)


def generate_command(
    file: Annotated[
        Path | None, typer.Argument(help="A model file; without one: the built-in model.")
    ] = None,
    prompt: Annotated[str, typer.Option(help="The text to go on from; '-' reads it.")] = "",
    max_tokens: Annotated[int, typer.Option(help="Tokens to write at most.")] = 256,
    temperature: Annotated[float, typer.Option()] = 1.0,
    top_p: Annotated[float, typer.Option()] = 0.5,
    top_k: Annotated[int, typer.Option()] = 0,
    presence_penalty: Annotated[float, typer.Option()] = 0.5,
    frequency_penalty: Annotated[float, typer.Option()] = 0.1,
    penalty_decay: Annotated[float, typer.Option()] = 0.996,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same text.")] = None,
    stop: Annotated[list[str] | None, typer.Option(help="Stop before this text.")] = None,
    strategy: StrategyOption = "auto",
    lora: LoraOption = None,
    power_saving: PowerSavingOption = False,
    state: Annotated[Path | None, typer.Option(help="A state file to go on from.")] = None,
    save_state: Annotated[Path | None, typer.Option(help="Where to save the state after.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Write on from a prompt, without any chat template."""
    params = SamplingParams(
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        presence_penalty=presence_penalty,
        frequency_penalty=frequency_penalty,
        penalty_decay=penalty_decay,
        seed=seed,
        max_tokens=max_tokens,
        stop=tuple(stop or ()),
    ).validated()
    text = sys.stdin.read() if prompt == "-" else prompt
    model = open_model(file or require_built_in(), strategy, lora or (), power_saving=power_saving)
    _write_on(model, text, params, state, save_state, as_json=as_json)


def _write_on(
    model: "Model",
    prompt: str,
    params: SamplingParams,
    state_file: Path | None,
    save_state: Path | None,
    *,
    as_json: bool,
) -> None:
    from engine.snapshot import Snapshot
    from engine.state_files import open_for, save_for

    start = open_for(state_file, model.info) if state_file else None
    generation, read_tokens, read_seconds = _begin(model, start, prompt, params)
    seconds = _stream(generation, quiet=as_json)
    if save_state is not None:
        logits = generation.logits.cpu().numpy()
        snapshot = Snapshot(generation.state.to("cpu"), logits, generation.sampler.save())
        save_for(save_state, snapshot, model.info)
    told = {
        "text": generation.text,
        "tokens": generation.tokens,
        "reason": generation.reason,
        "strategy": str(model.backend.strategy),
        "read_tokens": read_tokens,
        "read_seconds": read_seconds,
        "seconds": seconds,
        "tokens_per_s": len(generation.tokens) / seconds if seconds else 0.0,
    }
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        typer.echo()
        typer.echo(f"{len(generation.tokens)} tokens, {told['tokens_per_s']:.1f}/s", err=True)


def _begin(
    model: "Model", start: "Snapshot | None", prompt: str, params: SamplingParams
) -> "tuple[Generation, int, float]":
    """Read the prompt on top of the state; return the generation, tokens read, seconds.

    Without a prompt it goes on with the very next token, which the state's file must hold.
    """
    import torch

    from engine.generate import Generation
    from engine.sampling import Sampler

    state = model.new_state()
    sampler = Sampler(params, model.info.shape.vocab, model.unused, model.uncounted)
    logits = None
    if start is not None:
        state.copy_from(start.state)
        logits = None if start.logits is None else torch.from_numpy(start.logits)
        if start.sampler is not None and not prompt and params.seed is None:
            sampler.restore(start.sampler)
    # A sequence begins with id 0; a state that has read something has begun already.
    tokens = ([0] if prompt and not state.tokens_read else []) + model.tokenizer.encode(prompt)
    began = time.perf_counter()
    if tokens:
        logits = model.backend.forward(tokens, state)
    if logits is None:
        raise EngineError(
            "There is nothing to go on from.",
            "Give --prompt TEXT, or --state FILE of a state that Skein saved.",
        )
    generation = Generation(
        model.backend,
        model.tokenizer,
        sampler,
        state,
        logits,
        stops=params.stop,
        max_tokens=params.max_tokens,
    )
    return generation, len(tokens), time.perf_counter() - began


def _stream(generation: "Generation", *, quiet: bool) -> float:
    """Print the text as it comes; Ctrl+C stops it. Return the seconds."""
    began = time.perf_counter()
    with interrupted() as stop:
        for token in generation.run(stop.is_set):
            if not quiet:
                sys.stdout.write(token.text)
                sys.stdout.flush()
    return time.perf_counter() - began
