"""What is built for: system and processor, where Python lies in a tree, what its files are called.

Pure facts; looks at nothing but this process' platform (``here``).
"""

import platform
from dataclasses import dataclass
from pathlib import Path

from installers.builder.failure import BuildFailed


@dataclass(frozen=True, slots=True)
class Target:
    """One of the four that are built: "linux-x86_64" and its like. system: linux|windows|macos."""

    name: str

    @property
    def system(self) -> str:
        """Return linux, windows or macos."""
        return self.name.partition("-")[0]

    @property
    def lock(self) -> Path:
        """Return the file with this target's packages."""
        return Path(__file__).parents[1] / "locks" / f"{self.name}.txt"

    def python(self, folder: Path) -> Path:
        """Return the interpreter inside a relocatable Python."""
        return folder / ("python.exe" if self.system == "windows" else "bin/python3")

    def library(self, folder: Path) -> Path:
        """Return where the standard library lies."""
        return folder / ("Lib" if self.system == "windows" else "lib/python3.11")

    def site(self, folder: Path) -> Path:
        """Return site-packages."""
        return self.library(folder) / "site-packages"


NAMES = ("linux-x86_64", "linux-aarch64", "windows-x86_64", "macos-arm64")
_MACHINES = {"AMD64": "x86_64", "x86_64": "x86_64", "aarch64": "aarch64", "arm64": "arm64"}
_SYSTEMS = {"Linux": "linux", "Windows": "windows", "Darwin": "macos"}


def here() -> Target:
    """Return what this machine can build for. Raises BuildFailed where that is nothing."""
    system = _SYSTEMS.get(platform.system(), platform.system())
    name = f"{system}-{_MACHINES.get(platform.machine(), platform.machine())}"
    if name not in NAMES:
        raise BuildFailed(f"Skein is not built for {name}; known are {', '.join(NAMES)}.")
    return Target(name)


def chosen(system: str) -> Target:
    """Return this machine's target, which must be of the wanted system."""
    found = here()
    if found.system != system:
        raise BuildFailed(
            f"A tree for {system} is built on {system} (its packages run there at once: the smoke "
            f"test starts them), and this is {found.name}. The release workflow has a runner for "
            "each system."
        )
    return found
