"""The description of a computer as JSON: read back exactly, or refused by name."""

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from engine.errors import EngineError
from engine.hardware import Gpu, Hardware
from tests.engine.machines import MACHINES


@pytest.mark.parametrize("name", MACHINES)
def test_round_trip(name):
    assert Hardware.from_json(MACHINES[name].to_json()) == MACHINES[name]


def described() -> dict[str, Any]:
    return json.loads(MACHINES["card 8 GB"].to_json())


def test_json_has_every_field():
    told = described()
    assert set(told) == {field.name for field in fields(Hardware)}
    assert set(told["gpus"][0]) == {field.name for field in fields(Gpu)}


LATER = {"native": "", "cuda_engine": False}


@pytest.mark.parametrize(
    "field", [field.name for field in fields(Hardware) if field.name not in LATER]
)
def test_a_missing_field_is_named(field):
    told = described()
    del told[field]
    with pytest.raises(EngineError, match=f"lacks the field “{field}”") as caught:
        Hardware.from_json(json.dumps(told))
    assert "skein hardware --json" in caught.value.hint


def test_a_description_from_before_our_engines_has_none():
    told = described()
    for field in LATER:
        del told[field]
    read = Hardware.from_json(json.dumps(told))
    assert read == replace(MACHINES["card 8 GB"], native="", cuda_engine=False)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("native", None),
        ("cores", 0),
        ("cores", True),
        ("threads", 2.5),
        ("ram_total", "16 GB"),
        ("ram_free", -1),
        ("ram_bandwidth", 0),
        ("ram_bandwidth", float("nan")),
        ("instruction_sets", "avx2"),
        ("instruction_sets", [1]),
        ("gpus", {}),
        ("gpus", [3]),
        ("torch_build", None),
    ],
)
def test_a_wrong_value_is_named(field, value):
    told = described() | {field: value}
    with pytest.raises(EngineError, match=field):
        Hardware.from_json(json.dumps(told))


@pytest.mark.parametrize(
    ("field", "value"),
    [("kind", "metal"), ("capability", [8]), ("capability", "8.9"), ("usable", 1)],
)
def test_a_wrong_value_of_a_card_is_named(field, value):
    told = described()
    told["gpus"][0][field] = value
    with pytest.raises(EngineError, match=rf"“{field}” in gpus\[0\]"):
        Hardware.from_json(json.dumps(told))


def test_an_unknown_field_is_named():
    with pytest.raises(EngineError, match="unknown field “colour”"):
        Hardware.from_json(json.dumps(described() | {"colour": "red"}))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00"])
def test_no_description_at_all(text):
    with pytest.raises(EngineError, match="cannot be read"):
        Hardware.from_json(text)


@pytest.mark.parametrize(
    ("cores", "left", "speed"), [(8, 4, 40e9), (3, 1, 24e9), (2, 1, 24e9), (1, 1, 40e9)]
)
def test_saving_power_leaves_half_of_the_cores(cores: int, left: int, speed: float):
    machine = replace(MACHINES["card 8 GB"], cores=cores, ram_bandwidth=40e9)
    saving = machine.saving_power()
    assert (saving.cores, saving.ram_bandwidth) == (left, speed)
    assert replace(saving, cores=cores, ram_bandwidth=40e9) == machine
    assert replace(machine, ram_bandwidth=None).saving_power().ram_bandwidth is None


def test_usable_gpus():
    assert len(MACHINES["two cards 24 GB"].usable_gpus) == 2
    assert MACHINES["AMD card without ROCm"].usable_gpus == ()
