"""One model in use, another to come: memory is counted where it is."""

from engine.needs import DeviceNeed
from engine.room import fits_beside, without
from tests.engine.machines import GB, card, machine

MACHINE = machine(32, 8, card(24, 10), card(24, 10, index=1))


def need(device: str, weights: int) -> DeviceNeed:
    return DeviceNeed(device, weights, 0, 0, 0)


def test_a_models_memory_comes_back_only_where_it_was() -> None:
    after = without(MACHINE, [need("cuda:1", 6 * GB), need("cpu", GB)])
    assert [gpu.vram_free for gpu in after.gpus] == [10 * GB, 16 * GB]
    assert after.ram_free == 9 * GB


def test_no_device_gets_more_than_it_has() -> None:
    after = without(MACHINE, [need("cuda", 40 * GB), need("cpu", 40 * GB)])
    assert [gpu.vram_free for gpu in after.gpus] == [24 * GB, 10 * GB]
    assert after.ram_free == 32 * GB


def test_two_cards_are_not_one_large_card() -> None:
    assert fits_beside(MACHINE, [need("cuda", 7 * GB), need("cpu", GB)])
    assert not fits_beside(MACHINE, [need("cuda", 12 * GB)])
    assert not fits_beside(MACHINE, [need("cuda", GB), need("cpu", 7 * GB)])
    assert not fits_beside(MACHINE, [need("mps", GB)])
