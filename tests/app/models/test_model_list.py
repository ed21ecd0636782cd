"""The item models of ready and available models."""

import pytest
from PySide6.QtCore import Qt

from app.models.grouping import group_models
from app.models.model_list import AvailableList, Filter, ReadyList, Role
from app.services.offers import AvailableModel, download_id
from engine.hub.remote_model import describe
from engine.plan import choose
from tests.app.models_kit import DATA, LAPTOP, LARGE, OLD, REPO, SMALL, write_model


@pytest.fixture
def filled(qtbot, library, tasks, server, folders):
    for name in (OLD, LARGE):
        server.add(REPO, name, DATA)
    write_model(folders.models / "rwkv7-a-小说.safetensors")
    (folders.models / "broken.pth").write_bytes(b"no")
    with qtbot.waitSignal(tasks.idle):
        library.start()
    return library


@pytest.fixture
def available(filled, downloads):
    return AvailableList(filled, downloads)


@pytest.fixture
def ready(filled):
    return ReadyList(filled)


def column(model, role):
    return [model.index(row).data(role) for row in range(model.rowCount())]


def test_they_keep_the_rules_of_qt(qtmodeltester, available, ready):
    qtmodeltester.check(available)
    qtmodeltester.check(ready)


def test_one_row_per_model(available):
    assert column(available, Role.NAME) == ["RWKV-7 G1 0.1B", "RWKV-7 G1 13.3B"]
    assert column(available, Role.RECOMMENDED) == [True, False]
    assert column(available, Role.VERDICT) == ["fits", "too_large"]
    assert column(available, Role.DATE) == ["20260129", "20260131"]
    assert available.index(0).data() == "RWKV-7 G1 0.1B"
    assert available.index(0).data(Qt.ItemDataRole.AccessibleTextRole) == "RWKV-7 G1 0.1B"
    assert available.index(0).data(Role.SPEED) > 1
    assert [v.remote.file for v in available.rows()[0].group.variants] == [SMALL, OLD]


def test_filters(available):
    available.set_filter(Filter(fits=True))
    assert column(available, Role.NAME) == ["RWKV-7 G1 0.1B"]
    available.set_filter(Filter("13.3b g1"))
    assert column(available, Role.NAME) == ["RWKV-7 G1 13.3B"]
    available.set_filter(Filter(form="gguf"))
    assert available.rowCount() == 0
    assert available.total == 2


def test_a_download_shows_in_its_row(qtbot, available, downloads, filled):
    states = []
    available.dataChanged.connect(lambda *_: states.append(available.index(0).data(Role.STATE)))
    with qtbot.waitSignal(downloads.finished):
        downloads.start(filled.available[0].remote)
    assert list(dict.fromkeys(states)) == ["waiting", "running", ""]


def test_a_download_from_elsewhere_is_listed_too(qtbot, available, downloads):
    downloads.start(describe("ann/rwkv7-novel", "rwkv7-g1-novel-0.4b.pth", size_bytes=9))
    assert "RWKV-7 G1 Novel 0.4B" in column(available, Role.NAME)
    with qtbot.waitSignal(downloads.failed):
        pass


def test_ready_rows(ready):
    assert column(ready, Role.PROBLEM)[0] == ""
    assert "broken.pth" in column(ready, Role.PROBLEM)[1]
    assert column(ready, Role.NAME)[0] == "RWKV-7 A 小说"
    assert column(ready, Role.FORMAT) == ["safetensors", ""]


def test_loading_loaded_failed(ready):
    path, other = column(ready, Role.PATH)
    ready.set_loading(path, 0.5)
    assert ready.rows()[0].load.fraction == 0.5
    ready.set_loaded(path)
    assert column(ready, Role.STATE) == ["loaded", "idle"]
    ready.set_error(other, "It is damaged.", "Download it again.", "")
    assert column(ready, Role.STATE) == ["loaded", "failed"]
    ready.set_loaded(None)
    assert column(ready, Role.STATE) == ["idle", "failed"]


def test_changes_keep_the_rows(ready, qtbot):
    resets = []
    ready.modelReset.connect(lambda: resets.append(1))
    ready.set_loading(column(ready, Role.PATH)[0], 0.1)
    assert resets == []


def test_groups_put_the_recommended_file_first():
    names = [SMALL, OLD, "rwkv7-g1d-0.1b-Q8_0.gguf", LARGE]
    models = [describe(REPO, name, size_bytes=5) for name in names]
    offers = [
        AvailableModel(download_id(m), m, choose(m.shape, LAPTOP) if m.shape else None)
        for m in models
    ]
    groups = group_models(offers, offers[1].id)
    assert [g.key for g in groups] == ["RWKV-7 G1 0.1B", "RWKV-7 G1 13.3B"]
    assert [v.remote.file for v in groups[0].variants] == [OLD, SMALL, names[2]]
