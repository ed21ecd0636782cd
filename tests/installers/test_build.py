"""The build program's parts, each on a small folder of real files; the whole is built by CI's
release workflow, and by hand (installers/README.md)."""

import datetime
import hashlib
import json
import ntpath
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from installers import build
from installers.builder import (
    archive,
    bytecode,
    licences,
    manifest,
    prune,
    python_tree,
    target,
    wheels,
)
from installers.builder.clean_environment import clean_environment
from installers.builder.failure import BuildFailed
from installers.builder.smoke import smoke
from tests.installers.tree_kit import make_tree

LINUX = target.Target("linux-x86_64")
WINDOWS = target.Target("windows-x86_64")
FACTS = manifest.Facts("0.1.0", "linux-x86_64", "3.11.7", "2.13.0+cpu", "2.36")


def filled(folder: Path, *names: str) -> Path:
    """Make files, each holding its own name."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, "utf-8")
    return folder


def names_in(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


# -- manifest


def test_a_manifest_lists_all_that_is_there(tmp_path: Path) -> None:
    tree = filled(tmp_path, "python/bin/python3", "python/a ü 中.py")
    (tree / "python/bin/python3").chmod(0o755)
    when = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)
    content = json.loads(manifest.write_manifest(tree, FACTS, when).read_text("utf-8"))
    assert content.pop("files") == [
        {
            "path": name,
            "size": len(name.encode()),
            "sha256": hashlib.sha256(name.encode()).hexdigest(),
            "executable": name.endswith("python3"),
        }
        for name in ("python/a ü 中.py", "python/bin/python3")
    ]
    assert content == {
        "format": 1,
        "name": "skein",
        "version": "0.1.0",
        "target": "linux-x86_64",
        "python": "3.11.7",
        "torch": "2.13.0+cpu",
        "glibc": "2.36",
        "built": "2026-11-23T00:00:00+00:00",
        "size_bytes": 18 + 18,
    }


def test_verify_says_what_differs(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "t", "0.1.0", {"a": "1", "b": "2", "c": "3"})
    assert manifest.verify(tree) == []
    (tree / "a").unlink()
    (tree / "b").write_text("x")
    (tree / "c").chmod(0o755)
    filled(tree, "d")
    assert manifest.verify(tree) == ["a is missing", "d was not built", "b differs", "c differs"]


def test_a_link_is_refused(tmp_path: Path) -> None:
    filled(tmp_path, "a")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(ValueError, match="symbolic link"):
        manifest.write_manifest(tmp_path, FACTS)


def test_the_same_tree_gives_the_same_archive(tmp_path: Path) -> None:
    quick = [{"id": 0x21, "preset": 0}]
    tree = make_tree(tmp_path / "t", "0.1.0")
    one = archive.write_archive(tree, tmp_path / "1.tar.xz", quick)
    for path in tree.rglob("*"):
        os.utime(path, (1, 1))
    two = archive.write_archive(tree, tmp_path / "2.tar.xz", quick)
    assert one.read_bytes() == two.read_bytes()
    with tarfile.open(one) as packed:
        packed.extractall(tmp_path / "out", filter="data")
    assert manifest.verify(tmp_path / "out") == []


# -- Python


def fake_python(folder: Path, version: str = "3.11.9") -> Path:
    """A folder with the shape of a relocatable Python, whose interpreter knows only its version."""
    filled(
        folder,
        *("lib/libpython3.11.so.1.0", "lib/libpython3.11.so", "lib/pkgconfig/python.pc"),
        *("lib/python3.11/os.py", "lib/python3.11/__pycache__/os.cpython-311.pyc"),
        *("lib/python3.11/test/test_os.py", "lib/python3.11/tkinter/__init__.py"),
        *("lib/python3.11/json/tests/test.py", "lib/python3.11/json/decoder.py"),
        *("lib/python3.11/lib-dynload/readline.so", "lib/python3.11/lib-dynload/_json.so"),
        *("lib/python3.11/site-packages/pip/__init__.py", "include/Python.h", "bin/pip3"),
        *("bin/python3.11-config", "bin/python3-config", "bin/pydoc3", "bin/pytest", "bin/idle3"),
        *("lib/python3.11/config-3.11-x86_64-linux-gnu/libpython3.11.a", "share/man/1"),
    )
    for name in ("bin/python3", "bin/python3.11"):
        path = folder / name
        path.write_text(f"#!/bin/sh\necho '\"{version}\"'\n", "utf-8")
        path.chmod(0o755)
    (folder / "bin/python").symlink_to("python3")
    return folder


def test_python_is_copied_without_what_is_never_used(tmp_path: Path) -> None:
    to = tmp_path / "python"
    assert python_tree.copy_python(fake_python(tmp_path / "from"), to, LINUX) == "3.11.9"
    assert names_in(to) == {
        "bin/python3",
        "bin/python3.11",
        "lib/libpython3.11.so.1.0",
        "lib/python3.11/json/decoder.py",
        "lib/python3.11/lib-dynload/_json.so",
        "lib/python3.11/os.py",
    }
    assert (to / "lib/python3.11/site-packages").is_dir()


@pytest.mark.parametrize("version", ["3.12.1", "3.10.13"])
def test_another_python_is_refused(tmp_path: Path, version: str) -> None:
    source = fake_python(tmp_path / "from", version)
    with pytest.raises(BuildFailed, match=f"Python {version}; the locks are made for Python 3.11"):
        python_tree.copy_python(source, tmp_path / "to", LINUX)


def test_the_systems_python_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="/usr is the system's Python, which cannot be copied"):
        python_tree.copy_python(Path("/usr"), tmp_path / "to", LINUX)


def test_a_folder_without_python_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="name a Python with --python"):
        python_tree.copy_python(tmp_path, tmp_path / "to", LINUX)


def test_packages_go_into_the_tree_whatever_the_builder_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PYTHONPATH", "PIP_TARGET", "PIP_PREFIX"):
        monkeypatch.setenv(name, "/builder")  # pip would find its packages there, or lay them there
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels")
    python = tmp_path / "python3"
    python.write_text(f'#!/bin/sh\n{{ env; echo "$@"; }} >>"{tmp_path}/said"\n', "utf-8")
    python.chmod(0o755)
    filled(tmp_path, "lock.txt")
    wheels.install(python, Path("/tree/python3"), tmp_path / "lock.txt", Path("/skein.whl"))
    said = (tmp_path / "said").read_text("utf-8")
    assert "/builder" not in said
    assert said.count("PIP_FIND_LINKS=/wheels") == said.count("PYTHONNOUSERSITE=1") == 2
    assert said.count("-m pip --python /tree/python3 install --no-deps") == 2
    assert f"--only-binary :all: --require-hashes -r {tmp_path}/lock.txt" in said


def test_what_pip_leaves_is_tidied(tmp_path: Path) -> None:
    site = tmp_path / "lib/site-packages"
    filled(site, "skein-0.1.0.dist-info/direct_url.json", "skein-0.1.0.dist-info/METADATA")
    filled(tmp_path, "bin/python3", "bin/python3.11", "bin/hf", "Scripts/hf.exe", "share/man/l.1")
    wheels.tidy(tmp_path, site)
    assert names_in(tmp_path) == {
        "bin/python3",
        "bin/python3.11",
        "lib/site-packages/skein-0.1.0.dist-info/METADATA",
    }


# -- pruning


def test_pruning_takes_files_and_no_module_of_torch(tmp_path: Path) -> None:
    kept = {
        "torch/__init__.py",
        "torch/testing/_internal/common_utils.py",
        "torch/bin/torch_shm_manager",
        "torch/lib/libtorch_cpu.so",
        "torchgen/model.py",
        "numpy/testing/__init__.py",
        "sympy/core/add.py",
        "resources/models/gosling/gosling.safetensors",
    }
    gone = {
        "torch/test/test_api",
        "torch/bin/protoc",
        "torch/bin/test_jit",
        "torch/include/torch/torch.h",
        "torch/share/cmake/x.cmake",
        "torch/lib/libtorchbind_test.so",
        "torch/lib/c10.lib",
        "torch/__init__.pyi",
        "sympy/core/tests/test_add.py",
        "sympy/physics/units.py",
        "resources/models/gosling/curve.png",
        "skein-0.1.0.dist-info/RECORD",
    }
    filled(tmp_path, *kept, *gone)
    freed = prune.prune(tmp_path)
    assert names_in(tmp_path) == kept
    assert freed == sum(len(name) for name in gone)


def test_of_qt_stays_what_is_used(tmp_path: Path) -> None:
    kept = {
        "PySide6/QtCore.abi3.so",
        "PySide6/libpyside6.abi3.so.6.11",
        "PySide6/Qt/lib/libQt6Core.so.6",
        "PySide6/Qt/lib/libQt6XcbQpa.so.6",
        "PySide6/Qt/lib/libicudata.so.73",
        "PySide6/Qt/plugins/platforms/libqxcb.so",
        "PySide6/Qt/plugins/imageformats/libqsvg.so",
        "PySide6/Qt/translations/qtbase_ja.qm",
    }
    gone = {
        "PySide6/QtOpenGL.abi3.so",
        "PySide6/QtQml.abi3.so",
        "PySide6/designer",
        "PySide6/Qt/lib/libQt6Qml.so.6",
        "PySide6/Qt/lib/libQt6DesignerComponents.so.6",
        "PySide6/Qt/qml/QtQuick/x.qml",
        "PySide6/Qt/plugins/platformthemes/libqgtk3.so",
        "PySide6/Qt/plugins/sqldrivers/libqsqlite.so",
        "PySide6/Qt/translations/qtbase_de.qm",
    }
    filled(tmp_path, *kept, *gone)
    prune.prune(tmp_path)
    assert names_in(tmp_path) == kept
    assert not (tmp_path / "PySide6/Qt/plugins/sqldrivers").exists()


def test_qt_for_windows_lies_in_the_package(tmp_path: Path) -> None:
    kept = {"PySide6/Qt6Core.dll", "PySide6/QtCore.pyd", "PySide6/plugins/platforms/qwindows.dll"}
    gone = {"PySide6/Qt6Qml.dll", "PySide6/QtQml.pyd", "PySide6/plugins/sqldrivers/qsqlite.dll"}
    filled(tmp_path, *kept, *gone, "PySide6/Qt6Core.lib")
    prune.prune(tmp_path)
    assert names_in(tmp_path) == kept


# -- byte code


def test_byte_code_is_never_checked_against_its_source(tmp_path: Path) -> None:
    tmp_path = filled(tmp_path / "py312_builds", "x")
    (tmp_path / "a.py").write_text("VALUE = 1\n")
    (tmp_path / "py312_x.py").write_text("def f[T](a): ...\n")
    bytecode.compile_all(Path(sys.executable), tmp_path)
    (made,) = (tmp_path / "__pycache__").glob("a.*.pyc")
    assert made.read_bytes()[4:8] == b"\x01\x00\x00\x00"  # PEP 552: by hash, unchecked
    assert b"py312_builds" not in made.read_bytes(), "a folder of the build machine"
    (tmp_path / "a.py").write_text("VALUE = 22\n")
    answer = subprocess.run(
        [sys.executable, "-c", "import a; print(a.VALUE)"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert answer.stdout == "1\n"


def test_source_that_is_none_stops_the_build(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def\n")
    with pytest.raises(BuildFailed, match="SyntaxError"):
        bytecode.compile_all(Path(sys.executable), tmp_path)


def test_of_large_packages_only_what_was_loaded_keeps_byte_code(tmp_path: Path) -> None:
    used = "torch/__pycache__/used.cpython-311.pyc"
    idle = "torch/nn/__pycache__/idle.cpython-311.pyc"
    small = "app/__pycache__/idle.cpython-311.pyc"
    site = filled(tmp_path / "site", used, idle, small, "torch/nn/idle.py")
    python = tmp_path / "python3"
    python.write_text(f"#!/bin/sh\necho 'a word'\necho '[\"{site / used}\"]'\n", "utf-8")
    python.chmod(0o755)
    assert bytecode.keep_what_is_used(python, site) == len(idle)
    assert names_in(site) == {used, small, "torch/nn/idle.py"}


# -- the smoke test


def test_a_step_that_fails_is_told_with_its_words(tmp_path: Path) -> None:
    python = tmp_path / "python3"
    python.write_text('#!/bin/sh\n[ "$6" = window ] || { echo "no state" >&2; exit 3; }\n', "utf-8")
    python.chmod(0o755)
    with pytest.raises(BuildFailed, match=r"“answer” failed \(3\): no state"):
        smoke(python)


def test_nothing_of_the_builder_is_around_a_step(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/builder")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/builder")
    python = tmp_path / "python3"
    python.write_text("#!/bin/sh\necho $PYTHONPATH$LD_LIBRARY_PATH $SKEIN_HOME\n", "utf-8")
    python.chmod(0o755)
    lines = smoke(python)
    assert [line.split(":")[0] for line in lines] == ["window", "answer", "resume"]
    assert all("/builder" not in line and "skein smoke ü 中" in line for line in lines)


def test_on_windows_a_step_has_a_home_and_the_systems_own(tmp_path: Path) -> None:
    given = {"SYSTEMROOT": "D:\\Win", "PROCESSOR_ARCHITECTURE": "AMD64", "PYTHONPATH": "C:\\x"}
    environ = clean_environment(tmp_path, {**given, "USERPROFILE": "C:\\me"}, is_windows=True)
    assert environ["USERPROFILE"] == environ["APPDATA"] == str(tmp_path)
    assert environ["PATH"] == "D:\\Win\\System32;D:\\Win"
    assert environ["PROCESSOR_ARCHITECTURE"] == "AMD64"
    assert "PYTHONPATH" not in environ
    with pytest.MonkeyPatch.context() as patch:
        for name in ("USERPROFILE", "HOMEPATH", "HOMEDRIVE"):
            patch.delenv(name, raising=False)
        patch.setenv("USERPROFILE", environ["USERPROFILE"])
        assert ntpath.expanduser("~/.cache") == f"{tmp_path}/.cache"


# -- licences


def test_every_package_is_in_the_index(tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    for name, said in {
        "one-1.0": "License-Expression: MIT",
        "two-2.0": "Classifier: License :: OSI Approved :: BSD License",
        "three-3": "License: Apache 2.0\n        and more",
    }.items():
        title, _, version = name.partition("-")
        info = site / f"{name}.dist-info"
        info.mkdir(parents=True)
        head = f"Metadata-Version: 2.1\nName: {title}\nVersion: {version}\n{said}\n\nÜber.\n"
        (info / "METADATA").write_text(head, "utf-8")
    filled(site, "one-1.0.dist-info/licenses/LICENSE", "one-1.0.dist-info/licenses/a/LICENSE")
    filled(site, "two-2.0.dist-info/COPYING.txt")
    filled(tmp_path, "lib/LICENSE.txt")
    without = licences.gather(tmp_path, site, tmp_path / "lib", [])
    assert without == ["three"]
    index = (tmp_path / "licences/INDEX.txt").read_text("utf-8")
    for line in ("one 1.0: MIT", "two 2.0: BSD License", "three 3: Apache 2.0", "CPython: PSF-2.0"):
        assert line in index.splitlines()
    copied = names_in(tmp_path / "licences")
    assert {"one/LICENSE", "one/LICENSE-2", "two/COPYING.txt", "CPython/LICENSE.txt"} <= copied
    assert {"LGPL-3.0.txt", "GPL-3.0.txt", "Qt.txt", "Skein.txt"} <= copied
    licences.tidy(site)
    assert names_in(site) == {f"{n}.dist-info/METADATA" for n in ("one-1.0", "two-2.0", "three-3")}


def packaged(site: Path, name: str, version: str, said: str) -> Path:
    """Lay the facts of an installed package; return its folder."""
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{said}\n\nÜber.\n"
    (info / "METADATA").write_text(head, "utf-8")
    return info


def test_a_wheel_without_its_licence_gets_the_standard_text(tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    qt = "License: LGPL-3.0-only OR GPL-2.0-only OR GPL-3.0-only"
    packaged(site, "latex2mathml", "3.81", "Author: R. Martinez\nLicense: MIT")
    packaged(
        site,
        "nvidia-ml-py",
        "13.6",
        "Author-email: NVIDIA <a@b>\nClassifier: License :: BSD License",
    )
    packaged(site, "tokenizers", "0.23", "Classifier: License :: Apache Software License")
    packaged(site, "shiboken6", "6.11", qt)
    packaged(site, "nobody", "1", "License: MIT")
    filled(packaged(site, "people", "1", "License: Mine"), "AUTHORS.md")
    filled(tmp_path, "LICENSE.txt")  # where Windows' Python has it
    assert licences.gather(tmp_path, site, tmp_path / "Lib", []) == ["nobody", "people"]
    folder = tmp_path / "licences"
    mit = (folder / "latex2mathml/MIT.txt").read_text("utf-8")
    assert mit.startswith("Copyright (c) R. Martinez\n\nPermission is hereby granted")
    bsd = (folder / "nvidia-ml-py/BSD-3-Clause.txt").read_text("utf-8")
    assert bsd.startswith("Copyright (c) NVIDIA\n\nRedistribution and use")
    index = (folder / "INDEX.txt").read_text("utf-8")
    assert "tokenizers 0.23: Apache Software License\n    Apache-2.0.txt\n" in index
    assert f"shiboken6 6.11: {qt[9:]}\n    LGPL-3.0.txt\n    GPL-3.0.txt\n" in index
    assert "people 1: Mine\n    people/AUTHORS.md\n" in index
    assert "CPython: PSF-2.0\n    CPython/LICENSE.txt\n" in index
    assert "Apache License\n" in (folder / "Apache-2.0.txt").read_text("utf-8")


# -- the command


def test_a_tree_for_another_system_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    other = "windows" if target.here().system != "windows" else "linux"
    assert build.main(["--target", other]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"Not built. A tree for {other} is built on {other}")
    assert "release workflow" in said


def test_an_update_address_without_a_key_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    own = target.here().system
    assert build.main(["--target", own, "--update-address", "https://example.org/feed.json"]) == 2
    assert "belong together" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "keys", "said"),
    [
        ("https://example.org/feed.json", ["--update-key", ""], "refuse every update"),
        ("https://example.org/feed.json", ["--update-key", "ab" * 31], "refuse every update"),
        ("http://example.org/feed.json", ["--update-key", "ab" * 32], "nothing but https://"),
    ],
)
def test_a_source_that_no_copy_could_use_is_refused(
    address: str, keys: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    own = target.here().system
    assert build.main(["--target", own, "--update-address", address, *keys]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("version", ["../../x", "1.0-beta", "1"])
def test_what_is_no_version_is_refused(version: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert build.main(["--target", target.here().system, "--version", version]) == 2
    assert f"'{version}' is not a version: write it as 1.2.3" in capsys.readouterr().err


def test_what_the_build_machine_is_set_to_is_in_no_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nindex-url = https://me:secret@mirror.example/of-the-file\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:secret@mirror.example/of-the-environment")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://mirror.example/more")
    wanted = build._asked(["--target", target.here().system])
    build._write_release(tmp_path / "release.json", wanted)
    written = json.loads((tmp_path / "release.json").read_text("utf-8"))
    assert written.pop("pack_index").startswith("https://")
    assert written == {"update_address": "", "update_keys": []}
    assert "mirror.example" not in (tmp_path / "release.json").read_text("utf-8")


def test_a_place_that_cannot_be_written_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(tmp_path, "file")
    words = ["--target", target.here().system, "--out", str(tmp_path / "file" / "tree")]
    assert build.main(words) == 2
    assert capsys.readouterr().err.startswith("Not built. [Errno ")


def test_the_version_is_the_projects() -> None:
    text = (build.PROJECT / "pyproject.toml").read_text("utf-8")
    assert f'\nversion = "{build.project_version()}"\n' in text


def test_an_earlier_build_is_replaced_at_once(tmp_path: Path) -> None:
    filled(tmp_path / "skein", "old")
    filled(tmp_path / "skein.partial", "new")
    build._put_in_place(tmp_path / "skein.partial", tmp_path / "skein")
    assert names_in(tmp_path) == {"skein/new"}


def test_where_things_lie() -> None:
    root = Path("/p")
    assert LINUX.site(root) == root / "lib/python3.11/site-packages"
    assert WINDOWS.site(root) == root / "Lib/site-packages"
    assert WINDOWS.python(root) == root / "python.exe"
    assert all(target.Target(name).lock.is_file() for name in target.NAMES)
