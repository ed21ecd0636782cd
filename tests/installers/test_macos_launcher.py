"""Contents/MacOS/Skein, built here and run: Python inside the very process that was signed."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from installers.macos import macho
from installers.macos.app import App


def python_tree(folder: Path) -> Path:
    """A tree's Python: this one's own files by links, with site-packages that hold one module."""
    base = Path(sys.base_prefix)
    library = folder / "lib" / f"python3.{sys.version_info[1]}"
    library.mkdir(parents=True)
    for path in (base / "lib" / library.name).iterdir():
        if path.name != "site-packages":
            (library / path.name).symlink_to(path)
    app = library / "site-packages" / "app"
    app.mkdir(parents=True)
    (app / "__main__.py").write_text(
        "import os, sys\nprint(sys.executable, sys.prefix, sys.argv[1:], sys.flags.isolated,"
        " sys.flags.utf8_mode, open('/proc/self/comm').read().strip(),"
        " os.environ.get('QT_PLUGIN_PATH'), sep='|')\nsys.exit(7)\n"
    )
    (folder / "bin").mkdir()
    shutil.copy(Path(sys.executable).resolve(), folder / "bin" / "python3")
    shared = base / "lib" / str(sysconfig.get_config_var("INSTSONAME"))
    (folder / "lib" / "libpython3.11.so").symlink_to(shared)
    return folder


def test_python_runs_inside_the_signed_program(tmp_path: Path):
    """Under the name of the program, so that the Dock has the right one; the rest as python3."""
    contents = tmp_path / "Skein ü 中.app" / "Contents"
    (contents / "MacOS").mkdir(parents=True)
    source = Path(macho.__file__).with_name("launcher.c")
    words = ["cc", "-Wall", "-Wextra", "-Werror", str(source)]
    subprocess.run([*words, "-o", str(contents / "MacOS" / "Skein"), "-ldl"], check=True)
    root = App(contents.parent).root
    python = python_tree(root / "versions" / "1.0" / "python")
    (root / "current").write_text("1.0\n")
    answer = subprocess.run(
        [contents / "MacOS" / "Skein", "x y.pth", "ü"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "QT_PLUGIN_PATH": "/another/program"},
    )
    assert answer.stdout.strip().split("|") == [
        str(python / "bin" / "python3"),
        str(python),
        "['x y.pth', 'ü']",
        "1",
        "1",
        "Skein",
        "None",
    ]
    assert answer.returncode == 7
    (root / "current").write_text("../../elsewhere\n")
    answer = subprocess.run([contents / "MacOS" / "Skein"], capture_output=True, text=True)
    assert answer.returncode == 1
    assert "skein-launch is missing" in answer.stderr
