"""Sentences of the Models pane that are worked out of facts; no widget."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QDateTime, QLocale

from app.models.units import memory_text

if TYPE_CHECKING:
    from engine.hardware import Hardware

translate = QCoreApplication.translate


def machine_text(hardware: "Hardware | None") -> str:
    """Return the computer in one line: processor, memory, graphics."""
    if hardware is None:
        return translate("ModelsPage", "Looking at this computer…")
    parts = [
        hardware.cpu_name,
        translate("ModelsPage", "{0} of memory, {1} free").format(
            memory_text(hardware.ram_total), memory_text(hardware.ram_free)
        ),
    ]
    for gpu in hardware.gpus:
        free = translate("ModelsPage", "{0}, {1} free").format(gpu.name, memory_text(gpu.vram_free))
        parts.append(free)
    return " · ".join(parts)


def catalogue_age(saved: datetime | None, now: datetime | None = None) -> str:
    """Return a sentence that says how old the list on show is; "" when there is none."""
    if saved is None:
        return ""
    days = ((now or datetime.now(UTC)) - saved).days
    when = QDateTime.fromSecsSinceEpoch(int(saved.timestamp()))
    date = QLocale().toString(when, translate("ModelsPage", "d MMM yyyy, HH:mm"))
    if days < 1:
        return translate("ModelsPage", "Showing the list as it was on {0}.").format(date)
    if days == 1:
        return translate("ModelsPage", "Showing the list as it was on {0} (a day ago).").format(
            date
        )
    return translate("ModelsPage", "Showing the list as it was on {0} ({1} days ago).").format(
        date, days
    )
