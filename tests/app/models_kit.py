"""For tests of models and downloads: a real local hub, a made-up computer, tiny files."""

import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from app.services.downloads import DownloadService
from app.services.library import Machine, ModelLibrary
from app.services.tasks import Tasks
from engine.folders import Folders
from engine.hardware import Hardware
from engine.hub.catalogue import Catalogue, Seed
from engine.hub.connection import Hub
from engine.hub.download import Download
from engine.hub.folder_download import FolderDownload
from engine.hub.library import scan
from engine.hub.remote_model import RemoteModel, describe
from engine.plan import choose
from tests.hub_server import HubServer

REPO = "BlinkDL/rwkv7-g1"
SMALL = "rwkv7-g1d-0.1b-20260129-ctx8192.pth"
OLD = "rwkv7-g1c-0.1b-20251101-ctx8192.pth"
LARGE = "rwkv7-g1d-13.3b-20260131-ctx8192.pth"
DATA = random.Random(3).randbytes(600_000)

LAPTOP = Hardware(
    system="Linux 6.1",
    cpu_name="AMD Ryzen 7 7840U",
    cores=8,
    threads=16,
    instruction_sets=("avx2",),
    ram_total=16 << 30,
    ram_free=9 << 30,
    ram_bandwidth=55e9,
    gpus=(),
    torch_build="2.13.0+cpu",
)


@pytest.fixture
def server() -> Iterator[HubServer]:
    with HubServer() as hub:
        hub.add(REPO, SMALL, DATA)
        yield hub


@pytest.fixture
def tasks(qapp) -> Iterator[Tasks]:
    made = Tasks()
    yield made
    made.close()


@pytest.fixture
def make_downloads(
    qapp, server: HubServer, folders: Folders
) -> Iterator[Callable[[], DownloadService]]:
    made: list[DownloadService] = []

    def make() -> DownloadService:
        hub = Hub(server.endpoint, timeout_s=5)
        made.append(
            DownloadService(
                folders.data / "downloads.json",
                lambda model: transfer(model, folders.models, hub),
            )
        )
        return made[-1]

    yield make
    server.faults.release.set()
    for service in made:
        service.close()


@pytest.fixture
def downloads(make_downloads) -> DownloadService:
    return make_downloads()


@pytest.fixture
def library(tasks: Tasks, server: HubServer, folders: Folders) -> ModelLibrary:
    hub = Hub(server.endpoint, timeout_s=5)
    catalogue = Catalogue(folders.cache, hub=hub, seed=Seed((REPO,)))
    machine = Machine(lambda: LAPTOP, lambda hardware: hardware, choose, scan)
    return ModelLibrary(catalogue, machine, lambda: [folders.models], tasks)


def transfer(model: RemoteModel, folder: Path, hub: Hub) -> Download | FolderDownload:
    """What brings a model, without waiting between tries."""
    kind = FolderDownload if model.format == "folder" else Download
    return kind(model, folder, hub=hub, pauses_s=(0.0,))


def remote(file: str = SMALL, repo: str = REPO) -> RemoteModel:
    """One file of the local hub, at the commit that is newest when it is asked for."""
    return describe(repo, file, size_bytes=len(DATA))


def write_model(path: Path, layers: int = 1, width: int = 64, vocab: int = 8) -> Path:
    """Write the smallest sound RWKV-7 file, in safetensors and without torch."""
    rng = np.random.default_rng(0)

    def array(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, dtype=np.float32)

    weights = {"emb.weight": array(vocab, width), "head.weight": array(vocab, width)}
    for name in ("ln_out", "blocks.0.ln0"):
        weights |= {f"{name}.weight": array(width), f"{name}.bias": array(width)}
    for i in range(layers):
        block = f"blocks.{i}."
        for name in ("ln1", "ln2", "att.ln_x"):
            weights |= {f"{block}{name}.{part}": array(width) for part in ("weight", "bias")}
        for name in ("x_r", "x_w", "x_k", "x_v", "x_a", "x_g", "w0", "a0", "k_k", "k_a"):
            weights[f"{block}att.{name}"] = array(1, 1, width)
        weights[f"{block}att.r_k"] = array(width // 64, 64)
        for name in "wag" if i == 0 else "wagv":
            weights[f"{block}att.{name}1"] = array(width, 8)
            weights[f"{block}att.{name}2"] = array(8, width)
        if i:
            weights[f"{block}att.v0"] = array(1, 1, width)
        for name in ("receptance", "key", "value", "output"):
            weights[f"{block}att.{name}.weight"] = array(width, width)
        weights[f"{block}ffn.x_k"] = array(1, 1, width)
        weights[f"{block}ffn.key.weight"] = array(4 * width, width)
        weights[f"{block}ffn.value.weight"] = array(width, 4 * width)
    save_file(weights, path)
    return path


def worker_threads() -> list[threading.Thread]:
    """The download threads that are still alive."""
    return [t for t in threading.enumerate() if t.name.startswith("skein-download")]
