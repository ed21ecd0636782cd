"""Skein.app: what can be made and run of it without a Mac."""

import os
import plistlib
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from installers.builder.failure import BuildFailed
from installers.builder.manifest import verify
from installers.linux.desktop import draw_icons
from installers.macos import macho
from installers.macos.app import information, make_app, sign_list
from installers.macos.icns import NAMES, icns
from tests.installers.tree_kit import make_root

INTEL = 0x01000007
OURS = Path(sys.executable)


def program(
    kind: int = 2,
    processor: int = macho.ARM64,
    minimum: tuple[int, int] = (14, 0),
    library: str = "@rpath/libx.dylib",
) -> bytes:
    """A Mach-O file's head: which system it needs, and one library that it loads."""
    name = library.encode() + b"\0" * (8 - len(library) % 8)
    commands = struct.pack("<IIIIII", 0x32, 24, 1, minimum[0] << 16 | minimum[1] << 8, 0, 0)
    commands += struct.pack("<IIIIII", 0x0C, 24 + len(name), 24, 0, 0, 0) + name
    return struct.pack("<8I", 0xFEEDFACF, processor, 0, kind, 2, len(commands), 0, 0) + commands


def fat(*programs: bytes) -> bytes:
    head, data = struct.pack(">II", 0xCAFEBABE, len(programs)), b""
    for one in programs:
        processor = struct.unpack_from("<I", one, 4)[0]
        head += struct.pack(">IIIII", processor, 0, 4096 + len(data), len(one), 12)
        data += one
    return head.ljust(4096, b"\0") + data


def test_what_a_program_says(tmp_path: Path):
    path = tmp_path / "x"
    path.write_bytes(program(6, minimum=(13, 3)))
    assert macho.read(path) == [
        macho.MachO("library", macho.ARM64, (13, 3), ("@rpath/libx.dylib",))
    ]


def test_a_file_for_two_processors_becomes_one_for_apples(tmp_path: Path):
    path = tmp_path / "x"
    ours = program(8)
    path.write_bytes(fat(program(8, INTEL), ours))
    path.chmod(0o755)
    assert [one.processor for one in macho.read(path)] == [INTEL, macho.ARM64]
    assert macho.thin(path) == 4096 + len(ours)
    assert path.read_bytes() == ours
    assert path.stat().st_mode & 0o777 == 0o755
    assert macho.thin(path) == 0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"#!/bin/sh\n",
        struct.pack(">II", 0xCAFEBABE, 52) + bytes(900),  # a Java class
        struct.pack(">II", 0xCAFEBABE, 2) + bytes(4),
        fat(program())[:4100],
        program()[:20],
        program()[:40],
        struct.pack("<8I", 0xFEEDFACF, 0, 0, 2, 2**32 - 1, 2**32 - 1, 0, 0),
    ],
)
def test_what_is_no_program(tmp_path: Path, data: bytes):
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(macho.NotMachO):
        macho.read(tmp_path / "x")


def test_a_program_for_another_processor_alone_is_refused(tmp_path: Path):
    (tmp_path / "x").write_bytes(program(processor=INTEL))
    with pytest.raises(macho.NotMachO, match="Apple's processors"):
        macho.thin(tmp_path / "x")


def mac_root(tmp_path: Path, **programs: bytes) -> Path:
    files = {f"python/lib/{name}.dylib": data for name, data in programs.items()}
    return make_root(tmp_path / "root", "0.2.0rc1", files, target="macos-arm64")


def test_an_application_out_of_a_tree(tmp_path: Path):
    torch = fat(program(6, INTEL), program(6))
    app = make_app(mac_root(tmp_path, torch=torch, other=program(2)), tmp_path / "Skein.app", OURS)
    assert verify(app.tree) == []  # the manifest is that of the reduced files
    assert (app.root / "channel").read_text() == "dmg\n"
    said = plistlib.loads((app.contents / "Info.plist").read_bytes())
    assert said["CFBundleShortVersionString"] == "0.2.0rc1"
    assert said["CFBundleVersion"] == "0.2.0"
    assert os.access(app.contents / "MacOS" / said["CFBundleExecutable"], os.X_OK)
    icon = (app.contents / "Resources" / f"{said['CFBundleIconFile']}.icns").read_bytes()
    assert struct.unpack_from(">I", icon, 4) == (len(icon),)
    assert [(kind, path.name) for kind, path in sign_list(app)] == [
        ("library", "torch.dylib"),
        ("program", "other.dylib"),
    ]
    # No Python's library is in this tree: the script takes over and finds what it needs.
    answer = subprocess.run(
        [app.contents / "MacOS" / "Skein", "a b", "中"], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "0.2.0rc1|a b|中\n"


def test_a_library_that_needs_a_newer_system_is_refused(tmp_path: Path):
    with pytest.raises(BuildFailed, match=r"needs macOS 15\.1"):
        make_app(
            mac_root(tmp_path, torch=program(6, minimum=(15, 1))), tmp_path / "Skein.app", OURS
        )


def test_trees_of_other_systems_and_no_trees_are_refused(tmp_path: Path):
    with pytest.raises(BuildFailed, match="linux-x86_64"):
        make_app(make_root(tmp_path / "root"), tmp_path / "Skein.app", OURS)
    with pytest.raises(BuildFailed, match="no finished tree"):
        make_app(tmp_path, tmp_path / "Skein.app", OURS)


def test_every_type_that_opens_is_declared():
    said = plistlib.loads(information("1.2.3"))
    kinds = [t for d in said["CFBundleDocumentTypes"] for t in d["LSItemContentTypes"]]
    declared = said["UTExportedTypeDeclarations"] + said["UTImportedTypeDeclarations"]
    assert sorted(kinds) == sorted(one["UTTypeIdentifier"] for one in declared)
    names = [
        n for one in declared for n in one["UTTypeTagSpecification"]["public.filename-extension"]
    ]
    assert names == ["skein", "safetensors", "st", "gguf", "pth"]


def test_icons_are_of_the_widths_that_their_names_say(tmp_path: Path):
    pictures = {width: tmp_path / f"{width}.png" for width in set(NAMES.values())}
    draw_icons(OURS, pictures)
    data, at = icns({width: path.read_bytes() for width, path in pictures.items()}), 8
    while at < len(data):
        name, size = struct.unpack_from(">4sI", data, at)
        width = struct.unpack_from(">I", data, at + 8 + 16)[0]
        assert width == NAMES[name.decode()]
        at += size
    assert at == len(data)
