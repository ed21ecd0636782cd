"""Which libraries a Windows tree must bring: real PE files, made by a cross compiler."""

import subprocess
from pathlib import Path

import pytest

from installers.builder.failure import BuildFailed
from installers.builder.pe import is_pe, read_pe
from installers.builder.vc_runtime import bring_runtime
from installers.windows.launchers import CROSS, numbers

_VERSION = """1 VERSIONINFO
FILEVERSION {numbers}
BEGIN
END
"""


def library(path: Path, version: str = "1,0,0,0", needs: Path | None = None) -> Path:
    """Compile a DLL of one function, named after its file; it calls that of ``needs``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    resources = path.with_suffix(".rc")
    resources.write_text(_VERSION.format(numbers=version))
    compiled = path.with_suffix(".o")
    subprocess.run([f"{CROSS}windres", str(resources), str(compiled)], check=True)
    name = "".join(c if c.isalnum() else "_" for c in path.stem)
    code = f"__declspec(dllexport) int {name}(void) {{ return 1; }}"
    if needs is not None:
        other = "".join(c if c.isalnum() else "_" for c in needs.stem)
        code = (
            f"__declspec(dllimport) int {other}(void);"
            f"__declspec(dllexport) int {name}(void) {{ return {other}(); }}"
        )
    source = path.with_suffix(".c")
    source.write_text(code)
    inputs = [str(source), str(compiled), *([str(needs)] if needs else [])]
    subprocess.run(
        [f"{CROSS}gcc", "-shared", "-nostdlib", "-Wl,--entry=0", *inputs, "-o", str(path)],
        check=True,
    )
    for extra in (resources, compiled, source):
        extra.unlink()
    return path


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that stands for the build machine's System32."""
    folder = tmp_path_factory.mktemp("System32")
    library(folder / "msvcp140.dll", "14,40,1,2", needs=library(folder / "vcruntime140.dll"))
    library(folder / "kernel32.dll")
    return folder


def test_a_library_says_what_it_needs_and_is(system: Path) -> None:
    found = read_pe(system / "msvcp140.dll")
    assert found.needed == ("vcruntime140.dll",)
    assert found.version == (14, 40, 1, 2)
    assert read_pe(system / "kernel32.dll").needed == ()


def test_what_is_cut_off_is_no_library(system: Path, tmp_path: Path) -> None:
    whole = (system / "msvcp140.dll").read_bytes()
    cut = tmp_path / "cut.dll"
    for length in (0, 1, 60, 64, 200, 300, 600):
        cut.write_bytes(whole[:length])
        assert not is_pe(cut) or length > 128
        with pytest.raises(ValueError, match=r"damaged|no program|no section|not found"):
            read_pe(cut)


def test_the_newest_runtime_lies_beside_python_alone(system: Path, tmp_path: Path) -> None:
    python = tmp_path / "python"
    site = python / "Lib" / "site-packages"
    old = library(site / "PySide6" / "msvcp140.dll", "14,29,0,0")
    library(site / "torch" / "lib" / "c10.dll", needs=system / "msvcp140.dll")
    library(site / "other" / "x.pyd", needs=system / "kernel32.dll")
    assert bring_runtime(python, [system]) == {
        "msvcp140.dll": "14.40.1.2",
        "vcruntime140.dll": "1.0.0.0",
    }
    assert not old.exists()
    assert sorted(path.name for path in python.glob("*.dll")) == [
        "msvcp140.dll",
        "vcruntime140.dll",
    ]
    assert read_pe(python / "msvcp140.dll").version == (14, 40, 1, 2)


def test_a_newer_copy_of_a_package_wins(system: Path, tmp_path: Path) -> None:
    python = tmp_path / "python"
    library(python / "Lib" / "msvcp140.dll", "14,50,0,0", needs=system / "vcruntime140.dll")
    library(python / "Lib" / "c10.dll", needs=system / "msvcp140.dll")
    assert bring_runtime(python, [system])["msvcp140.dll"] == "14.50.0.0"
    assert not (python / "Lib" / "msvcp140.dll").exists()


def test_what_nobody_has_stops_the_build(system: Path, tmp_path: Path) -> None:
    stranger = library(tmp_path / "away" / "stranger.dll")
    python = tmp_path / "python"
    library(python / "Lib" / "a.pyd", needs=stranger)
    with pytest.raises(BuildFailed, match=r"a\.pyd needs stranger\.dll"):
        bring_runtime(python, [system])
    library(python / "Lib" / "b.pyd", needs=system / "vcruntime140.dll")
    with pytest.raises(BuildFailed, match=r"vcruntime140\.dll is nowhere"):
        bring_runtime(python, [])


def test_versions_are_numbers_for_windows() -> None:
    assert numbers("0.1.0") == "0.1.0.0"
    assert numbers("1.2rc3") == "1.2.0.0"
