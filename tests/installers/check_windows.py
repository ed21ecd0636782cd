"""What takes too long for a test of the setup for Windows: a kill in the middle, and the pages.

    python -m tests.installers.check_windows [--pages FOLDER]

A setup of 300 MB is killed at several moments over an installed version, which has to start and to
be upgraded afterwards. --pages: pictures of all pages in three languages, made under Xvfb (needs
imagemagick and xdotool). Under wine, on Linux; needs what tests/installers/windows needs.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from installers.windows.nsis import look_at, make_setup
from tests.installers.windows.kit import (
    Wine,
    compile_stand_ins,
    make_root,
    marks,
    told,
)

FOLDER = "Prögramme und 中文 dir\\Skein"
LANGUAGES = {"en": 1033, "zh": 2052, "ja": 1041}
FACES = {"Segoe UI": "Noto Sans", "Microsoft YaHei UI": "Noto Sans CJK SC",
         "Yu Gothic UI": "Noto Sans CJK JP"}  # fmt: skip
"""What stands here for the faces of Windows."""

BIG_BYTES = 300_000_000
SCREEN = ":97"


def make_setups(folder: Path) -> tuple[Path, Path]:
    """Return the setups of a small version 0.1.0 and of a big 0.2.0."""
    stand_ins = compile_stand_ins(folder / "python")
    roots = [make_root(folder / name, name, stand_ins) for name in ("0.1.0", "0.2.0")]
    with (roots[1] / "versions" / "0.2.0" / "big.bin").open("wb") as file:
        for _ in range(BIG_BYTES // 1_000_000):
            file.write(os.urandom(1_000_000))
    setups = [folder / f"setup-{root.name}.exe" for root in roots]
    for root, setup in zip(roots, setups, strict=True):
        make_setup(look_at(root), setup, folder, qt_python=Path(sys.executable), fast=True)
    return setups[0], setups[1]


def check_kills(wine: Wine, first: Path, second: Path) -> None:
    """Kill an upgrade when 0, 10 ... 90 % of its files are there; look at what is left."""
    root = wine.drive / FOLDER.replace("\\", "/")
    assert wine.install(first, FOLDER) == (0, "")
    start = time.monotonic()
    assert wine.install(second, FOLDER) == (0, "")
    whole = time.monotonic() - start
    print(f"an upgrade of {BIG_BYTES / 1e6:.0f} MB takes {whole:.1f} s")
    assert wine.uninstall(FOLDER) == (0, "")
    assert wine.install(first, FOLDER) == (0, "")
    for percent in range(0, 100, 10):
        with wine.start(second, "/S", *f"/D=C:\\{FOLDER}".split(" ")) as setup:
            while (
                _size(root / "versions" / "0.2.0.partial" / "big.bin") <= percent * BIG_BYTES / 100
            ):
                assert setup.poll() is None
                time.sleep(0.002)
            setup.kill()
        left = sorted(path.name for path in (root / "versions").iterdir())
        print(f"  killed at {percent} %: {', '.join(left)}; {marks(root)}")
        assert left == ["0.1.0", "0.2.0.partial"]
        assert marks(root) == {"current": "0.1.0"}
        assert wine.run(root / "skein.com") == (0, "")
        assert told(root)[1].endswith("0.1.0\\python")
    assert wine.install(second, FOLDER) == (0, "")
    assert sorted(path.name for path in (root / "versions").iterdir()) == ["0.1.0", "0.2.0"]
    assert wine.run(root / "skein.com") == (0, "")
    assert told(root)[1].endswith("0.2.0\\python")
    assert wine.uninstall(FOLDER) == (0, "")
    print("kills: all right")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _press(*keys: str) -> None:
    subprocess.run(["xdotool", "key", *keys], env={**os.environ, "DISPLAY": SCREEN}, check=True)
    time.sleep(2.5)


def _shoot(path: Path) -> None:
    command = ["import", "-window", "root", str(path)]
    subprocess.run(command, env={**os.environ, "DISPLAY": SCREEN}, check=True)


def take_pages(wine: Wine, setup: Path, folder: Path) -> None:
    """Go through setup and uninstaller in each language, a picture a page."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, other in FACES.items():
        key = r"HKCU\Software\Wine\Fonts\Replacements"
        wine.run("reg", "add", key, "/v", name, "/d", other, "/f")
    data = wine.local / "Skein"
    (data / "models").mkdir(parents=True, exist_ok=True)
    with (data / "models" / "big.pth").open("wb") as file:
        file.truncate(5 * 2**30)
    (data / "chats.sqlite3").write_bytes(bytes(7_000_000))
    screen = ["Xvfb", SCREEN, "-screen", "0", "800x600x24"]
    with subprocess.Popen(screen, stderr=subprocess.DEVNULL) as xvfb:
        time.sleep(2)
        for language, number in LANGUAGES.items():
            with wine.start(setup, f"/LANG={number}", screen=SCREEN) as wizard:
                time.sleep(4)
                for page in ("welcome", "folder", "finish"):
                    _shoot(folder / f"{language}_{page}.png")
                    _press("Return") if page != "finish" else None
                wizard.kill()
            program = wine.local / "Programs" / "Skein" / "Uninstall.exe"
            with wine.start(program, f"/LANG={number}", f"_?={_windows(program.parent, wine)}",
                            screen=SCREEN) as wizard:  # fmt: skip
                time.sleep(4)
                _shoot(folder / f"{language}_uninstall.png")
                wizard.kill()
        xvfb.terminate()
    print(f"pages: {len(list(folder.glob('*.png')))} pictures in {folder}; look at them")


def _windows(path: Path, wine: Wine) -> str:
    return "C:\\" + str(path.relative_to(wine.drive)).replace("/", "\\")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=Path, metavar="FOLDER")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wine = Wine.make(Path(folder) / "wine")
        try:
            first, second = make_setups(Path(folder))
            if given.pages:
                take_pages(wine, first, given.pages)
            check_kills(wine, first, second)
        finally:
            wine.end()


if __name__ == "__main__":
    main()
