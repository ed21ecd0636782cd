"""States in fixed places: to everybody else they are states like any other."""

import gc

import pytest
import torch

from engine.backends.state_slots import StateSlots
from engine.checkpoint import ModelShape, Ranks
from engine.state import State

SHAPE = ModelShape(2, 128, 512, 320, 64, Ranks(16, 24, 8, 32))


def random_state(seed: int) -> State:
    state, rng = State.zeros(SHAPE), torch.Generator().manual_seed(seed)
    for tensor in state.tensors().values():
        tensor.copy_(torch.randn(tensor.shape, generator=rng))
    state.tokens_read = seed
    return state


@pytest.fixture
def slots() -> StateSlots:
    return StateSlots(SHAPE, torch.device("cpu"), 3)


def same(one: State, other: State) -> bool:
    return all(torch.equal(t, other.tensors()[name]) for name, t in one.tensors().items())


def test_a_state_moves_in_and_stays(slots: StateSlots) -> None:
    state, before = random_state(5), random_state(5)
    (slot,) = slots.take([state])
    assert same(state, before)
    assert state.tokens_read == 5
    slots.wkv[slot] += 1
    assert slots.take([state]) == [slot], "nothing is copied for the next token"
    assert torch.equal(state.wkv, before.wkv + 1)


def test_who_must_make_room_keeps_what_it_was(slots: StateSlots) -> None:
    states = [random_state(i) for i in range(5)]
    first = slots.take(states[:3])
    assert sorted(first) == [0, 1, 2]
    again = slots.take([states[3], states[1], states[4]])
    assert sorted(again) == [0, 1, 2]
    assert again[1] == first[1], "who lies in a slot stays there"
    slots.wkv.zero_()
    assert all(same(states[i], random_state(i)) for i in (0, 2))
    assert not states[1].wkv.any()


def test_rows_join_and_leave(slots: StateSlots) -> None:
    states = [random_state(i) for i in range(3)]
    places = slots.take(states)
    assert slots.take(states[1:]) == places[1:]
    assert slots.take([states[2], states[0]]) == [places[2], places[0]]


def test_arrays_put_in_from_outside_are_taken_over(slots: StateSlots) -> None:
    state = random_state(1)
    slots.take([state])
    state.wkv = random_state(2).wkv
    (slot,) = slots.take([state])
    assert torch.equal(slots.wkv[slot], random_state(2).wkv)
    assert torch.equal(slots.att_shift[slot], random_state(1).att_shift)


def test_between_two_sets_of_slots(slots: StateSlots) -> None:
    other, state = StateSlots(SHAPE, torch.device("cpu"), 1), random_state(7)
    slots.take([state])
    other.take([state])
    slots.release()
    slots.wkv.zero_()
    assert same(state, random_state(7))
    slots.take([state])
    assert same(state, random_state(7))


def test_released_states_have_memory_of_their_own(slots: StateSlots) -> None:
    state = random_state(3)
    with torch.inference_mode():
        slots.take([state])
        slots.release()
    slots.wkv.zero_()
    assert same(state, random_state(3))
    state.copy_from(random_state(4))  # also outside of inference mode


def test_a_state_hops_without_a_copy(slots: StateSlots) -> None:
    state, other = random_state(1), random_state(2)
    slots.take([state, other])
    slots.vacate(1)
    before = slots.writes
    slots.wkv.data[1] = 3.0  # as a kernel writes: torch does not count it
    slots.hop(state, 1)
    assert slots.slot_of(state) == 1
    assert (state.wkv == 3).all()
    assert state.tokens_read == 1
    assert slots.writes == before
    assert slots.slot_of(other) is None
    assert same(other, random_state(2))
    slots.take([other])
    assert slots.slot_of(other) != 1
    state.att_shift.zero_()
    assert slots.writes > before


def test_the_dead_leave_their_slot(slots: StateSlots) -> None:
    for i in range(6):
        slots.take([random_state(i)])
        gc.collect()
    assert slots.nbytes == 3 * SHAPE.state_bytes


def test_who_finds_no_memory_of_its_own_keeps_its_slot(
    slots: StateSlots, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, other = random_state(1), random_state(2)
    slots.take([here])
    kept = here.clone()

    def full(tensor: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("full")

    with monkeypatch.context() as patch:
        patch.setattr(torch.Tensor, "clone", full)
        with pytest.raises(torch.OutOfMemoryError):
            slots.take([other])
    slots.take([other])  # as there is memory again, nothing was lost
    slots.wkv.zero_()
    assert same(here, kept)
