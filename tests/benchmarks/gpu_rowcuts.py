"""Which cut of a step of many rows is quickest here? A section of ``gpu.py``, run if asked for.

Shapes are compiled for all products at once; each product is then measured within a whole step,
whose other kernels are the best that were found so far. What comes out is printed as a Cut.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from kernels.cuda.arguments import CudaProblem
from kernels.cuda.compiler import find_compiler
from kernels.cuda.cubins import CubinKey
from kernels.cuda.driver import find_driver
from kernels.cuda.program import joined
from kernels.cuda.rows import SOURCES, RowsStep, bucket_of, macros_of
from kernels.cuda.rows_cut import Cut, Shape, split_of
from tests.benchmarks.gpu_rowparts import models, recorded, step_ms
from tests.benchmarks.gpu_tools import ON_CARD, device_ms, programs

if TYPE_CHECKING:
    from engine.backends.cuda import CudaBackend
    from kernels.cuda.program import LaunchLike
    from kernels.cuda.weights import Weights
    from tests.benchmarks.gpu import Run

_KIB = 1 << 10
_SHAPES = (  # side, deep, tiles, KiB
    *((2, 4, 1, 112), (4, 2, 1, 112), (4, 2, 2, 112), (2, 2, 2, 112), (4, 1, 2, 112)),
    *((2, 4, 1, 80), (4, 2, 1, 80), (2, 4, 1, 72), (4, 2, 2, 80), (2, 8, 1, 112), (2, 4, 2, 112)),
    *((4, 4, 1, 112), (8, 2, 1, 112), (4, 2, 2, 200), (2, 4, 2, 200), (4, 4, 1, 200)),
)
_BY_INPUT = (  # side, deep, tiles, KiB
    *((2, 2, 4, 112), (2, 4, 4, 112), (2, 4, 4, 200), (1, 4, 4, 112), (4, 2, 4, 200)),
    *((4, 2, 2, 112), (4, 4, 2, 112), (4, 4, 2, 200), (8, 2, 2, 112), (8, 2, 2, 200)),
    *((2, 4, 2, 112), (2, 2, 4, 80), (4, 2, 2, 80), (1, 8, 4, 200), (4, 2, 4, 112)),
    (8, 4, 2, 200),
)
_RECUR = ((4, 4, 2), (2, 2, 3), (2, 4, 2), (4, 2, 2), (1, 2, 3))
_FOLLOWS = {"mix_key": "output", "mix_in": "value", "mix_head": "value"}
"""Kernels that have to know in how many parts another one leaves its sums."""
_FIELDS = {"in": "into", "value_by_input": "value"}


def rowcuts(run: "Run") -> None:
    """Find the best cut for each number of rows; print what each kernel's change brought."""
    for size, kind, backend in models(run, "rowcuts"):
        for rows in run.batches:
            if run.enough(45 if ON_CARD else 1, "rowcuts", size=size, type=kind, rows=rows):
                with run.part("rowcuts", size=size, type=kind, rows=rows):
                    _Search(run, size, kind, rows, backend).run()


def variants(run: "Run", size: str, kind: str, rows: int, backend: "CudaBackend") -> None:
    """Tell how long a step takes with one number of its cut changed: a first look at each."""
    held = backend._rows
    first = recorded(backend, rows)
    bucket, cut = bucket_of(rows), first.cut
    cuts = {
        "as it is": cut,
        "line 128": replace(cut, line=128),
        "in states": replace(cut, in_states=True),
        **{f"group {n}": replace(cut, group=n) for n in (2, 4, 8) if n != cut.group},
        **{
            f"recur {recur} states {states}": replace(cut, recur=recur, recur_states=states)
            for recur in _RECUR
            for states in (False, True)
        },
        **{f"two digits: {n}": cut.changed(n, digits=2) for n in ("*", "key", "value", "head")},
    }
    if not ON_CARD:
        cuts = dict(list(cuts.items())[:2])
    weights = backend._weights
    compiled(weights, bucket, cuts.values())
    assert held._slots is not None
    assert held._buffers is not None
    for name, each in cuts.items():
        with run.part("rowparts", variant=name):
            step = RowsStep(weights, programs(), held._slots, held._buffers, bucket, each)
            names = {name for name, _ in step.launches}
            of = {"size": size, "type": kind, "rows": rows}
            run.row("rowparts", **of, variant=name, ms=step_ms(step, names))


class _Search:
    """The best launches so far of a size, type and number of rows."""

    def __init__(self, run: "Run", size: str, kind: str, rows: int, backend: "CudaBackend") -> None:
        self._run, self._of = run, {"size": size, "type": kind, "rows": rows}
        first = recorded(backend, rows)
        self._rows, self._backend = bucket_of(rows), backend
        self._weights: Weights = backend._weights
        self._scaled = kind in ("int8", "q4")
        self._cut = first.cut
        self._best: dict[str, RowsStep] = {name: first for name, _ in first.launches}
        self._names = [name for name, _ in first.launches]
        self._ms = self._measured(self._best)

    def run(self) -> None:
        """Search: shapes, then parts, rows of a recurrence's block and what comes early."""
        began = self._ms
        self._choose(self._shaped())
        self._choose(self._varied())
        whole = self._step(self._cut)
        ms = step_ms(whole, set(self._names))
        self._run.row("rowcuts", **self._of, began_ms=began, ms=ms, cut=repr(self._cut))
        for name in ("into", "output", "key", "value", "head", "*") if ON_CARD else ("*",):
            digits = self._step(self._cut.changed(name, digits=2))
            added = step_ms(digits, set(self._names)) - ms
            self._run.row("rowcuts", **self._of, digits=name, added_ms=added)

    def _shaped(self) -> list[Cut]:
        """Return cuts that have one shape for all products."""
        sizes, by_input = self._weights.sizes, self._weights.layers[0].value.by_input
        cuts = []
        for numbers, others in zip(_SHAPES, _BY_INPUT, strict=True):
            shape = Shape(*numbers[:3], numbers[3] * _KIB)
            side, deep, tiles, kib = others
            if self._scaled and tiles != 4:
                side, tiles = side // 2, 4
            value = Shape(side, deep, tiles, kib * _KIB) if by_input else shape
            if sizes.width % value.rows:
                continue
            stage = deep // 2 if by_input else shape.deep
            cuts.append(
                replace(
                    self._cut,
                    **dict.fromkeys(("into", "output", "key", "head"), shape),
                    value=value,
                    lora_tiles=max(1, shape.tiles // 2) if self._scaled else shape.tiles,
                    output_split=split_of(
                        -(-sizes.width // shape.rows), sizes.width // 64 // shape.deep
                    ),
                    value_split=split_of(-(-sizes.width // value.rows), sizes.ffn // 64 // stage),
                )
            )
        return cuts

    def _varied(self) -> list[Cut]:
        """Return cuts that differ from the best so far in one respect."""
        cut = self._cut
        splits = [
            replace(cut, output_split=output, value_split=value)
            for output, value in zip(
                _around(cut.output_split), _around(cut.value_split), strict=True
            )
        ]
        recurs = [
            replace(cut, group=n, recur=recur, recur_states=states)
            for n in (2, 4, 8)
            for recur in _RECUR
            for states in (False, True)
        ]
        others = [cut.changed("*", ahead=16 * _KIB), replace(cut, in_states=True)]
        return [*splits, *recurs, *others, replace(cut, line=128)]

    def _choose(self, cuts: Sequence[Cut]) -> None:
        """Take of these cuts, kernel by kernel, what is quicker than what there was."""
        cuts = cuts if ON_CARD else cuts[:1]
        compiled(self._weights, self._rows, cuts)
        tried = [step for cut in cuts if (step := self._tried(cut)) is not None]
        products = [name for name in dict.fromkeys(self._names) if _matters(name)]
        for name in products:
            different = {self._told(name, step.cut): i for i, step in enumerate(tried)}
            found = {str(i): self._with(name, tried[i]) for i in different.values()}
            times = {i: self._measured(best) for i, best in found.items()}
            i = min(times, key=lambda i: times[i], default="")
            self._run.row(
                "rowcuts",
                **self._of,
                kernel=name,
                before_ms=self._ms,
                ms={self._told(name, tried[int(i)].cut): round(t, 4) for i, t in times.items()},
            )
            if i and times[i] < self._ms:
                self._ms, self._best = times[i], found[i]
                self._cut = _taken(self._cut, name, tried[int(i)].cut)

    def _tried(self, cut: Cut) -> RowsStep | None:
        try:
            return self._step(cut)
        except CudaProblem as problem:
            self._run.row("rowcuts", **self._of, cut=str(cut), refused=str(problem)[-200:])
            return None

    def _step(self, cut: Cut) -> RowsStep:
        rows = self._backend._rows
        assert rows._slots is not None
        assert rows._buffers is not None
        return RowsStep(self._weights, programs(), rows._slots, rows._buffers, self._rows, cut)

    def _with(self, name: str, step: RowsStep) -> dict[str, RowsStep]:
        """Return the best launches, but this kernel's (and what follows it) of a step."""
        changed = {other for other, of in _FOLLOWS.items() if _matches(name, of)} | {name}
        return {other: step if other in changed else best for other, best in self._best.items()}

    def _measured(self, best: dict[str, RowsStep]) -> float:
        from engine.backends.cuda import graphs_of

        launches = _mixed(self._names, best)

        def work() -> None:
            for launch in launches:
                launch.run()

        return device_ms(graphs_of(programs().device).captured(work), 15, 3)

    @staticmethod
    def _told(name: str, cut: Cut) -> str:
        if name == "recur":
            return f"group {cut.group} {cut.recur} states {cut.recur_states}"
        field = _FIELDS.get(name, name)
        split = getattr(cut, f"{field}_split", 1)
        others = f"line {cut.line} states {cut.in_states}"
        return f"{getattr(cut, field).text} split {split} {others}"


def _mixed(names: Sequence[str], best: dict[str, RowsStep]) -> "list[LaunchLike]":
    return [best[name].launches[i][1] for i, name in enumerate(names)]


def _matters(name: str) -> bool:
    return name not in ("embed", *_FOLLOWS)


def _matches(name: str, of: str) -> bool:
    return _FIELDS.get(name, name) == of


def _taken(cut: Cut, name: str, other: Cut) -> Cut:
    """Return the cut with what the other one says of this kernel."""
    if name == "recur":
        states = other.recur_states
        return replace(cut, group=other.group, recur=other.recur, recur_states=states)
    field = _FIELDS.get(name, name)
    fields = [field, *(["lora_tiles", "in_states"] if name == "in" else [])]
    if field in ("output", "value"):
        fields.append(f"{field}_split")
    return replace(cut, **{each: getattr(other, each) for each in fields})


def _around(count: int) -> tuple[int, ...]:
    return max(1, count // 2), min(16, count * 2), min(16, count * 3), 1


def compiled(weights: "Weights", rows: int, cuts: Iterable[Cut]) -> None:
    """Compile all cuts into the cache, several at a time."""
    if not ON_CARD:
        return
    compiler, driver, cache = find_compiler(), find_driver(), programs()._cache  # type: ignore[attr-defined]
    architecture = compiler.architecture_for(torch.cuda.get_device_capability())
    text = joined(SOURCES)

    def put(cut: Cut) -> None:
        macros = macros_of(weights, rows, cut)
        key = CubinKey(text, macros, architecture, compiler.version, driver.version)
        if cache.get(key) is None:
            try:
                cache.put(key, compiler.compile(text, architecture, macros)[0])
            except CudaProblem:
                return  # told when it is tried

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(put, cuts))
