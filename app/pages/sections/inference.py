"""What this computer has, what Skein chose because of it and why, and how to choose otherwise.

Shows engine.hardware.Hardware and engine.plan.Plan; detects and chooses nothing itself.
"""

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLineEdit, QVBoxLayout, QWidget

from app.models.units import memory_text, rate_text, speed_text
from app.pages.sections.section import Section
from app.settings import SettingsStore
from app.theme import Theme
from app.widgets.parts import empty_layout, label, line, push_button, restyle, row
from app.widgets.setting_row import check_box, text_field
from engine.errors import EngineError
from engine.strategy import Strategy, refuse_threads, refuse_unsupported

if TYPE_CHECKING:
    from app.services.gpu_packs import GpuPackService
    from engine.hardware import Gpu, Hardware
    from engine.plan import Plan


class InferenceSection(Section):
    """Detected, chosen, overridden."""

    look_again_requested = Signal()
    restart_requested = Signal()

    def __init__(
        self, theme: Theme, settings: SettingsStore, packs: "GpuPackService | None" = None
    ) -> None:
        super().__init__(theme, "settings_inference", "")
        self.setAccessibleName(self.tr("Inference"))
        self._settings = settings
        self._native, self._cuda = True, True  # which engines are here, once that is known
        self._threads = 0  # of this computer, once that is known
        self._add_strategy()
        if packs is not None:
            self._add_pack(packs)
        self._add_hardware()

    def _add_strategy(self) -> None:
        chosen = self.card(self.tr("How models run"))
        self._chosen = label(self.tr("No model is loaded"), "strong", wrap=True, select=True)
        self._chosen.setObjectName("chosen_strategy")
        self._why = label(
            self.tr("The strategy is chosen when a model is loaded."),
            "muted",
            wrap=True,
            select=True,
        )
        self._why.setObjectName("strategy_reason")
        self._speed = label("", "muted", wrap=True, select=True)
        self._speed.setObjectName("strategy_speed")
        self._speed.hide()
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        for widget in (self._chosen, self._why, self._speed):
            column.addWidget(widget)
        chosen.add(holder)
        chosen.setting(
            self.tr("Strategy"),
            self.tr(
                "auto lets Skein choose. Or write one, for example “cuda fp16”, “cpu int8” or "
                "“cuda fp16 *20 -> cpu fp32”. It counts from the next load on."
            ),
            self._override(),
            wide=True,
        )
        self._problem = label("", "danger", wrap=True)
        self._problem.setObjectName("strategy_problem")
        self._problem.hide()
        chosen.column.addWidget(self._problem)
        chosen.setting(
            self.tr("Save power"),
            self.tr(
                "The processor computes with half of its cores at most: cooler, quieter and "
                "easier on the battery, but often slower."
            ),
            check_box(self._settings, "power_saving", "power_saving", self.tr("Save power")),
        )

    def _override(self) -> QWidget:
        self.field: QLineEdit = text_field(
            self._settings, "strategy", "strategy_override", self.tr("Strategy"), "auto"
        )
        self.field.returnPressed.connect(self._take)
        apply = push_button(self.tr("Apply"), "apply_strategy", clicked=self._take)
        reset = push_button(self.tr("Auto"), "auto_strategy", kind="quiet", clicked=self._reset)
        holder = QWidget()
        holder.setLayout(row(self.field, apply, reset))
        return holder

    def _take(self) -> None:
        try:
            strategy = Strategy.parse(self.field.text().strip() or "auto")
            refuse_unsupported(strategy, native=self._native, cuda=self._cuda)
            if self._threads:
                refuse_threads(strategy, self._threads)
        except EngineError as error:
            self._show_problem(f"{error.message} {error.hint}".strip())
            return
        self._show_problem("")
        self._settings.set("strategy", str(strategy))
        self.field.setText(str(strategy))

    def _reset(self) -> None:
        self.field.setText("auto")
        self._take()

    def _show_problem(self, text: str) -> None:
        self._problem.setText(text)
        self._problem.setVisible(bool(text))
        restyle(self.field, problem="true" if text else "")

    def _add_pack(self, packs: "GpuPackService") -> None:
        from app.pages.sections.gpu_pack import GpuPackPanel

        panel = GpuPackPanel(self.theme, self._settings, packs)
        panel.restart_requested.connect(self.restart_requested)
        self.column.insertWidget(self.column.count() - 1, panel)

    # ---- hardware -------------------------------------------------------------------------

    def _add_hardware(self) -> None:
        found = self.card(self.tr("This computer"))
        self.table = QWidget()
        self.table.setObjectName("hardware_table")
        self.table.setAccessibleName(self.tr("What was detected"))
        self._grid = QGridLayout(self.table)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(24)
        self._grid.setVerticalSpacing(10)
        self._grid.setColumnStretch(1, 1)
        self._looking = label(self.tr("Looking at this computer…"), "muted")
        again = push_button(
            self.tr("Look again"), "look_again", clicked=self.look_again_requested.emit
        )
        found.column.addWidget(self._looking)
        found.column.addWidget(self.table)
        found.column.addLayout(row(again, stretch=True))
        self.table.hide()

    def show_hardware(self, hardware: "Hardware", plan: "Plan | None", model: str = "") -> None:
        """Show what was detected, and the plan of the model that is loaded."""
        self._native, self._cuda = bool(hardware.native), hardware.cuda_engine
        self._threads = hardware.threads
        empty_layout(self._grid)
        for place, (name, value) in enumerate(self._rows(hardware)):
            self._add_row(place * 2, name, value)
        self._looking.hide()
        self.table.show()
        self._show_plan(plan, model)

    def _add_row(self, place: int, name: str, value: str) -> None:
        if place:
            self._grid.addWidget(line(), place - 1, 0, 1, 2)
        what = label(value, wrap=True, select=True)
        what.setAccessibleName(f"{name}: {value}")
        self._grid.addWidget(label(name, "muted"), place, 0, Qt.AlignmentFlag.AlignTop)
        self._grid.addWidget(what, place, 1)

    def _show_plan(self, plan: "Plan | None", model: str) -> None:
        self._speed.setVisible(plan is not None and plan.write_tokens_per_s > 0)
        if plan is None:
            self._chosen.setText(self.tr("No model is loaded"))
            self._why.setText(self.tr("The strategy is chosen when a model is loaded."))
            return
        strategy = str(plan.strategy)
        self._chosen.setText(f"{model}: {strategy}" if model else strategy)
        self._why.setText(plan.reason)
        self._speed.setText(
            self.tr("Reads {0}, writes {1}").format(
                speed_text(plan.read_tokens_per_s), speed_text(plan.write_tokens_per_s)
            )
        )

    def _rows(self, hardware: "Hardware") -> list[tuple[str, str]]:
        memory = self.tr("{0}, {1} free").format(
            memory_text(hardware.ram_total), memory_text(hardware.ram_free)
        )
        speed = hardware.ram_bandwidth
        rows = [
            (self.tr("System"), hardware.system),
            (self.tr("Processor"), hardware.cpu_name),
            (
                self.tr("Cores"),
                self.tr("{0} cores, {1} threads").format(hardware.cores, hardware.threads),
            ),
            (self.tr("Instructions"), ", ".join(hardware.instruction_sets) or "–"),
            (self.tr("Memory"), memory),
            (
                self.tr("Memory speed"),
                rate_text(speed) if speed else self.tr("Not measured yet"),
            ),
        ]
        rows += [(self.tr("Graphics"), self._gpu_text(gpu)) for gpu in hardware.gpus]
        if not hardware.gpus:
            rows.append((self.tr("Graphics"), self.tr("No card that can compute was found")))
        rows.append((self.tr("PyTorch"), hardware.torch_build or self.tr("Not found")))
        return rows

    def _gpu_text(self, gpu: "Gpu") -> str:
        text = self.tr("{0}, {1}, {2} free").format(
            gpu.name, memory_text(gpu.vram_total), memory_text(gpu.vram_free)
        )
        if gpu.driver:
            text += self.tr(", driver {0}").format(gpu.driver)
        return text if gpu.usable else self.tr("{0}. Not usable: {1}").format(text, gpu.why_not)
