"""Which model is recommended on which machine."""

from dataclasses import replace

import pytest

from app.services.offers import AvailableModel, download_id, recommended_id
from engine.checkpoint.shape import ModelShape
from engine.hardware import Gpu
from engine.hub.remote_model import describe
from engine.plan import choose
from tests.app.models_kit import LAPTOP, REPO

SIZES = ("0.1b", "0.4b", "1.5b", "2.9b", "7.2b", "13.3b")
CARD = Gpu(0, "NVIDIA RTX 5090", "cuda", 32 << 30, 31 << 30, "575", (12, 0), 1.6e12, True, "")


def offers(hardware, files=None):
    names = files or [f"rwkv7-g1d-{size}-20260129-ctx8192.pth" for size in SIZES]
    models = [describe(REPO, name, size_bytes=1) for name in names]
    return [
        AvailableModel(download_id(m), m, choose(m.shape, hardware) if m.shape else None)
        for m in models
    ]


def size_of(key):
    return key.split("g1d-")[1].split("-")[0] if key else ""


@pytest.mark.parametrize(
    ("hardware", "size"),
    [
        (LAPTOP, "1.5b"),
        (replace(LAPTOP, ram_total=4 << 30, ram_free=2 << 30, ram_bandwidth=15e9), "0.4b"),
        (replace(LAPTOP, ram_bandwidth=2e9), "0.1b"),
        (replace(LAPTOP, gpus=(CARD,), torch_build="2.13.0+cu130"), "13.3b"),
        (replace(LAPTOP, ram_total=1 << 28, ram_free=1 << 27), ""),
    ],
)
def test_the_largest_comfortable_one(hardware, size):
    assert size_of(recommended_id(offers(hardware))) == size


def test_the_newest_of_the_same_size():
    names = ["rwkv7-g1c-0.1b-20251101-ctx8192.pth", "rwkv7-g1d-0.1b-20260129-ctx8192.pth"]
    assert recommended_id(offers(LAPTOP, names)).endswith(names[1])


def test_only_what_runs_and_is_made_for_chats():
    names = ["rwkv7b-g1d-1.5b.pth", "rwkv7-g1-othello-1.5b.pth", "rwkv7-g1-novel-1.5b.pth"]
    assert recommended_id(offers(LAPTOP, names)) == ""


def test_no_older_generation():
    assert recommended_id(offers(LAPTOP, ["RWKV-x060-World-1.6B-v2.1.pth"])) == ""


def test_of_one_model_the_file_in_which_this_computer_computes():
    names = ["rwkv7-g1d-1.5b-20260129.pth", "rwkv7-g1d-1.5b-Q8_0.gguf", "rwkv7-g1d-1.5b-Q4_0.gguf"]
    assert recommended_id(offers(replace(LAPTOP, native="avx2"), names)).endswith(names[1])
    assert recommended_id(offers(replace(LAPTOP, native=""), names)).endswith(names[0])


def test_nothing_without_a_plan():
    assert recommended_id([replace(m, plan=None) for m in offers(LAPTOP)]) == ""


def test_parameters_are_those_of_the_shape():
    assert offers(LAPTOP)[0].parameters == ModelShape.released("0.1b").parameters
