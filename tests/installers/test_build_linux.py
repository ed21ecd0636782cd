"""What a Linux build does to ELF files, on libraries that are compiled here; certificates."""

import ast
import ctypes
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from installers.builder import licences, older_glibc, system_libraries
from installers.builder.elf import elf_files, newest_glibc, read_elf, version_needs
from installers.builder.failure import BuildFailed
from installers.builder.strip import strip

START = Path(__file__).parents[2] / "installers/linux/sitecustomize.py"
SOURCE = """
#include <string.h>
const char *lzma_version_string(void);
static int helper(const char *s) { return (int)strlen(s); }
int length(const char *s) { return helper(s) + (lzma_version_string()[0] != 0); }
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that needs liblzma, with symbols and the run path of a machine that is gone."""
    folder = tmp_path_factory.mktemp("compiled")
    (folder / "own.c").write_text(SOURCE)
    lzma = system_libraries._known_to_loader()["liblzma.so.5"]
    out = folder / "libown.so"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-g", "-o", out, folder / "own.c", lzma,
         "-Wl,-rpath,/home/builder/lib:$ORIGIN/near", "-Wl,-soname,libown.so.1"],
        check=True,
    )  # fmt: skip
    return out


def placed(compiled: Path, to: Path) -> Path:
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_bytes(compiled.read_bytes())
    to.chmod(0o755)
    return to


def test_an_elf_file_says_what_it_needs(compiled: Path) -> None:
    found = read_elf(compiled)
    assert found.soname == "libown.so.1"
    assert set(found.needed) == {"liblzma.so.5", "libc.so.6"}
    assert found.search == ("/home/builder/lib", "$ORIGIN/near")
    assert found.has_symbols
    assert (2, 2) <= found.glibc < (3, 0)
    assert newest_glibc(compiled.parent) == ".".join(map(str, found.glibc))


def test_relocations_that_only_a_newer_loader_knows_count(tmp_path: Path) -> None:
    source = 'const char *words[] = {"a", "b"}; const char *word(int i) { return words[i]; }'
    (tmp_path / "own.c").write_text(source)
    out = tmp_path / "libown.so"
    packed = ["-Wl,-z,pack-relative-relocs", "-Wl,--no-as-needed"]
    subprocess.run(["cc", "-shared", "-fPIC", *packed, "-o", out, tmp_path / "own.c"], check=True)
    assert read_elf(out).glibc == (2, 36)


def test_a_library_for_newer_processors_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ldconfig").write_text(
        "#!/bin/sh\ncat <<'END'\n3 libs found in cache “/etc/ld.so.cache”\n"
        '\tlibz.so.1 (libc6,x86-64, hwcap: "x86-64-v3") => /lib/glibc-hwcaps/x86-64-v3/libz.so.1\n'
        "\tlibz.so.1 (libc6,x86-64) => /here/libz.so.1\n"
        "\tlibz.so.1 (libc6) => /here/32/libz.so.1\nEND\n"
    )
    (tmp_path / "ldconfig").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert system_libraries._known_to_loader() == {"libz.so.1": Path("/here/libz.so.1")}


def test_what_is_no_elf_file(tmp_path: Path, compiled: Path) -> None:
    (tmp_path / "text").write_text("ELF")
    (tmp_path / "link").symlink_to(compiled)
    assert elf_files(tmp_path) == []
    with pytest.raises(ValueError, match="no 64-bit ELF"):
        read_elf(tmp_path / "text")


NEW_MATH = """
#include <math.h>
double length(double x, double y) { return hypot(x, y) + 0 * cbrt(x); }
"""


def mathematics(folder: Path, source: str) -> Path:
    """Compile a library that asks this system's libm for its functions, the newest versions."""
    (folder / "new.c").write_text(source)
    out = folder / "libnew.so"
    command = ["cc", "-shared", "-fPIC", "-O0", "-o", out, folder / "new.c", "-lm"]
    subprocess.run(command, check=True)
    return out


def needs_of_libm(library: Path) -> set[str]:
    return {need.version for need in version_needs(library) if need.library == "libm.so.6"}


def test_a_function_that_is_the_same_in_an_older_glibc_is_asked_for_there(tmp_path: Path) -> None:
    library = mathematics(tmp_path, NEW_MATH)
    first = needs_of_libm(library) - {"GLIBC_2.35"}  # the only one where glibc is older itself
    newer = first != needs_of_libm(library)
    assert older_glibc.bind_to_older(tmp_path) == (["libnew.so"] if newer else [])
    assert needs_of_libm(library) == first
    length = ctypes.CDLL(str(library)).length
    length.restype, length.argtypes = ctypes.c_double, [ctypes.c_double] * 2
    assert length(3.0, 4.0) == 5.0
    assert length(1e308, 1.7e308) == math.inf
    assert older_glibc.bind_to_older(tmp_path) == []


def test_another_function_of_a_newer_glibc_stops_the_build(tmp_path: Path) -> None:
    mathematics(tmp_path, NEW_MATH.replace("hypot", "hypotf"))
    with pytest.raises(BuildFailed, match=r"needs hypotf of GLIBC_2\.35; 2\.34 has no such"):
        older_glibc.bind_to_older(tmp_path)


def test_a_file_that_is_too_new_stops_the_build(
    compiled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(older_glibc, "OLDEST", "2.1")
    with pytest.raises(BuildFailed, match=r"and 2\.1 is promised: build on a system with an older"):
        older_glibc.bind_to_older(compiled.parent)


def test_symbols_go_and_the_library_still_works(compiled: Path, tmp_path: Path) -> None:
    library = placed(compiled, tmp_path / "libown.so")
    patched = placed(compiled, tmp_path / "numpy.libs/libown.so")
    assert strip(tmp_path) == compiled.stat().st_size - library.stat().st_size > 0
    assert not read_elf(library).has_symbols
    assert os.access(library, os.X_OK)
    assert patched.stat().st_size == compiled.stat().st_size
    assert ctypes.CDLL(str(library)).length(b"four") == 5


def test_a_missing_library_is_copied_and_found(compiled: Path, tmp_path: Path) -> None:
    library = placed(compiled, tmp_path / "python/lib/deep/libown.so")
    libraries = system_libraries.copy_libraries(tmp_path / "python")
    assert set(libraries.copied) == {"liblzma.so.5"}
    assert "libc.so.6" in libraries.left
    copy = tmp_path / "python/lib/system/liblzma.so.5"
    assert copy.is_file()
    assert read_elf(library).search == ("$ORIGIN/near", "$ORIGIN/../system")
    code = f"import ctypes; ctypes.CDLL({str(library)!r}); print(open('/proc/self/maps').read())"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert str(copy) in loaded


def test_what_qt_needs_lies_beside_qt_whose_files_stay_as_they_are(
    compiled: Path, tmp_path: Path
) -> None:
    qt = placed(compiled, tmp_path / "python/site-packages/PySide6/Qt/lib/libQt6Core.so.6")
    subprocess.run(["patchelf", "--set-rpath", "$ORIGIN", qt], check=True)
    before = qt.read_bytes()
    system_libraries.copy_libraries(tmp_path / "python")
    assert (qt.parent / "liblzma.so.5").is_file()
    assert qt.read_bytes() == before


def test_a_library_that_nobody_has_stops_the_build(compiled: Path, tmp_path: Path) -> None:
    library = placed(compiled, tmp_path / "libown.so")
    needed = "liblzma.so.5", "libnobody.so.1"
    subprocess.run(["patchelf", "--replace-needed", *needed, library], check=True)
    with pytest.raises(BuildFailed, match=r"libown.so needs libnobody.so.1"):
        system_libraries.copy_libraries(tmp_path)


def test_the_licence_of_a_copied_library_is_found(tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    site.mkdir()
    lzma = system_libraries._known_to_loader()["liblzma.so.5"]
    stray = tmp_path / "libstray.so.1"
    assert licences.gather(tmp_path, site, tmp_path, [lzma, stray])[0] == "CPython"
    index = (tmp_path / "licences/INDEX.txt").read_text("utf-8")
    assert f"({lzma.name}): see its text\n    " in index
    assert "libstray.so.1 (libstray.so.1): see its text\n" in index


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_that_somebody_chose_stay_chosen(variable: str) -> None:
    assert certificates(**{variable: "/mine"}).get(variable) == "/mine"
    assert len(certificates(**{variable: "/mine"})) == 1


def test_certificates_of_this_system_are_found(tmp_path: Path) -> None:
    (found,) = certificates().values()
    assert Path(found).is_file()


def certificates(**environ: str) -> dict[str, str]:
    """Return what a tree's Python finds in its environment after its first file."""
    code = f"import os, runpy; runpy.run_path({str(START)!r}); print({{n: os.environ[n] for n in "
    code += "('SSL_CERT_FILE', 'SSL_CERT_DIR') if n in os.environ})"
    command = [sys.executable, "-I", "-c", code]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, env=environ)
    return ast.literal_eval(answer.stdout)
