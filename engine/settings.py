"""The settings and their TOML file. Knows what is allowed, not what anything looks like.

The file belongs to the user as much as to us: comments, order and keys we do not know survive;
a bad value is logged and its default used, and never stops the start. No secrets in here: a
token or a password belongs in the system's keyring (``engine.secrets``).
"""

import dataclasses
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from engine.files import write_atomically

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

_log = logging.getLogger(__name__)

VERSION = 1
"""Of the file's format; raised when a key changes its meaning."""

_STALE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the user can set; every field has a default that works.

    language: "" = that of the system. model_folders: further places of model files.
    models_folder, states_folder: "" = below the data folder. hub_endpoint: "" = Hugging Face.
    gpu_pack_offered: the window said once that there is a pack for this computer's card.
    pack_index: where a GPU pack's wheels are, "" = where the pack or this Python's pip says.
    packed_budget_bytes: what prepared copies of models may take, 0 = none is kept.
    proxy: "" = that of the system. strategies: by model file name, where it is not ``strategy``.
    loras: by model file name, one a line with its strength, as ``engine.lora_use`` reads them.
    check_updates: "yes" or "no" to looking for newer versions, "" = not asked yet.
    last_update_check: when that was last done, in seconds since 1970, 0 = never.
    last_version: of Skein, that ran last; "" = none did.
    last_conversation: 0 = none. cpu_engine_missed: it was said that this installation lacks it.
    power_saving: models compute on half of the processor's cores at most.
    window_geometry: as the window system gives it, base64.
    """

    language: str = ""
    theme: str = "system"
    text_scale: float = 1.0
    send_with: str = "enter"
    sidebar_open: bool = True
    drawer_open: bool = False
    window_geometry: str = ""
    last_conversation: int = 0
    last_model: str = ""
    load_last_model: bool = True
    models_folder: str = ""
    model_folders: tuple[str, ...] = ()
    states_folder: str = ""
    state_budget_bytes: int = 4_000_000_000
    packed_budget_bytes: int = 16_000_000_000
    hub_endpoint: str = ""
    pack_index: str = ""
    gpu_pack_offered: bool = False
    proxy: str = ""
    offline: bool = False
    strategy: str = "auto"
    strategies: Mapping[str, str] = field(default_factory=dict)
    loras: Mapping[str, str] = field(default_factory=dict)
    cpu_engine_missed: bool = False
    check_updates: str = ""
    last_update_check: int = 0
    last_version: str = ""
    power_saving: bool = False


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a value must be, in words, and the test for it."""

    wanted: str
    allows: Callable[[Any], bool]


def _one_of(*choices: str) -> _Rule:
    return _Rule(f"one of {', '.join(choices)}", lambda value: value in choices)


def _between(low: float, high: float) -> _Rule:
    return _Rule(
        f"a number from {low:g} to {high:g}",
        lambda value: math.isfinite(value) and low <= value <= high,
    )


def _is_address(value: str) -> bool:
    """Tell whether it is empty or a web address without a user name or password."""
    try:
        parts = urlsplit(value)
        return not value or (
            parts.scheme in ("http", "https", "socks5", "socks5h")
            and bool(parts.hostname)
            and parts.username is None
            and parts.port != 0
        )
    except ValueError:
        return False


_ADDRESS = _Rule("an address such as http://host:8080, without a password", _is_address)
_RULES = {
    "theme": _one_of("system", "light", "dark"),
    "check_updates": _one_of("", "yes", "no"),
    "last_update_check": _between(0, 2**53),
    "send_with": _one_of("enter", "ctrl+enter"),
    "text_scale": _between(0.5, 3.0),
    "last_conversation": _between(0, 2**63 - 1),
    "state_budget_bytes": _between(0, 2**50),
    "packed_budget_bytes": _between(0, 2**50),
    "hub_endpoint": _ADDRESS,
    "pack_index": _ADDRESS,
    "proxy": _ADDRESS,
}
_STARTING = (
    "theme",
    "text_scale",
    "sidebar_open",
    "drawer_open",
    "window_geometry",
    "last_conversation",
    "last_model",
    "load_last_model",
    "strategy",
    "strategies",
    "loras",
    "power_saving",
)
"""What decides how a start looks and what it runs. All else stays in a safe start, too: where
chats' states and models lie and how much room they have, the network, what was answered.
"""
_FIELDS = {field.name: field for field in dataclasses.fields(Settings)}
_DEFAULTS = Settings()


class SettingsFile:
    """One settings file on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Settings:
        """Return what is in the file; never raises. What is bad is logged and defaulted."""
        found = self._document()
        good: dict[str, Any] = {}
        for name in _FIELDS.keys() & found.keys():
            converted = _converted(name, _unwrapped(found[name]))
            if converted is None:  # the value itself is not logged: it may hold a password
                _log.warning("settings: %s is not %s; using the default", name, _wanted(name))
            else:
                good[name] = converted
        return Settings(**good)

    def save(self, settings: Settings) -> None:
        """Write what differs from the file; all else in it stays.

        A value that is not allowed is logged and left out (ask ``problem_with`` before).
        A kill at any moment leaves the old file or the new one.
        Raises OSError when the disk is full or read-only.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._remove_leftovers()
        document = self._document(keep_damaged=True)
        _update(document, settings)
        write_atomically(self.path, document.as_string().encode())

    def _remove_leftovers(self) -> None:
        """Delete what a kill left; not the newest, which another process may be writing."""
        for path in self.path.parent.glob(f".{self.path.name}.*.part"):
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                path.unlink(missing_ok=True)

    def _document(self, *, keep_damaged: bool = False) -> "TOMLDocument":
        """Return the file as it is; an empty one when it is missing or not TOML."""
        import tomlkit
        from tomlkit.exceptions import TOMLKitError

        try:
            return tomlkit.parse(self.path.read_bytes().decode("utf-8-sig"))
        except FileNotFoundError:
            pass
        except (TOMLKitError, UnicodeDecodeError) as error:
            _log.warning("settings: %s is not TOML (%s); using the defaults", self.path, error)
            if keep_damaged:
                date = time.strftime("%Y%m%d-%H%M%S")
                self.path.replace(self.path.with_name(f"{self.path.stem}.damaged-{date}.toml"))
        except OSError as error:
            _log.warning("settings: %s could not be read (%s)", self.path, error)
            if keep_damaged:  # better not saved than all the rest of the file lost
                raise
        return tomlkit.document()


def load(path: Path) -> Settings:
    """Return the settings in a file; never raises."""
    return SettingsFile(path).load()


def safe(settings: Settings) -> Settings:
    """Return the settings of a safe start: nothing that a start may have ended by."""
    return dataclasses.replace(settings, **{name: getattr(_DEFAULTS, name) for name in _STARTING})


def problem_with(name: str, value: object) -> str:
    """Return a sentence when a setting may not have this value, else ""."""
    return "" if _converted(name, _plain(value)) is not None else f"This must be {_wanted(name)}."


def _converted(name: str, value: Any) -> Any:  # noqa: ANN401 - anything may be in the file
    """Return the value in the field's type, or None when it is not allowed."""
    default = getattr(_DEFAULTS, name)
    if isinstance(default, tuple):
        return tuple(value) if _all_text(value, list) else None
    if isinstance(default, Mapping):
        return dict(value) if _all_text(value, dict) else None
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    if type(value) is not type(default):
        return None
    rule = _RULES.get(name)
    return value if rule is None or rule.allows(value) else None


def _unwrapped(value: Any) -> Any:  # noqa: ANN401
    """Return what tomlkit holds as a plain value."""
    return value.unwrap() if hasattr(value, "unwrap") else value


def _all_text(value: Any, kind: type[list] | type[dict]) -> bool:  # noqa: ANN401
    if not isinstance(value, kind):
        return False
    texts = value.values() if isinstance(value, dict) else value
    return all(isinstance(text, str) for text in texts)


def _wanted(name: str) -> str:
    if name in _RULES:
        return _RULES[name].wanted
    default = getattr(_DEFAULTS, name)
    if isinstance(default, tuple):
        return "a list of texts"
    if isinstance(default, Mapping):
        return "a table of texts"
    return {str: "a text", bool: "true or false", int: "a whole number"}[type(default)]


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Return the value as TOML knows it, which is Unicode: names of files need not be.

    Such a name, which no later start could find, is left out; the other values go on.
    """
    if isinstance(value, tuple):
        return [text for text in value if _is_unicode(text)]
    if isinstance(value, Mapping):
        return {key: text for key, text in value.items() if _is_unicode(key, text)}
    return value if _is_unicode(value) else ""


def _is_unicode(*values: object) -> bool:
    texts = [value for value in values if isinstance(value, str)]
    return not any("\ud800" <= letter <= "\udfff" for text in texts for letter in text)


def _update(document: "TOMLDocument", settings: Settings) -> None:
    """Put in what differs from the file, and leave out what is a default and was not there."""
    if "version" not in document:
        document["version"] = VERSION
    for name in _FIELDS:
        value = _plain(getattr(settings, name))
        if _converted(name, value) is None:
            _log.warning("settings: %s was not saved, it is not %s", name, _wanted(name))
            continue
        if name in document:
            is_new = _plain(_converted(name, _unwrapped(document[name]))) != value
        else:
            is_new = value != _plain(getattr(_DEFAULTS, name))
        if is_new:
            document[name] = value
