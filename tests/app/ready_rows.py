"""Rows of ready models as the library makes them, for tests of what shows them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from PySide6.QtGui import QStandardItem, QStandardItemModel

from app.models.model_list import LoadState, ReadyRow, Role
from app.services.offers import ReadyModel
from engine.hub.file_names import parse_file_name
from engine.plan import Plan
from engine.strategy import Strategy


def ready_row(
    name: str = "rwkv7-g1d-1.5b-20260212-ctx8192.pth",
    *,
    verdict: Any = "fits",
    speed: float = 23.0,
    size_bytes: int = 3_060_000_000,
    status: Any = "idle",
    problem: str = "",
    built_in: bool = False,
) -> ReadyRow:
    path = Path("/models") / name
    info = SimpleNamespace(
        path=path,
        name=path.stem,
        size_bytes=size_bytes,
        format="pth",
        weights="bf16",
        architecture="rwkv7",
        parameters=1_530_000_000,
    )
    local: Any = SimpleNamespace(path=path, info=info, problem=problem, kind="")
    plan = Plan(
        Strategy.parse("cpu bf16"), verdict, (), 120.0, speed, "It fits into 16 GB of memory."
    )
    return ReadyRow(ReadyModel(local, plan, built_in), parse_file_name(name), LoadState(status))


def ready_list(*rows: ReadyRow) -> QStandardItemModel:
    model = QStandardItemModel()
    for row in rows:
        item = QStandardItem(row.title)
        item.setData(row, Role.ENTRY)
        model.appendRow(item)
    return model
