"""What is new in which version, for people: ``resources/whats_new/<language>.md``.

Each version has a section below a heading of the second level, the newest first. Knows files and
versions, no window.
"""

import logging
import re
from importlib import resources

from engine.manifest import version_key

log = logging.getLogger(__name__)
_BEGINS = re.compile(r"\s*([-*+>|#]|\d+[.)] |```|$)")
"""A line that does not go on with the paragraph before it."""
_HEADING = re.compile(r"^## +(\S+) *$", re.MULTILINE)


def notes_between(before: str, now: str, language: str) -> str:
    """Return Markdown: what is new since version ``before`` ("" for all of it) up to ``now``.

    language: "zh_CN", "ja", ...; one that has no notes gets the English ones. "" when nothing is.
    """
    since = _key(before)
    found = []
    for version, text in _sections(_text(language)):
        key = _key(version)
        if since < key <= _key(now):
            found.append((version, text))
    if len(found) == 1:  # the heading over it says which version that is
        return found[0][1]
    return "\n\n".join(f"## {version}\n\n{text}" for version, text in found)


def unwrapped(markdown: str) -> str:
    """Return a text with each paragraph on one line: what chats show has a break at each line."""
    lines: list[str] = []
    in_code = goes_on = False
    for line in markdown.splitlines():
        fence = line.lstrip().startswith("```")
        if goes_on and not in_code and not _BEGINS.match(line):
            lines[-1] = f"{lines[-1].rstrip()} {line.strip()}"
            continue
        lines.append(line)
        in_code ^= fence
        goes_on = bool(line.strip()) and not fence and not line.lstrip().startswith(("#", "|"))
    return "\n".join(lines)


def _key(version: str) -> tuple[tuple[int, ...], str, int]:
    try:
        return version_key(version)
    except ValueError:
        return (), "", 0


def _sections(text: str) -> list[tuple[str, str]]:
    """Return (version, Markdown) in the order of the file."""
    parts = _HEADING.split(text)[1:]
    return [(parts[i], parts[i + 1].strip()) for i in range(0, len(parts), 2)]


def _text(language: str) -> str:
    folder = resources.files("resources").joinpath("whats_new")
    for name in (language[:2].lower(), "en"):
        file = folder.joinpath(f"{name}.md")
        if name and file.is_file():
            return file.read_text(encoding="utf-8")
    log.warning("resources/whats_new has no notes")
    return ""
