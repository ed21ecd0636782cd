"""Where Skein keeps things on this system. Knows paths only, not what the files hold."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.settings import Settings


@dataclass(frozen=True, slots=True)
class Folders:
    """The four folders of the app; ``SKEIN_HOME`` puts all of them in one place."""

    data: Path
    config: Path
    cache: Path
    logs: Path

    @classmethod
    def standard(cls, environ: Mapping[str, str] | None = None) -> "Folders":
        """Return the folders this system prescribes, or those below ``SKEIN_HOME``."""
        home = (environ if environ is not None else os.environ).get("SKEIN_HOME")
        if home:
            return cls.below(Path(home).expanduser())
        from platformdirs import PlatformDirs

        dirs = PlatformDirs("Skein", appauthor=False)
        return cls(
            data=dirs.user_data_path,
            config=dirs.user_config_path,
            cache=dirs.user_cache_path,
            logs=dirs.user_log_path,
        )

    @classmethod
    def below(cls, home: Path) -> "Folders":
        """Return four folders inside ``home`` (portable use, tests)."""
        return cls(home / "data", home / "config", home / "cache", home / "logs")

    @property
    def models(self) -> Path:
        """Downloaded weights."""
        return self.data / "models"

    @property
    def packed(self) -> Path:
        """Weights as the engine for processors wants them: made again when they are missing."""
        return self.cache / "packed"

    @property
    def packs(self) -> Path:
        """GPU packs: PyTorch for NVIDIA cards."""
        return self.data / "packs"

    @property
    def updates(self) -> Path:
        """What comes in of a newer version, until it is laid ready."""
        return self.cache / "updates"

    @property
    def states(self) -> Path:
        """One file per saved state."""
        return self.data / "states"

    def states_of(self, settings: "Settings") -> Path:
        """Return where states are kept: where the settings say, else here."""
        chosen = settings.states_folder
        return Path(chosen).expanduser() if chosen else self.states

    @property
    def database(self) -> Path:
        """The SQLite file with all chats."""
        return self.data / "chats.sqlite3"

    @property
    def settings_file(self) -> Path:
        """The TOML file with the settings."""
        return self.config / "settings.toml"

    def create(self) -> None:
        """Make every folder that is missing.

        Raises OSError when the disk is read-only or full.
        """
        for folder in (self.data, self.config, self.cache, self.logs, self.models, self.states):
            folder.mkdir(parents=True, exist_ok=True)
