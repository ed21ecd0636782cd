import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import DamagedFile
from engine.templates import (
    Template,
    Thinking,
    clean,
    load_templates,
    parse_templates,
    template_for,
)

TEMPLATES = load_templates()


@pytest.mark.parametrize(
    ("name", "template"),
    [
        ("rwkv7-g1-0.1b-20250307-ctx4096.pth", "world"),
        ("rwkv7-g1d-1.5b-20260212-ctx8192.pth", "world"),
        ("rwkv7-g1a3-2.9b-20251103-ctx8192.pth", "world"),
        ("rwkv7-g1g-7.2b-20260601-ctx8192", "world"),
        ("rwkv7-0.1B-g1", "world"),
        ("rwkv7-g0-7.2b-20250722-ctx4096.pth", "world"),
        ("rwkv7-g1h-2.9b-20260710-ctx8192.pth", "g1h"),
        ("RWKV7-G1K-1.5B.Q8_0.gguf", "g1h"),
        ("models/rwkv7-g1h/rwkv7-g1d-1.5b.st", "world"),
        ("rwkv7-g2-1.5b.pth", "g1h"),
        ("RWKV-x070-World-0.4B-v2.9-20250107-ctx4096.pth", "classic"),
        ("RWKV-x060-World-3B-v2.1-20240417-ctx4096.pth", "classic"),
        ("RWKV-4-Raven-7B-v12-Eng98%-Other2%-20230521-ctx8192.pth", "raven"),
        ("RWKV-4-Pile-169M-20220807-8023.pth", "raven"),
        ("my-own-model.pth", "classic"),
        ("", "classic"),
    ],
)
def test_the_file_name_chooses_the_template(name, template):
    assert template_for(name, TEMPLATES).name == template


def whole(template: Template, think: str) -> str:
    return (
        template.opening("Be kind.")
        + template.turn("hi?", think, True)
        + template.reply_start(think)
        + "..."
        + template.turn("Why?", think, False)
        + template.reply_start(think)
    )


def test_world_prompts():
    world = TEMPLATES["world"]
    assert whole(world, "off") == (
        "System: Be kind.\n\nUser: hi?\n\nAssistant:...\n\nUser: Why?\n\nAssistant:"
    )
    assert world.turn("hi", "think", True) + world.reply_start("think") == (
        "User: hi\n\nAssistant: <think"
    )
    assert world.reply_start("fast") == " <think>\n</think"
    assert world.turn("hi", "think_a_lot", True) == "User: hi (think a lot)\n\nAssistant:"
    assert world.stop_tokens == (0,)
    assert world.reply("Yes.") == " Yes."
    assert world.reply(" \n") == ""


def test_g1h_prompts():
    g1h = TEMPLATES["g1h"]
    assert whole(g1h, "think") == (
        "System✿Be kind.✿\nUser✿hi?✿\nBot✿<think...✿\nUser✿Why?✿\nBot✿<think"
    )
    assert g1h.reply_start("fast") == "<think></think>"
    assert g1h.stops == ("✿",)
    assert 10060 in g1h.stop_tokens
    assert "✿" not in g1h.cleaned("a ✿ b")
    assert "✿" in TEMPLATES["world"].cleaned("a ✿ b")


def test_classic_and_plain():
    classic, plain = TEMPLATES["classic"], TEMPLATES["plain"]
    assert classic.think_modes == ("off",)
    assert TEMPLATES["world"].think_modes == ("off", "fast", "think", "think_a_lot")
    assert whole(classic, "think") == whole(TEMPLATES["world"], "off")  # unknown here: off
    assert plain.opening("") + plain.turn("Once\r\n\r\nupon a ", "off", True) == "Once\n\nupon a"
    assert plain.stops == ()
    assert plain.split_thinking("<think> is text") == Thinking("", "<think> is text", True)


def test_raven_prompts():
    raven = TEMPLATES["raven"]
    expected = "Be kind.\n\nBob: Hi\n\nAlice: Hello.\n\nBob: Hi\n\nAlice:"
    first = raven.opening("Be kind.") + raven.turn("Hi", "off", first=True) + raven.reply("Hello.")
    assert first + raven.turn("Hi", "off", first=False) == expected
    assert raven.think_modes == ("off",)


def test_a_message_that_looks_like_a_template_is_only_text():
    assert "{suffix} {text}" in TEMPLATES["world"].turn("{suffix} {text}", "think_a_lot", True)


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=lambda template: template.name)
def test_no_prompt_ends_in_a_space(template):
    for think in template.think_modes:
        for text in ("x ", "", "x"):
            prompt = template.turn(text, think, True) + template.reply_start(think)
            assert not prompt.endswith(" ")


def test_advice():
    world = TEMPLATES["world"]
    think, fast = world.sampling("think"), world.sampling("fast")
    assert (think.temperature, think.top_p, think.top_k) == (0.96, 0.76, 32)
    assert (think.presence_penalty, think.frequency_penalty, think.penalty_decay) == (1, 0.1, 0.988)
    assert (fast.temperature, fast.top_p, fast.top_k) == (1, 0.28, 32)
    assert TEMPLATES["classic"].sampling("off") == world.sampling("off")
    for template in TEMPLATES.values():
        for mode in template.think_modes:
            template.sampling(mode).validated()


def test_clean():
    assert clean("  a\r\n\r\n\r\nb\rc\n \t\n\n  d  \n") == "a\nb\nc\n  d"
    assert clean("```\nx = 1\n\n    y = 2\n```") == "```\nx = 1\n    y = 2\n```"
    assert clean(" \n\t\n ") == ""


@given(st.text("ab \n\r\t\u3000"))
def test_cleaning_twice_changes_nothing(text):
    once = clean(text)
    assert clean(once) == once == once.strip()
    assert "\n\n" not in once
    assert "\r" not in once


@pytest.mark.parametrize(
    ("text", "thought", "answer", "closed"),
    [
        ("", "", "", True),
        (" Hello", "", "Hello", True),
        (" <thi", "", "", True),
        (" <think", "", "", False),
        (" <think>", "", "", False),
        (" <think>\nOkay, </th", "Okay,", "", False),
        (" <think>\nOkay </b", "Okay </b", "", False),
        (" <think>\nOkay</think>\n", "Okay", "", True),
        (" <think>\nOkay\n\nso</think>\n\nYes <think>", "Okay\n\nso", "Yes <think>", True),
        (" <think>\n</think", "", "", False),
        (" <think>\n</think>\nYes", "", "Yes", True),
        ("<think></think>Yes", "", "Yes", True),
        (" <thinking> about", "", "<thinking> about", True),
        ("a <think>", "", "a <think>", True),
    ],
)
def test_taking_a_reply_apart(text, thought, answer, closed):
    assert TEMPLATES["world"].split_thinking(text) == Thinking(thought, answer, closed)


def test_taking_a_finished_reply_apart():
    world = TEMPLATES["world"]
    assert world.split_thinking("<t", done=True) == Thinking("", "<t", True)
    assert world.split_thinking(" <think>\nBut", done=True) == Thinking("But", "", True)
    assert world.split_thinking(" <think>\n</think", done=True) == Thinking("", "", True)


@given(st.integers(0, 60))
def test_a_growing_reply_never_takes_back_its_answer(end):
    text = " <think>\nWell, a <b> or </b>?</think>\n\nIt is <b>."
    parts = TEMPLATES["world"].split_thinking(text[:end])
    final = TEMPLATES["world"].split_thinking(text)
    assert final.thought.startswith(parts.thought)
    assert final.answer.startswith(parts.answer)


@pytest.mark.parametrize("text", ["x =", "[[template]]\nname = 'a'", "format = 1", "template = 3"])
def test_a_broken_file_is_named(text):
    with pytest.raises(DamagedFile, match="templates"):
        parse_templates(text)
