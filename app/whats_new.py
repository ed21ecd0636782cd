"""What is new in which version, for people: ``resources/whats_new.json``.

By version and language ("en", "zh", "ja") one text in Markdown; the signed feed of a release takes
its notes from there, too. Knows the file and versions, no window.
"""

import json
import logging
import re
from importlib import resources

from engine.manifest import version_key

log = logging.getLogger(__name__)
_BEGINS = re.compile(r"\s*([-*+>|#]|\d+[.)] |```|$)")
"""A line that does not go on with the paragraph before it."""


def notes_between(before: str, now: str, language: str) -> str:
    """Return Markdown: what is new since version ``before`` ("" for all of it) up to ``now``.

    language: "zh_CN", "ja", ...; one that has no notes gets the English ones. "" when nothing is.
    """
    since = _key(before)
    found = []
    for version, texts in _notes().items():
        if since < _key(version) <= _key(now):
            found.append((version, texts.get(language[:2].lower()) or texts.get("en", "")))
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


def _notes() -> dict[str, dict[str, str]]:
    """Return Markdown by version, the newest first, and language."""
    try:
        text = resources.files("resources").joinpath("whats_new.json").read_text("utf-8")
        found: dict[str, dict[str, str]] = json.loads(text)
        return dict(sorted(found.items(), key=lambda item: _key(item[0]), reverse=True))
    except (OSError, ValueError):
        log.exception("resources/whats_new.json cannot be read")
        return {}
