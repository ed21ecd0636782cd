"""What a reply cost, in words. Pure functions of a Message."""

from PySide6.QtCore import QCoreApplication

from app.models.message import Message

translate = QCoreApplication.translate


def stats_text(message: Message) -> str:
    """Return the line under a reply: speed, tokens, time, what was read, what was resumed."""
    stats = message.stats
    parts: list[str] = []
    if stats is not None and stats.tokens:
        parts.append(translate("Reply", "{0} tokens/s").format(_number(stats.tokens_per_s)))
        parts.append(translate("Reply", "{0} tokens").format(f"{stats.tokens:,}"))
        parts.append(translate("Reply", "{0} s").format(_seconds(stats.seconds)))
    if stats is not None and stats.read_tokens:
        speed = stats.read_tokens / stats.read_seconds if stats.read_seconds else 0.0
        words = translate("Reply", "read {0} at {1}/s") if speed else translate("Reply", "read {0}")
        parts.append(words.format(f"{stats.read_tokens:,}", _number(speed)))
    if stats is not None and stats.resumed_tokens:
        parts.append(translate("Reply", "resumed from state"))
    elif stats is not None and stats.read_again:
        parts.append(translate("Reply", "no saved state: read again"))
    if message.status == "stopped":
        parts.append(translate("Reply", "stopped"))
    return " · ".join(parts)


def thinking_share(message: Message, answer: str) -> float | None:
    """Return about how many seconds of a finished reply were thinking; None when unknown.

    Tokens come at an even pace, so the share of the text's bytes is the share of the time.
    """
    if message.stats is None or not message.stats.seconds or message.status == "writing":
        return None
    total = len(message.text.encode("utf-8", "replace"))
    return message.stats.seconds * (1 - len(answer.encode("utf-8", "replace")) / max(total, 1))


def _seconds(value: float) -> str:
    return "<0.1" if value < 0.05 else _number(value)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
