"""The .deb, the AppDir, what desktops read: real dpkg-deb, real libraries, Qt's MIME types."""

import configparser
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from installers.linux.appdir import build_appdir
from installers.linux.deb import OPTIONAL, build_deb
from installers.linux.desktop import APP_ID, HERE, SIZES
from installers.linux.shared_libraries import Wants, libstdcxx_of, measure, packages
from installers.linux.tree import NotPacked, Tree
from tests.installers.linux_kit import PYTHON, make_tree


def said_by(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A tree with real libraries: one of Qt's plug-ins, and by the names of those of Qt that it
    wants, the smallest one there is."""
    import PySide6

    plugins = Path(next(iter(PySide6.__path__))) / "Qt" / "plugins" / "platforms"
    plugin = (plugins / "libqminimalegl.so").read_bytes()
    wanted = ("libQt6Gui.so.6", "libQt6Core.so.6", "libQt6OpenGL.so.6")
    return make_tree(
        tmp_path_factory.mktemp("tree"), plugin=plugin, **dict.fromkeys(wanted, plugin)
    )


@pytest.fixture(scope="module")
def deb(tree: Tree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_deb(tree, tmp_path_factory.mktemp("deb"), compression="none", python=PYTHON)


def test_what_it_depends_on_is_measured(tree: Tree) -> None:
    wants = measure(tree.folder, tree.paths())
    assert set(wants.libraries) == {
        *("libEGL.so.1", "libGL.so.1", "libxkbcommon.so.0", "libstdc++.so.6", "libgcc_s.so.1")
    }
    found = packages(Wants(wants.libraries, "3.4.30"))
    assert set(found) == {
        *("libegl1", "libgl1", "libxkbcommon0", "libgcc-s1", "libstdc++6 (>= 12)")
    }


def test_the_newest_c_plus_plus_that_is_asked_for_counts() -> None:
    import PySide6

    qt = Path(next(iter(PySide6.__path__))) / "Qt" / "lib"
    assert measure(qt, ["libQt6Core.so.6"]).glibcxx.startswith("3.4.")


def test_a_library_that_nobody_brings_stops_the_build() -> None:
    with pytest.raises(NotPacked, match=r"libnew\.so\.7, which is neither in the tree"):
        packages(Wants({"libnew.so.7": ("a/libqgtk3.so", "a/b.so")}, ""), OPTIONAL)
    assert packages(Wants({"libnew.so.7": ("a/libqgtk3.so",)}, ""), OPTIONAL) == []


@pytest.mark.parametrize(
    ("asked", "package"), [("3.4.11", "9"), ("3.4.30", "12"), ("3.4.32", "13.2")]
)
def test_the_c_plus_plus_library_is_a_matter_of_versions(asked: str, package: str) -> None:
    assert libstdcxx_of(asked) == package
    with pytest.raises(NotPacked):
        libstdcxx_of("3.5.0")


def test_the_deb_says_what_it_needs(deb: Path) -> None:
    fields = dict(
        line.split(": ", 1)
        for line in said_by("dpkg-deb", "--field", deb).splitlines()
        if not line.startswith(" ")
    )
    assert deb.name == "skein_0.1.0_amd64.deb"
    assert fields["Architecture"] == "amd64"
    assert fields["Depends"].startswith("libc6 (>= 2.36), ")
    assert "libegl1" in fields["Depends"]
    assert "fonts-dejavu-core" in fields["Depends"]
    assert "fonts-noto-cjk" in fields["Recommends"]
    assert int(fields["Installed-Size"]) > 150  # four libraries of 40 kB


def test_the_deb_holds_the_tree_as_root_s(deb: Path, tree: Tree) -> None:
    lines = [line.split() for line in said_by("dpkg-deb", "--contents", deb).splitlines()]
    assert {line[1] for line in lines} == {"root/root"}
    names = {line[5].removeprefix("./") for line in lines}
    inside = f"opt/skein/versions/{tree.version}"
    assert {f"{inside}/{path}" for path in (*tree.paths(), "manifest.json")} <= names
    assert {f"usr/share/icons/hicolor/{s}x{s}/apps/skein.png" for s in SIZES} <= names
    assert f"usr/share/metainfo/{APP_ID}.metainfo.xml" in names
    assert lines[-1][5:] == ["./usr/bin/skein", "->", "/opt/skein/skein"]
    assert all("w" not in line[0][5:] for line in lines if not line[0].startswith("l"))


def test_what_lies_about_is_not_shipped(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree")
    (tree.folder / "secret.txt").write_text("mine")
    deb = build_deb(tree, tmp_path / "out", compression="none", python=PYTHON)
    assert "secret" not in said_by("dpkg-deb", "--contents", deb)
    assert [p.name for p in (tmp_path / "out").iterdir()] == [deb.name]


def test_another_systems_tree_is_refused(tmp_path: Path) -> None:
    tree = make_tree(tmp_path)
    manifest = tree.folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace("linux-x86_64", "macos-arm64"))
    with pytest.raises(NotPacked, match="macos-arm64, not for Linux"):
        build_deb(Tree(tmp_path), tmp_path / "out")


def test_the_appdir_starts_wherever_it_lies(tmp_path: Path) -> None:
    appdir = build_appdir(make_tree(tmp_path / "tree"), tmp_path / "a" / "S.AppDir", python=PYTHON)
    moved = appdir.rename(tmp_path / "ünï 中 dir")
    (tmp_path / "link").symlink_to(moved / "AppRun")
    assert said_by(moved / "AppRun", "a b") == said_by(tmp_path / "link", "a b") == "0.1.0|a b\n"
    assert (moved / "opt" / "skein" / "channel").read_text() == "appimage\n"
    assert (moved / ".DirIcon").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(NotPacked, match="exists already"):
        build_appdir(Tree(tmp_path / "tree"), moved)


def test_the_desktop_s_own_checkers_are_content(tmp_path: Path) -> None:
    assert said_by("desktop-file-validate", HERE / "skein.desktop") == ""
    text = (HERE / "skein.metainfo.xml").read_text("utf-8")
    filled = tmp_path / f"{APP_ID}.metainfo.xml"
    filled.write_text(text.replace("@VERSION@", "0.1.0").replace("@DATE@", "2026-11-23"), "utf-8")
    assert "successful" in said_by("appstreamcli", "validate", "--no-net", filled)


def test_the_names_of_files_and_types_agree() -> None:
    entry = (HERE / "skein.desktop").read_text("utf-8")
    types = {
        node.get("type") for node in ET.parse(HERE / "skein-mime.xml").iterfind("{*}mime-type")
    }
    listed = entry.partition("MimeType=")[2].partition("\n")[0].strip(";").split(";")
    described = ET.parse(HERE / "skein.metainfo.xml")
    assert types == set(listed)
    assert types == {node.text for node in described.iterfind("provides/mediatype")}
    assert described.findtext("id") == APP_ID
    assert described.findtext("launchable") == "skein.desktop"


def test_the_menu_starts_safely_as_the_app_understands_it() -> None:
    from app.restart import SAFE

    entry = configparser.ConfigParser(interpolation=None)
    entry.optionxform = str  # type: ignore[assignment] - keys as they are written
    entry.read(HERE / "skein.desktop", "utf-8")
    named = entry["Desktop Entry"]["Actions"].strip(";").split(";")
    assert named == ["safe"]
    action = entry["Desktop Action safe"]
    assert action["Exec"].split() == ["skein", SAFE]
    assert {"Name", "Name[ja]", "Name[zh_CN]"} <= set(action)


_TYPES = """
import sys
from PySide6.QtCore import QMimeDatabase
database = QMimeDatabase()
for path in sys.argv[1:]:
    print(database.mimeTypeForFile(path).name())
"""


def test_files_are_known_by_what_is_in_them(tmp_path: Path) -> None:
    """A state and a model have the same ending; a desktop tells them apart."""
    import torch
    from safetensors.torch import save_file

    from engine.state import State, save_state

    share = tmp_path / "share" / "mime" / "packages"
    share.mkdir(parents=True)
    (share / "skein.xml").write_bytes((HERE / "skein-mime.xml").read_bytes())
    zeros = torch.zeros(1, 2, 4, 4)
    state = State(torch.zeros(1, 8), zeros, torch.zeros(1, 8), 5)
    words = {"fingerprint": "f" * 64, "kind": "persona", "name": "n" * 500, "created": "now"}
    for number in range(4):  # the order of its metadata is another one each time
        save_state(tmp_path / f"state{number}.safetensors", state, words)
    save_file({"x": zeros}, tmp_path / "model.safetensors", {"format": "pt"})
    save_file({"x": zeros}, tmp_path / "plain.safetensors")
    (tmp_path / "model.gguf").write_bytes(b"GGUF\x03\x00\x00\x00")
    (tmp_path / "b.skein").write_bytes(b"PK")
    names = [*(f"state{n}.safetensors" for n in range(4)), "model.safetensors"]
    names += ["plain.safetensors", "model.gguf", "b.skein"]
    environ = {**os.environ, "XDG_DATA_DIRS": str(tmp_path / "share"), "XDG_DATA_HOME": "/none"}
    answer = subprocess.run(
        [sys.executable, "-c", _TYPES, *(tmp_path / name for name in names)],
        capture_output=True,
        text=True,
        check=True,
        env=environ,
    )
    assert answer.stdout.split() == [
        *["application/x-skein-state"] * 4,
        "application/x-safetensors",
        "application/x-safetensors",
        "application/x-gguf",
        "application/x-skein",
    ]
