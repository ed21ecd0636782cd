"""The parameters drawer: what is shown, what is told, presets and templates."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QSlider, QSpinBox

from app.chat.parameters_drawer import KNOBS, ParametersDrawer
from app.chat.presets import CREATIVE, CUSTOM, PRECISE, RECOMMENDED, apply_preset, preset_of
from app.models.message import ChatSettings
from engine.sampling import SamplingParams
from engine.templates import load_templates


@pytest.fixture
def drawer(qtbot, theme):
    made = ParametersDrawer(theme, load_templates())
    made.resize(304, 900)
    qtbot.addWidget(made)
    made.show()
    return made


def told(drawer):
    found = []
    drawer.changed.connect(found.append)
    return found


def test_it_shows_what_is_set_and_tells_nothing(drawer):
    found = told(drawer)
    sampling = SamplingParams(temperature=0.7, top_k=40, seed=7, max_tokens=500)
    drawer.show_settings(ChatSettings("Be brief.", "", "think", sampling))
    assert drawer.system.toPlainText() == "Be brief."
    assert drawer.findChild(QDoubleSpinBox, "temperature").value() == pytest.approx(0.7)
    assert drawer.findChild(QSlider, "temperature_slider").value() == 350
    assert drawer.seed.value() == 7
    assert drawer.max_tokens.value() == 500
    assert drawer.preset.currentData() == CUSTOM
    drawer.flush()
    assert found == []


@pytest.mark.parametrize("knob", KNOBS, ids=lambda knob: knob.field)
def test_numbers_and_sliders_say_the_same(qtbot, drawer, knob):
    found = told(drawer)
    box = drawer.findChild(QDoubleSpinBox, knob.field)
    slider = drawer.findChild(QSlider, f"{knob.field}_slider")
    slider.setValue(1000)
    assert box.value() == pytest.approx(knob.highest)
    drawer.flush()
    box.setValue(knob.lowest)
    assert slider.value() == 0
    drawer.flush()
    assert getattr(found[-1].sampling, knob.field) == pytest.approx(knob.lowest)
    found[-1].sampling.validated()


def test_many_changes_are_told_once(qtbot, drawer):
    found = told(drawer)
    slider = drawer.findChild(QSlider, "top_p_slider")
    for value in range(100, 900, 50):
        slider.setValue(value)
    qtbot.waitUntil(lambda: len(found) == 1)
    assert found[0].sampling.top_p == pytest.approx(0.85)


def test_system_text_seed_and_length(drawer):
    found = told(drawer)
    drawer.system.setPlainText("You are a poet.")
    drawer.seed.setValue(42)
    drawer.max_tokens.setValue(100)
    drawer.flush()
    assert found[-1].system == "You are a poet."
    assert found[-1].sampling.seed == 42
    assert found[-1].sampling.max_tokens == 100
    drawer.seed.setValue(-1)
    assert drawer.seed.text() == "Random"
    drawer.flush()
    assert found[-1].sampling.seed is None


def test_recommended_sampling_follows_the_thinking_mode(drawer):
    template = load_templates()["world"]
    drawer.show_settings(ChatSettings(sampling=template.sampling("off")))
    assert drawer.preset.currentData() == RECOMMENDED
    drawer.set_think("think")
    assert drawer.settings.sampling == template.sampling("think")
    drawer.show_settings(replace(drawer.settings, sampling=SamplingParams(temperature=0.1)))
    drawer.set_think("off")
    assert drawer.settings.sampling.temperature == 0.1


def test_template_changes_the_modes(drawer):
    names = list(load_templates())
    found = told(drawer)
    drawer.template.setCurrentIndex(drawer.template.findData(names[-1]))
    drawer.template.activated.emit(drawer.template.currentIndex())
    assert found[-1].template == names[-1]
    modes = [drawer.think.itemData(i) for i in range(drawer.think.count())]
    assert tuple(modes) == load_templates()[names[-1]].think_modes


def test_model_template_is_named(drawer):
    drawer.set_model_template("world")
    assert load_templates()["world"].title in drawer.template.itemText(0)


def test_presets_keep_seed_and_limits():
    sampling = SamplingParams(seed=5, max_tokens=9, stop=("x",))
    for name in (RECOMMENDED, PRECISE, CREATIVE):
        made = apply_preset(name, sampling, SamplingParams(top_p=0.4))
        assert (made.seed, made.max_tokens, made.stop) == (5, 9, ("x",))
        assert preset_of(made, SamplingParams(top_p=0.4)) == name
        made.validated()


def test_state_is_told(drawer):
    assert "No state yet" in drawer.state.text()
    drawer.show_state(tokens_read=1204, size_bytes=12_600_000, saved=True)
    assert drawer.state.text() == "1,204 tokens read, 12.6 MB, saved on disk"


def test_the_wheel_scrolls_the_drawer_and_every_control_has_a_name(drawer):
    for kind in (QDoubleSpinBox, QSpinBox, QSlider, QComboBox):
        for widget in drawer.findChildren(kind):
            assert widget.objectName()
            assert widget.accessibleName()
    assert drawer.findChild(QDoubleSpinBox, "top_p").focusPolicy() == Qt.FocusPolicy.StrongFocus
