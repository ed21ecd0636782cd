"""The pack is laid over the bundled PyTorch: first thing at every start, before torch.

Standard library only, a few milliseconds, and never a failure: whatever is wrong with a pack,
the bundled PyTorch runs.
"""

import json
import os
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.folders import Folders
from engine.gpu_pack.hold import hold

SWITCH = "SKEIN_GPU_PACK"
"""The environment variable that, as "none", switches packs off."""
ACTIVE = "active"
"""The file with the name of the folder that is used."""
FACTS = "pack.json"
"""The file in a pack that says what it is."""
_HINT = "Remove the pack and get it again in Settings."


def use_pack(
    folders: Folders,
    path: list[str] | None = None,
    *,
    safe: bool = False,
    environ: Mapping[str, str] | None = None,
) -> str:
    """Put the active pack first in ``path`` (sys.path); return why it was not done, or "".

    It is held then until this process ends: the handle is never closed.

    "" also means that there is none, that it is there already, that ``safe`` is asked for
    (``--safe``) or that SKEIN_GPU_PACK=none. Never raises.
    """
    path = sys.path if path is None else path
    try:
        off = (os.environ if environ is None else environ).get(SWITCH, "").lower() == "none"
        if safe or off or pack_in_use(folders, path):
            return ""
        name = active_name(folders.packs)
        problem = obstacle(folders.packs, path) if name else ""
        if not problem and name and path is sys.path and "torch" in sys.modules:
            problem = "PyTorch was loaded before the GPU pack."
        if name and not problem:
            hold(folders.packs / name / FACTS)
            path.insert(0, str(folders.packs / name))
        return problem
    except Exception as error:  # a start without a pack is better than none
        return f"The GPU pack could not be looked at: {error}."


def pack_in_use(folders: Folders, path: Sequence[str] | None = None) -> Path | None:
    """Return the folder of the pack that this process was started with, or None."""
    packs = str(folders.packs)
    for entry in sys.path if path is None else path:
        if os.path.dirname(entry) == packs:
            return Path(entry)
    return None


def pack_failed(folders: Folders) -> bool:
    """Say whether this process was started with a pack, and its PyTorch is not there."""
    return pack_in_use(folders) is not None and "torch" not in sys.modules


def active_name(packs: Path) -> str:
    """Return the name of the folder that is used, "" for none."""
    try:
        name = (packs / ACTIVE).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return name if re.fullmatch(r"[\w.~-]{1,80}", name) and ".." not in name else ""


def obstacle(packs: Path, path: Sequence[str] | None = None) -> str:
    """Return why the active pack cannot be laid over the PyTorch in ``path``, or ""."""
    folder = packs / active_name(packs)
    try:
        facts = json.loads((folder / FACTS).read_text("utf-8"))
        name, torch, python = str(facts["name"]), str(facts["torch"]), str(facts["python"])
        system = str(facts["system"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"The GPU pack {folder.name} is damaged. {_HINT}"
    for wanted, ours in ((f"Python {python}", f"Python {this_python()}"), (system, this_system())):
        if wanted != ours:
            return f"The GPU pack {name} is for {wanted}; this is {ours}. {_HINT}"
    bundled = bundled_torch(packs, sys.path if path is None else path)
    if bundled and bundled != torch:
        return f"The GPU pack {name} is PyTorch {torch}; Skein now runs with {bundled}. {_HINT}"
    if not (folder / "torch" / "version.py").is_file():
        return f"The GPU pack {name} is damaged. {_HINT}"
    return ""


def this_system() -> str:
    """Return the target that runs, such as linux-x86_64."""
    names = {"win32": "windows", "darwin": "macos"}
    machine = platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    return f"{names.get(sys.platform, sys.platform)}-{machine}"


def this_python() -> str:
    """Return the tag of the Python that runs, such as cp311."""
    return f"cp{sys.version_info[0]}{sys.version_info[1]}"


def bundled_torch(packs: Path, path: Sequence[str]) -> str:
    """Return the version, without its build, of the PyTorch beside packs; "" for none."""
    for entry in path:
        if os.path.dirname(entry) == str(packs):
            continue
        try:
            with open(os.path.join(entry or ".", "torch", "version.py"), "rb") as file:
                text = file.read(4096).decode("utf-8", "replace")
        except OSError:
            continue
        found = re.search(r"^__version__\s*(?::[^=\n]*)?=\s*['\"]([^'\"+]+)", text, re.M)
        if found:
            return found[1]
    return ""
