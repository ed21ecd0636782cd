"""The list of models: live, remembered, and never hidden by one repository that fails."""

import json
from pathlib import Path

import pytest

from engine.checkpoint.shape import ModelShape
from engine.errors import DownloadFailed, EngineError
from engine.hub.catalogue import Catalogue, Search, Seed
from engine.hub.connection import Hub, endpoint_or_default, use_proxy
from engine.hub.remote_model import RemoteModel, describe, group, parameter_count
from tests.hub_server import Faults, HubServer

G1, WORLD, GGUF, FOLDER = (
    "BlinkDL/rwkv7-g1",
    "BlinkDL/rwkv-7-world",
    "maker/RWKV7-G1d-0.1B-GGUF",
    "RWKV/RWKV7-G1d-0.1B-HF",
)
SEED = Seed((G1, WORLD), (Search("maker", "RWKV7", 10), Search("RWKV", "RWKV7", 10)))


@pytest.fixture
def full(server: HubServer) -> HubServer:
    for name in (
        "rwkv7-g1d-0.1b-20260129-ctx8192.pth",
        "rwkv7-g1a-0.1b-20250728-ctx4096.pth",
        "rwkv7-g1d-1.5b-20260212-ctx8192.pth",
        "rwkv7a-g1b-0.1b-20250819-ctx4096.pth",
        "README.md",
        "notes.pth",
    ):
        server.add(G1, name, name.encode())
    server.add(WORLD, "RWKV-x070-World-0.1B-v2.8-20241210-ctx4096.pth", b"world")
    server.add(GGUF, "rwkv7-g1d-0.1b-Q8_0.gguf", b"gguf")
    server.add("maker/other-model", "x.gguf", b"no")
    server.add(FOLDER, "config.json", b"{}")
    server.add(FOLDER, "model-00001-of-00002.safetensors", b"12345")
    server.add(FOLDER, "model-00002-of-00002.safetensors", b"678")
    return server


def catalogue(server: HubServer, cache: Path, seed: Seed = SEED) -> Catalogue:
    return Catalogue(cache, hub=Hub(server.endpoint, timeout_s=5), seed=seed)


def test_the_hub_is_read(full, tmp_path):
    models = {m.name: m for m in catalogue(full, tmp_path).refresh()}
    assert len(models) == 7
    small = models["rwkv7-g1d-0.1b-20260129-ctx8192.pth"]
    assert small.title == "RWKV-7 G1 0.1B"
    assert small.size_bytes == len(small.name)
    assert len(small.sha256) == 64
    assert small.revision == full.commit(G1)
    assert small.shape is not None
    assert small.shape.layers == 12
    assert small.supported
    assert not small.note


def test_every_format_that_people_have_is_offered(full, tmp_path):
    models = {m.name: m for m in catalogue(full, tmp_path).refresh()}
    assert all(model.supported and not model.note for model in models.values())
    quantised, folder = models["rwkv7-g1d-0.1b-Q8_0.gguf"], models["RWKV7-G1d-0.1B-HF"]
    assert (quantised.format, quantised.quantisation, quantised.bits) == ("gguf", "Q8_0", 8)
    assert (folder.format, folder.size_bytes) == ("folder", 8)
    deep = models["rwkv7a-g1b-0.1b-20250819-ctx4096.pth"]
    assert deep.branch == "a"
    assert deep.shape is not None
    assert deep.shape.deep == 32


@pytest.mark.parametrize(
    ("file", "supported", "word"),
    [
        ("RWKV-x060-World-3B-v2.1-20240417-ctx4096.pth", True, "older generation"),
        ("RWKV-5-World-0.4B-v2-20231113-ctx4096.pth", True, "older generation"),
        ("RWKV-x052-World-0.4B-v2-20231113-ctx4096.pth", True, "older generation"),
        ("RWKV-4-Pile-169M-20220807-8023.pth", True, "older generation"),
        ("RWKV-x060-World-3B-Q8_0.gguf", False, "its .pth file only"),
        ("RWKV-3-Pile-169M.pth", False, "RWKV-3 cannot be run"),
        ("rwkv7a-g1b-0.1b-Q8_0.gguf", False, "its .pth file only"),
        ("rwkv7b-g1b-0.1b-20250822-ctx4096.pth", False, "RWKV-7b cannot be run"),
        ("rwkv8-preview-0.1b.pth", False, "RWKV-8 cannot be run"),
        ("ARWKV-7B-Preview-0.1.gguf", False, "another architecture"),
        ("QRWKV7-7B.pth", False, "another architecture"),
        ("rwkv7-g1d-7.2b-Q8_0-00001-of-00002.gguf", False, "several parts"),
        ("VisualRWKV-v7-0.1b.pth", False, "pictures"),
    ],
)
def test_generations_are_told_apart(file, supported, word):
    model = describe("someone/models", file)
    assert (model.supported, word in model.note) == (supported, True), model.note
    assert model.is_older == ("older" in model.note or "-x060-" in file)


def test_bits_by_name_or_by_size():
    size = ModelShape.released("0.1b").parameters
    name = "rwkv7-g1d-0.1b-20260129-ctx8192"
    assert describe(G1, f"{name}.pth", size_bytes=2 * size).bits == 16
    assert describe(G1, f"{name}.pth", size_bytes=4 * size).bits == 32
    assert describe(G1, f"{name}-Q4_K_M.gguf", size_bytes=9).bits == 4
    assert describe(G1, f"{name}.gguf", size_bytes=size * 17 // 16).bits == 8
    assert describe(G1, "unknown.pth", size_bytes=9).bits == 0


def test_it_is_remembered_for_offline(full, tmp_path):
    live = catalogue(full, tmp_path)
    assert live.cached() == []
    assert live.saved() is None
    models = live.refresh()
    full.close()
    later = catalogue(full, tmp_path)
    assert later.cached() == models
    assert later.saved() is not None
    with pytest.raises(DownloadFailed) as caught:
        later.refresh()
    assert caught.value.kind == "offline"
    assert later.cached() == models


def test_one_that_fails_hides_no_other(full, tmp_path):
    list_of = catalogue(full, tmp_path)
    list_of.refresh()
    full.faults = Faults(broken_repos={G1: 503, GGUF: 404})
    models = list_of.refresh()
    assert {p.source for p in list_of.problems} == {G1, GGUF}
    assert {m.repo for m in models} == {G1, WORLD, GGUF, FOLDER}, "known ones stay"
    fresh = catalogue(full, tmp_path / "other")
    assert {m.repo for m in fresh.refresh()} == {WORLD, FOLDER}


@pytest.mark.parametrize(("status", "kind"), [(401, "refused"), (429, "busy"), (503, "server")])
def test_a_hub_that_refuses_everything(full, tmp_path, status, kind):
    full.faults = Faults(status=status, where="api")
    with pytest.raises(DownloadFailed) as caught:
        catalogue(full, tmp_path).refresh()
    assert caught.value.kind == kind


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"version": 1}',
        '{"version": 1, "models": [1]}',
        '{"version": 1, "saved": 5, "models": [{"repo": 1}]}',
        '{"version": 99}',
    ],
)
def test_a_damaged_copy_is_an_empty_one(full, tmp_path, text):
    (tmp_path / "catalogue.json").write_text(text)
    spoilt = catalogue(full, tmp_path)
    assert spoilt.cached() == []
    assert spoilt.saved() is None
    assert spoilt.refresh()
    assert json.loads((tmp_path / "catalogue.json").read_text())["version"] == 1


def test_a_cache_that_cannot_be_written_costs_nothing_else(full, tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert catalogue(full, tmp_path / "file").refresh()


def test_names_from_the_hub_are_not_trusted(server, tmp_path):
    server.add(G1, "../../rwkv7-g1d-0.1b.pth", b"x")
    server.add(G1, "rwkv7-g1d-0.4b.pth", b"x")
    models = catalogue(server, tmp_path, Seed((G1,))).refresh()
    assert [m.file for m in models] == ["rwkv7-g1d-0.4b.pth"]


def test_any_repository_can_be_looked_up(full, tmp_path):
    full.add("someone/tune", "sub/final.pth", b"x")
    full.add("someone/tune", "readme.md", b"x")
    found = catalogue(full, tmp_path).lookup("someone/tune")
    assert [(m.file, m.supported) for m in found] == [("sub/final.pth", True)]
    assert found[0].note
    url = f"{full.endpoint}/someone/tune/blob/main/sub/final.pth?x=1"
    assert catalogue(full, tmp_path).lookup(url) == found
    assert catalogue(full, tmp_path).lookup("someone/tune/sub/final.pth") == found


@pytest.mark.parametrize(
    ("address", "kind"),
    [("nobody/nothing", "missing"), (f"{G1}/absent.pth", "missing"), ("someone/empty", "missing")],
)
def test_what_is_not_there_is_said(full, tmp_path, address, kind):
    full.add("someone/empty", "readme.md", b"x")
    with pytest.raises(DownloadFailed) as caught:
        catalogue(full, tmp_path).lookup(address)
    assert caught.value.kind == kind


def test_a_file_that_is_no_model_is_refused(full, tmp_path):
    with pytest.raises(EngineError, match="not a model file"):
        catalogue(full, tmp_path).lookup(f"{G1}/README.md")


def test_the_seed_of_the_app_is_sound():
    seed = Seed.load()
    assert G1 in seed.repositories
    assert all(search.limit > 0 for search in seed.searches)


def test_families_are_in_the_order_of_people(full, tmp_path):
    families = group(catalogue(full, tmp_path).refresh())
    assert [family.title for family in families[:3]] == [
        "RWKV-7 G1 0.1B",
        "RWKV-7 G1 1.5B",
        "RWKV-7 World 0.1B",
    ]
    assert [model.release for model in families[0].variants] == ["g1d"] * 3 + ["g1a"]
    assert families[0].newest.name == "rwkv7-g1d-0.1b-20260129-ctx8192.pth"


def test_a_model_survives_json():
    model = describe(G1, "rwkv7-g1d-2.9b-20260212-ctx8192.pth", "abc", 5, "0" * 64)
    assert RemoteModel.from_json(json.loads(json.dumps(model.to_json()))) == model


def test_other_uses_are_named():
    for file, word in (("rwkv7-g1-0.4b-tts.pth", "speech"), ("rwkv7-g1-0.4b-lora.pth", "LoRA")):
        model = describe(G1, file)
        assert not model.supported
        assert word in model.note


def test_web_rwkv_files_are_safetensors_too():
    model = describe("mollysama/rwkv-mobile-models", "WebRWKV/rwkv7-g1d-0.1b.st")
    assert (model.supported, model.format) == (True, "safetensors")


def test_older_generations_come_last():
    names = ("RWKV-x060-World-3B-v2.1.pth", "rwkv7-g1d-7.2b.pth", "RWKV-x070-World-1.5B-v3.pth")
    titles = [family.title for family in group(describe(G1, name) for name in names)]
    assert titles == ["RWKV-7 G1 7.2B", "RWKV-7 World 1.5B", "RWKV-6 World 3B"]


def test_parameter_counts():
    assert parameter_count("1.5B") == 1.5e9
    assert parameter_count("168M") == 168e6
    assert parameter_count("") == 0


def test_the_endpoint_is_the_one_given_or_the_environments():
    assert endpoint_or_default("https://a.example/", {}) == "https://a.example"
    assert endpoint_or_default("", {"HF_ENDPOINT": "https://b.example"}) == "https://b.example"
    assert endpoint_or_default("", {}) == "https://huggingface.co"
    for bad in ("ftp://x", "nonsense", "https://", "http://a b"):
        with pytest.raises(EngineError):
            endpoint_or_default(bad, {})


def test_a_proxy_is_used(full, tmp_path):
    """The server itself plays the proxy: requests through one carry the whole address."""
    try:
        use_proxy(full.endpoint)
        hub = Hub("http://hub.invalid", timeout_s=5)
        assert hub.files(WORLD)
        assert full.requests[-1].host == "hub.invalid"
        with pytest.raises(EngineError):
            use_proxy("no proxy at all")
    finally:
        use_proxy("")
