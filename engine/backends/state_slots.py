"""Where states lie while a card works on them: fixed places, because graphs know addresses.

A state that is worked on becomes a view of its slot, so that token after token of one chat copies
nothing; when another state needs the slot, the former gets memory of its own again. To everybody
else it is a ``State`` like any other. Knows tensors; knows nothing of models.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from weakref import ref

import torch
from torch import Tensor

from engine.state import State

if TYPE_CHECKING:
    from engine.checkpoint import ModelShape


class StateSlots:
    """``count`` places: att_shift [count, L, D], wkv [count, L, H, N, N], ffn_shift, all fp32."""

    def __init__(self, shape: "ModelShape", device: torch.device, count: int) -> None:
        layers, width, n = shape.layers, shape.width, shape.head_size
        self.att_shift = _zeros(device, count, layers, width)
        self.wkv = _zeros(device, count, layers, shape.heads, n, n)
        self.ffn_shift = _zeros(device, count, layers, width)
        parts = zip(self.att_shift, self.wkv, self.ffn_shift, strict=True)
        self._places = [State(*part) for part in parts]
        self._owners: list[ref[State] | None] = [None] * count
        self._homes: dict[int, int] = {}  # by a state's id, which owners confirm

    def __len__(self) -> int:
        return len(self._places)

    @property
    def nbytes(self) -> int:
        """Bytes on the card."""
        return sum(place.nbytes for place in self._places)

    def take(self, states: Sequence[State]) -> list[int]:
        """Bring states into slots and return which; at most ``len(self)``, each only once.

        Who lies in one already stays there.
        """
        taken = {i: state for state in states if (i := self.slot_of(state)) is not None}
        free = iter([i for i in range(len(self)) if i not in taken])
        here = {id(state): i for i, state in taken.items()}
        return [here[id(s)] if id(s) in here else self._move_in(s, next(free)) for s in states]

    def release(self) -> None:
        """Give every state memory of its own: the slots may be written over."""
        for i in range(len(self)):
            self.vacate(i)

    def vacate(self, slot: int) -> None:
        """Give who lies in a slot memory of its own: the slot may be written over."""
        if self._owners[slot] is not None:
            self._move_out(slot)

    def hop(self, state: State, slot: int) -> None:
        """Let a state be what lies in another slot, which is nobody's: nothing is copied."""
        self._settle(state, slot)

    @property
    def writes(self) -> int:
        """Grows whenever torch writes into a slot; what kernels write is not counted."""
        parts = (self.att_shift, self.wkv, self.ffn_shift)
        return sum(part._version for part in parts)  # noqa: SLF001 - torch's own counter

    def slot_of(self, state: State) -> int | None:
        """Return where a state lies, or None if that is not here."""
        slot = self._homes.get(id(state))
        if slot is None or (owner := self._owners[slot]) is None or owner() is not state:
            return None
        # A caller may have put another array in its place.
        place = self._places[slot]
        same = state.att_shift is place.att_shift and state.ffn_shift is place.ffn_shift
        return slot if same and state.wkv is place.wkv else None

    def _move_in(self, state: State, slot: int) -> int:
        self._move_out(slot)
        place = self._places[slot]
        place.copy_from(state)
        self._settle(state, slot)
        return slot

    def _settle(self, state: State, slot: int) -> None:
        before = self._homes.get(id(state))
        if before is not None and (owner := self._owners[before]) and owner() is state:
            self._owners[before] = None
        place = self._places[slot]
        state.att_shift, state.wkv, state.ffn_shift = place.att_shift, place.wkv, place.ffn_shift
        self._owners[slot] = ref(state)
        self._homes = {home: i for home, i in self._homes.items() if i != slot}
        self._homes[id(state)] = slot

    def _move_out(self, slot: int) -> None:
        owner = self._owners[slot]
        state = owner() if owner is not None else None
        if state is not None:
            lying = self._places[slot].tensors().items()
            with torch.inference_mode(False):  # other parts write such arrays in place
                own = {n: tensor.clone() for n, tensor in lying if getattr(state, n) is tensor}
            for name, tensor in own.items():
                setattr(state, name, tensor)
        self._owners[slot] = None  # not before: the memory for a clone may be missing


def _zeros(device: torch.device, *size: int) -> Tensor:
    with torch.inference_mode(False):
        return torch.zeros(*size, dtype=torch.float32, device=device)
