#!/usr/bin/env python3
"""Keeps the window's translations: extracts, compiles, checks. Standard library and Qt's tools.

    python installers/translate.py update     # strings of app/ into resources/translations/*.ts
    python installers/translate.py release    # *.ts into the *.qm that the app loads
    python installers/translate.py check      # is anything missing, stale or broken?

After a change of words: ``update``, fill in what is ``unfinished`` in the .ts (by hand or with
``pyside6-linguist``), ``release``, commit both. ``update`` and ``release`` run
``pyside6-lupdate`` and ``pyside6-lrelease``, which come with PySide6-Essentials: use the Python
of the environment. ``check`` reads app/ itself, so it also finds calls that lupdate cannot see.
"""

import argparse
import ast
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
SOURCES = PROJECT / "app"
TRANSLATIONS = PROJECT / "resources" / "translations"
LANGUAGES = ("zh_CN", "ja")

_PLACEHOLDER = re.compile(r"\{\w*\}|%n|%L?\d|&(?=\w)|\b(?:Ctrl|Shift|Alt)\+")
"""What a translation keeps: {0}, %n, %1, mnemonics, names of keys."""


class ToolFailed(Exception):
    """A sentence for the user: what went wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Message:
    """One string of one language. ``numerus``: it has plural forms, all in ``texts``."""

    context: str
    source: str
    comment: str
    texts: tuple[str, ...]
    finished: bool
    numerus: bool

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it one of its own."""
        return self.context, self.source, self.comment


@dataclass(frozen=True, slots=True)
class Found:
    """What is in app/: strings by key, and calls that no tool can read, as "file:line"."""

    keys: frozenset[tuple[str, str, str]]
    unreadable: tuple[str, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(description="The translations of Skein's window.")
    parser.add_argument("command", choices=("update", "release", "check"))
    command = parser.parse_args(arguments).command
    try:
        if command == "update":
            update()
        elif command == "release":
            release()
        else:
            return _report(problems())
    except ToolFailed as failed:
        print(failed, file=sys.stderr)
        return 1
    return 0


# ---- the commands -----------------------------------------------------------------------------


def ts_path(language: str) -> Path:
    """Return where the translations of a language are kept."""
    return TRANSLATIONS / f"skein_{language}.ts"


def qm_path(language: str) -> Path:
    """Return where their compiled form lies."""
    return TRANSLATIONS / f"skein_{language}.qm"


def update() -> None:
    """Bring the strings of app/ into every .ts; translations stay. Raises ToolFailed."""
    TRANSLATIONS.mkdir(parents=True, exist_ok=True)
    sources = [path.relative_to(PROJECT).as_posix() for path in sorted(SOURCES.rglob("*.py"))]
    # Line numbers would change these files with every commit, and clash in every merge.
    options = ["-no-obsolete", "-locations", "none", "-source-language", "en"]
    for language in LANGUAGES:
        target = ["-target-language", language, "-ts", str(ts_path(language))]
        _run("pyside6-lupdate", *sources, *options, *target)


def release() -> None:
    """Compile every .ts. Raises ToolFailed."""
    for language in LANGUAGES:
        _run("pyside6-lrelease", str(ts_path(language)), "-qm", str(qm_path(language)))


def problems() -> list[str]:
    """Return what is wrong with the translations, one sentence each; empty when nothing is."""
    found = find_strings()
    wrong = [f"{place}: lupdate cannot read this string" for place in found.unreadable]
    for language in LANGUAGES:
        path = ts_path(language)
        if not path.is_file():
            wrong.append(f"{path.name} is missing: run update")
            continue
        messages = read_ts(path)
        known = {message.key for message in messages}
        wrong += [f"{path.name}: run update, {_say(key)} is new" for key in found.keys - known]
        wrong += [f"{path.name}: run update, {_say(key)} is gone" for key in known - found.keys]
        for message in messages:
            wrong += [f"{path.name}: {_say(message.key)} {why}" for why in faults(message)]
        if not qm_path(language).is_file():
            wrong.append(f"{qm_path(language).name} is missing: run release")
    return sorted(wrong)


def _report(wrong: Sequence[str]) -> int:
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    print(f"{len(wrong)} problems" if wrong else "The translations are complete.")
    return 1 if wrong else 0


def _say(key: tuple[str, str, str]) -> str:
    context, source, _comment = key
    return f"{context} {source!r}"


# ---- the .ts files ----------------------------------------------------------------------------


def read_ts(path: Path) -> list[Message]:
    """Return all messages of a .ts. Raises ET.ParseError."""
    messages = []
    for context in ET.parse(path).getroot().iter("context"):
        name = context.findtext("name", "")
        messages += [_message(name, element) for element in context.iter("message")]
    return messages


def _message(context: str, element: ET.Element) -> Message:
    translation = element.find("translation")
    assert translation is not None, "every message of a .ts has a translation element"
    forms = [form.text or "" for form in translation.iter("numerusform")]
    return Message(
        context=context,
        source=element.findtext("source", ""),
        comment=element.findtext("comment", ""),
        texts=tuple(forms or [translation.text or ""]),
        finished=translation.get("type") is None,
        numerus=element.get("numerus") == "yes",
    )


def faults(message: Message) -> Iterator[str]:
    """Yield what is wrong with one translation."""
    if not message.finished or not all(message.texts):
        yield "is not translated"
        return
    wanted = Counter(_PLACEHOLDER.findall(message.source))
    for text in message.texts:
        lost = wanted - Counter(_PLACEHOLDER.findall(text))
        added = Counter(_PLACEHOLDER.findall(text)) - wanted
        if lost:
            yield f"lost {' '.join(lost)}"
        if added:
            yield f"made up {' '.join(added)}"
        if message.source.count("\n") != text.count("\n"):
            yield "has other line breaks"
        if text != text.strip() and message.source == message.source.strip():
            yield "has blanks at an end"


# ---- the strings of app/ ----------------------------------------------------------------------


def find_strings(folder: Path | None = None) -> Found:
    """Return every string that app/, or another folder, translates."""
    folder = folder or SOURCES
    reader = _Reader()
    for path in sorted(folder.rglob("*.py")):
        reader.read(path, path.relative_to(folder.parent).as_posix())
    return reader.found()


class _Reader(ast.NodeVisitor):
    """Walks through files as lupdate does: the context of ``self.tr`` is the class around it."""

    def __init__(self) -> None:
        self._keys: set[tuple[str, str, str]] = set()
        self._unreadable: list[str] = []
        self._marked: set[str] = set()
        self._variable: list[tuple[str, str]] = []
        self._classes: list[str] = []
        self._name = ""

    def read(self, path: Path, name: str) -> None:
        self._name = name
        self.visit(ast.parse(path.read_text(encoding="utf-8")))

    def found(self) -> Found:
        """A variable may be translated where its context has strings marked for it."""
        lost = [place for context, place in self._variable if context not in self._marked]
        return Found(frozenset(self._keys), tuple(self._unreadable + lost))

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._classes.append(node.name)
        self.generic_visit(node)
        self._classes.pop()

    def visit_Call(self, node: ast.Call) -> None:
        name = _called(node.func)
        place = f"{self._name}:{node.lineno}"
        if name == "tr":
            self._take(self._classes[-1] if self._classes else None, node.args, place)
        elif name == "QT_TRANSLATE_NOOP":
            context = _literal(node.args, 0)
            self._marked.add(context or "")
            self._take(context, node.args[1:], place)
        elif name == "translate":
            context = _literal(node.args, 0)
            if context is not None and _literal(node.args, 1) is None:
                self._variable.append((context, place))
            else:
                self._take(context, node.args[1:], place)
        self.generic_visit(node)

    def _take(self, context: str | None, arguments: Sequence[ast.expr], place: str) -> None:
        source = _literal(arguments, 0)
        if context is None or source is None:
            self._unreadable.append(place)
        else:
            self._keys.add((context, source, _literal(arguments, 1) or ""))


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _literal(arguments: Sequence[ast.expr], place: int) -> str | None:
    """Return an argument that is written out; Python has joined adjoining literals."""
    if place >= len(arguments):
        return None
    value = arguments[place]
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return value.value
    return None


# ---- Qt's tools -------------------------------------------------------------------------------


def _run(tool: str, *arguments: str) -> None:
    beside = str(Path(sys.executable).parent)
    program = shutil.which(tool, path=beside) or shutil.which(tool)
    if program is None:
        raise ToolFailed(
            f"{tool} was not found. It comes with PySide6-Essentials: use the Python of the "
            "environment (python installers/bootstrap.py test makes it in .venv)."
        )
    done = subprocess.run([program, *arguments], cwd=PROJECT, check=False)
    if done.returncode != 0:
        raise ToolFailed(f"{tool} failed with status {done.returncode}.")


if __name__ == "__main__":
    sys.exit(main())
