"""Weights of RWKV-4, 5 and 6 on their way into the form in which the author's package wants them.

They are read by our own reader, one tensor after the other, and come out bit for bit as the
package's loader makes them. Knows names and tensors; knows no strategies' words.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import layer_norm

from engine.backends.author_package import Placement, rescale_layers
from engine.backends.weights import WeightReader
from engine.checkpoint.older_shape import OlderShape
from engine.freed_memory import give_back

VERSIONS = {"4": 4, "5.0": 5, "5.1": 5.1, "5.2": 5.2, "6": 6.0}
_MATRICES = ("key", "value", "receptance", "gate", "output", "head")
_ROWS_AT_ONCE = 4096


class OlderWeights:
    """Reads all tensors of a model for the package's class."""

    def __init__(
        self,
        reader: WeightReader,
        names: Sequence[str],
        shape: OlderShape,
        placements: Sequence[Placement],
    ) -> None:
        """``placements``: one per layer, and one for the head."""
        self._reader = reader
        self._names = names
        self._shape = shape
        self._placements = placements
        self._rescale = rescale_layers(placements)

    def read(self) -> dict[str, Tensor]:
        """Return name -> tensor, as the package names and turns them.

        Raises DamagedFile for values that are not finite, Cancelled when asked to stop.
        """
        made: dict[str, Tensor] = {}
        for name in self._names:
            if name == "emb.weight":
                made[name] = self._embedding()
            elif ".ln0." not in name and ".time_state" not in name:
                made.update(self._tensor(name))
            if name.endswith(("emb.weight", "ffn.value.weight", "head.weight")):
                give_back()
        return made

    def start_state(self) -> Tensor | None:
        """Return the tuned beginning that the file brings, [L, H, N, N] fp32, or None."""
        names = [name for name in self._names if name.endswith(".att.time_state")]
        if not names:
            return None
        return torch.stack([self._reader.read(name, torch.float32, "cpu") for name in names])

    def _embedding(self) -> Tensor:
        """Return the table, normed once and for all, on the host: a token takes one row of it."""
        norm = [f"blocks.0.ln0.{part}" for part in ("weight", "bias")]
        types = {self._reader.file_dtype(name) for name in ("emb.weight", *norm)}
        dtype = types.pop() if len(types) == 1 else torch.float32
        weight, bias = (self._reader.read(name, dtype, "cpu") for name in norm)
        table = self._reader.read("emb.weight", dtype, "cpu")
        held_as = self._placements[0].activation
        result = table if dtype == held_as else torch.empty(table.shape, dtype=held_as)
        for start in range(0, len(table), _ROWS_AT_ONCE):
            rows = table[start : start + _ROWS_AT_ONCE]
            result[start : start + len(rows)] = layer_norm(rows, weight.shape, weight, bias)
        return result

    def _tensor(self, name: str) -> dict[str, Tensor]:
        """Return one tensor, and what belongs to it where it is held in int8."""
        place = self._placements[self._layer(name)]
        bonus = name.replace(".time_faaaa", ".time_first")
        if name.endswith(".time_decay"):
            return {name: self._decay(name).to(place.device)}
        if bonus.endswith(".time_first"):
            return {bonus: self._bonus(name).to(place.device)}
        if ".ln_x." in name:
            return {name: self._reader.read(name, torch.float32, place.device)}
        if name.split(".")[-2] in _MATRICES:
            return self._matrix(name, place)
        return {name: self._reader.read(name, place.activation, place.device)}

    def _layer(self, name: str) -> int:
        return int(name.split(".")[1]) if name.startswith("blocks.") else self._shape.layers

    def _decay(self, name: str) -> Tensor:
        """Return what is kept of a state per token; of RWKV-4 and 6 what that is computed from."""
        raw = self._reader.read(name, torch.float32, "cpu")
        if self._shape.older == "4":
            return -torch.exp(raw)
        if self._shape.older == "6":
            return raw.reshape(self._shape.heads, -1, 1)
        return torch.exp(-torch.exp(raw)).reshape(self._shape.heads, -1, 1)

    def _bonus(self, name: str) -> Tensor:
        raw = self._reader.read(name, torch.float32, "cpu")
        if self._shape.older == "4":
            return raw
        is_logarithm = name.endswith(".time_first")
        return (torch.exp(raw) if is_logarithm else raw).reshape(self._shape.heads, -1, 1)

    def _matrix(self, name: str, place: Placement) -> dict[str, Tensor]:
        """Return a matrix [inputs, outputs]; on the processor it stays as the file has it."""
        halvings = self._halvings(name)
        in_int8 = place.weight == torch.uint8
        dtype = self._reader.file_dtype(name) if halvings or in_int8 else place.weight
        weight = self._reader.read(name, dtype, "cpu")
        if halvings:
            weight = weight / 2**halvings
        if in_int8:
            parts = quantised(weight.t(), place.activation)
        else:
            parts = {"": weight.to(place.weight).t()}
        return {name + end: self._placed(part, place.device) for end, part in parts.items()}

    def _halvings(self, name: str) -> int:
        """Return how often the residual was halved before this matrix adds to it."""
        if not self._rescale or not name.endswith(("att.output.weight", "ffn.value.weight")):
            return 0
        return self._layer(name) // self._rescale

    @staticmethod
    def _placed(part: Tensor, device: torch.device) -> Tensor:
        return part if device.type == "cpu" else part.to(device).contiguous()


def quantised(weight: Tensor, activation: torch.dtype) -> dict[str, Tensor]:
    """Return a matrix [K, M] in 8 bits, by the package's own rule: {"": uint8, "_mx": ...}.

    W is about (w + 0.5) * ry * rx + my + mx; mx, rx [M] and my, ry [K, 1] in ``activation``.
    """
    w = weight.float()

    def taken_off(dim: int, reduce: Callable[..., Tensor]) -> Tensor:
        found = reduce(w, dim=dim)
        return found.unsqueeze(1) if dim == 1 else found

    parts: dict[str, Tensor] = {}
    for dim in (1, 0) if w.shape[0] > w.shape[1] else (0, 1):
        end = "_my" if dim == 1 else "_mx"
        parts[end] = taken_off(dim, torch.amin)
        w = w - parts[end]
    for dim, end in ((0, "_rx"), (1, "_ry")):
        parts[end] = taken_off(dim, torch.amax)
        w = w / parts[end]
    codes = torch.clip(torch.floor(w * 256), min=0, max=255).to(torch.uint8)
    spread = {end: part / 16 if end in ("_rx", "_ry") else part for end, part in parts.items()}
    made = {end: part.to(activation).contiguous() for end, part in spread.items()}
    return {"": codes, **made}
