"""What this computer makes of a model, in one line: fits or not, how fast, and why."""

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.models.units import speed_text
from app.widgets.flow_layout import FlowLayout
from app.widgets.parts import label, restyle

if TYPE_CHECKING:
    from engine.plan import Plan

_TONES = {"fits": "success", "tight": "warning", "too_large": "danger"}


class PlanLine(QWidget):
    """A badge, the predicted speed, and the reason as a sentence."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.badge = label("", "badge")
        self.badge.setObjectName("plan_badge")
        self.speed = label("")
        self.speed.setObjectName("plan_speed")
        self.reason = label("", "muted", wrap=True)
        self.reason.setObjectName("plan_reason")
        words = FlowLayout()
        words.addWidget(self.badge)
        words.addWidget(self.speed)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(words)
        column.addWidget(self.reason)

    def show_plan(self, plan: "Plan | None", *, note: str = "", waiting: bool = False) -> None:
        """Show the plan, or the ``note`` on a model that cannot be run at all."""
        if note:
            self._say(self.tr("Cannot be run"), "warning", "", note)
        elif plan is not None:
            fast = plan.verdict != "too_large" and plan.write_tokens_per_s > 0
            speed = speed_text(plan.write_tokens_per_s) if fast else ""
            self._say(self.verdict_text(plan), _TONES[plan.verdict], speed, plan.reason)
        elif waiting:
            self._say(self.tr("Looking at this computer…"), "", "", "")
        else:
            self._say("", "", "", self.tr("Its needs are known once it is here."))

    def verdict_text(self, plan: "Plan") -> str:
        """Return the verdict in words."""
        return {
            "fits": self.tr("Fits"),
            "tight": self.tr("Tight"),
            "too_large": self.tr("Too large"),
        }[plan.verdict]

    @property
    def text(self) -> str:
        """All of it, to be read out."""
        parts = (self.badge.text(), self.speed.text(), self.reason.text())
        return ". ".join(part.rstrip(".") for part in parts if part)

    def _say(self, badge: str, tone: str, speed: str, reason: str) -> None:
        for part, text in ((self.badge, badge), (self.speed, speed), (self.reason, reason)):
            part.setText(text)
            part.setVisible(bool(text))
        if self.badge.property("tone") != tone:
            restyle(self.badge, tone=tone)
