"""Sizes, speeds, times and dates as a person reads them. Knows numbers, not what they measure."""

from PySide6.QtCore import QCoreApplication, QDate, QLocale

translate = QCoreApplication.translate


def size_text(size_bytes: float) -> str:
    """Return decimal units as hubs and disks print them: 940 MB, 3.06 GB."""
    for limit, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size_bytes >= limit * 0.9995:
            return f"{_short(size_bytes / limit)} {unit}"
    return f"{int(size_bytes)} B"


def memory_text(size_bytes: float) -> str:
    """Return memory as systems and makers of cards count it, in units of 1024: 16 GB."""
    return f"{size_bytes / 2**30:.1f}".removesuffix(".0") + " GB"


def rate_text(bytes_per_s: float) -> str:
    """Return a transfer rate: 12.4 MB/s."""
    return f"{size_text(bytes_per_s)}/s"


def parameters_text(parameters: int) -> str:
    """Return a parameter count as model names write it: 191M, 1.53B."""
    if parameters >= 999_500_000:
        return f"{parameters / 1e9:.3g}B"
    if parameters >= 1_000_000:
        return f"{parameters / 1e6:.0f}M"
    return f"{parameters / 1e3:.0f}K"


def speed_text(tokens_per_s: float) -> str:
    """Return a writing speed: about 23 tokens/s; one decimal below 10."""
    number = f"{tokens_per_s:,.0f}" if tokens_per_s >= 9.95 else f"{tokens_per_s:.1f}"
    return translate("Units", "about {0} tokens/s").format(number)


def remaining_text(seconds: float) -> str:
    """Return how long is left, rounded as a person would say it."""
    if seconds < 60:
        return translate("Units", "{0} s left").format(max(1, round(seconds)))
    if seconds < 3600:
        return translate("Units", "{0} min left").format(round(seconds / 60))
    hours, minutes = divmod(round(seconds / 60), 60)
    return translate("Units", "{0} h {1} min left").format(hours, minutes)


def date_text(compact: str, locale: QLocale | None = None) -> str:
    """Return "20260212" as the locale writes a date; "" for anything that is no date."""
    day = QDate.fromString(compact, "yyyyMMdd")
    if not day.isValid():
        return ""
    # The pattern is translated too: Chinese and Japanese write the year first.
    pattern = translate("Units", "d MMM yyyy")
    return (locale if locale is not None else QLocale()).toString(day, pattern)


def _short(number: float) -> str:
    """Return three digits at most: 3.06, 12.4, 940; whole numbers without a tail."""
    digits = 2 if number < 9.995 else 1 if number < 99.95 else 0
    text = f"{number:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
