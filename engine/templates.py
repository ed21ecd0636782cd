"""How a chat is written for a model: roles, separators, thinking modes, stop strings.

The templates themselves are data (``resources/templates.toml``). Knows nothing of tokens, states
or the chats on disk.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import PurePath
from typing import Any

from engine.errors import DamagedFile
from engine.sampling_params import SamplingParams

THINK_MODES = ("off", "fast", "think", "think_a_lot")


@dataclass(frozen=True, slots=True)
class ThinkMode:
    """suffix: put behind the question; opener: how the reply begins; sampling: author's advice."""

    suffix: str
    opener: str
    sampling: SamplingParams


@dataclass(frozen=True, slots=True)
class Thinking:
    """A reply taken apart. closed: the thinking, if there was any, is over."""

    thought: str
    answer: str
    closed: bool


@dataclass(frozen=True, slots=True)
class Template:
    """One way to write chats; its pieces, concatenated, are the text that the model reads.

    The order: opening, turn, reply_start + what the model wrote, turn, reply_start + ... Each
    piece may be encoded by itself: the tokens are those of the whole text, but where a reply
    ends in a character that the World vocabulary joins with a line end (a full-width stop, blanks).

    stops end a reply and are not shown; files: patterns of the model files that it is for.
    """

    name: str
    title: str
    system: str
    question: str
    reply_prefix: str
    separator: str
    answer_prefix: str
    clean: bool
    stops: tuple[str, ...]
    stop_tokens: tuple[int, ...]
    think_open: str
    think_close: str
    replace: tuple[tuple[str, str], ...]
    files: tuple[str, ...]
    modes: Mapping[str, ThinkMode] = field(hash=False)

    @property
    def think_modes(self) -> tuple[str, ...]:
        """Return the names of the modes that this family of models knows, least thinking first."""
        return tuple(mode for mode in THINK_MODES if mode in self.modes)

    def mode(self, think: str) -> ThinkMode:
        """Return a mode; one that this template does not have is its first ("off")."""
        return self.modes.get(think) or self.modes[self.think_modes[0]]

    def opening(self, system: str) -> str:
        """Return the text before the first turn; the caller reads id 0 before it."""
        text = self.cleaned(system)
        return self.system.replace("{text}", text) if text else ""

    def turn(self, text: str, think: str, first: bool) -> str:
        """Return a question, from the separator to where the reply begins."""
        filled = self.question.replace("{suffix}", self.mode(think).suffix)
        # The message last: it may hold "{suffix}" itself.
        question = filled.replace("{text}", self.cleaned(text))
        return ("" if first else self.separator) + question + self.reply_prefix

    def reply_start(self, think: str) -> str:
        """Return what is written for the model at the beginning of its reply; part of its text."""
        return self.mode(think).opener

    def reply(self, answer: str) -> str:
        """Return an answer that a person typed or edited as the text of a whole reply."""
        text = self.cleaned(answer)
        return self.answer_prefix + text if text else ""

    def cleaned(self, text: str) -> str:
        """Return a message as it may stand in a prompt."""
        for unwanted, instead in self.replace:
            text = text.replace(unwanted, instead)
        return clean(text) if self.clean else _newlines(text).rstrip(" ")

    def sampling(self, think: str) -> SamplingParams:
        """Return the parameters that the models' author advises."""
        return self.mode(think).sampling

    def split_thinking(self, reply_text: str, done: bool = False) -> Thinking:
        """Take a reply apart, also one that is still being written.

        reply_text begins with ``reply_start``. Half a tag at the end belongs to nothing; ``done``
        says that no more will come, so that thinking is over even without its end.
        """
        text = reply_text.lstrip()
        begun = self.think_open[:-1]  # an opener leaves the rest to the model
        if not begun or not text.startswith(begun):
            unclear = not done and begun.startswith(text)
            return Thinking("", "" if unclear else text, closed=True)
        rest = text[len(begun) :]
        if rest and not rest.startswith(self.think_open[-1]):
            return Thinking("", text, closed=True)  # some other word, such as <thinking
        thought, closed, answer = rest[1:].partition(self.think_close)
        if not closed:
            thought = _without_half(thought, self.think_close)
        return Thinking(thought.strip(), answer.lstrip(), closed=bool(closed) or done)


def _without_half(text: str, tag: str) -> str:
    """Return the text without a beginning of the tag at its end."""
    for length in range(min(len(tag) - 1, len(text)), 0, -1):
        if text.endswith(tag[:length]):
            return text[:-length]
    return text


def clean(text: str) -> str:
    """Return a message whose blank lines are gone: models take a blank line for its end.

    Line ends become ``\\n``, runs of them one; blanks at both ends go. Indentation stays.
    """
    return re.sub(r"\n(?:[^\S\n]*\n)+", "\n", _newlines(text)).strip()


def _newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def load_templates() -> dict[str, Template]:
    """Read all templates of resources/templates.toml: name -> template, in the file's order.

    Raises DamagedFile when the file does not hold what this version expects.
    """
    text = resources.files("resources").joinpath("templates.toml").read_text("utf-8")
    return parse_templates(text)


def parse_templates(text: str) -> dict[str, Template]:
    """Read templates from TOML text. Raises DamagedFile."""
    try:
        tables = {table["name"]: table for table in tomllib.loads(text)["template"]}
        return {name: _template(_extended(table, tables)) for name, table in tables.items()}
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError, re.error) as error:
        raise DamagedFile(f"The prompt templates cannot be read: {error}.") from error


def _extended(table: dict[str, Any], tables: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return a table on top of the one that it extends; tables inside are merged as well."""
    base = table.get("extends")
    if base is None:
        return table
    inherited = {**_extended(tables[base], tables), "files": [], "replace": {}}
    return _merged(inherited, {key: value for key, value in table.items() if key != "extends"})


def _merged(base: dict[str, Any], top: dict[str, Any]) -> dict[str, Any]:
    both = {
        key: _merged(base[key], top[key])
        for key in base.keys() & top.keys()
        if isinstance(base[key], dict)
    }
    return base | top | both


def _template(table: dict[str, Any]) -> Template:
    values = dict(table)
    names = values.pop("modes", THINK_MODES)
    think = values.pop("think")
    values["modes"] = {name: _mode(think[name]) for name in names if name in think}
    values["replace"] = tuple(values.get("replace", {}).items())
    values["files"] = tuple(re.compile(pattern).pattern for pattern in values.get("files", ()))
    values["stops"] = tuple(values["stops"])
    values["stop_tokens"] = tuple(values["stop_tokens"])
    return Template(**values)


def _mode(table: dict[str, Any]) -> ThinkMode:
    return ThinkMode(table["suffix"], table["opener"], SamplingParams(**table["sampling"]))


def template_for(model_file_name: str, templates: Mapping[str, Template]) -> Template:
    """Return the template for a model: the first one that has a pattern for its file's name."""
    name = PurePath(model_file_name).name.lower()
    for template in templates.values():
        if any(re.search(pattern, name) for pattern in template.files):
            return template
    return next(iter(templates.values()))
