"""The scripts that sign Skein.app; programs stand in for Apple's and say what they got."""

import base64
import os
import subprocess
from pathlib import Path

import pytest

from installers.builder.manifest import verify
from installers.macos.app import make_app
from tests.installers.test_macos import OURS, mac_root, program

MACOS = Path(__file__).parents[2] / "installers" / "macos"
IDENTITY = "Developer ID Application: Somebody (ABCDE12345)"


@pytest.fixture
def apple(tmp_path: Path) -> Path:
    """Return a folder for programs of Apple's, which write down their arguments."""
    folder = tmp_path / "apple"
    folder.mkdir()
    return folder


def stand_in(apple: Path, name: str, does: str = "") -> None:
    path = apple / name
    path.write_text(f'#!/bin/sh\necho "{name} $*" >>"$TOLD"\n{does}\n')
    path.chmod(0o755)


def run(apple: Path, script: str, *arguments: str, **environ: str):
    paths = {"PATH": f"{apple}:{os.environ['PATH']}", "TOLD": str(apple / "told")}
    return subprocess.run(
        ["sh", MACOS / script, *arguments],
        env={**os.environ, **paths, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def keychain(apple: Path, found: str):
    stand_in(apple, "uuidgen", "echo a-word")
    stand_in(apple, "security", f'case "$1" in find-identity) cat <<END\n{found}\nEND\n;; esac')
    certificate = base64.b64encode(b"a certificate").decode()
    return run(apple, "keychain.sh", CERTIFICATE=certificate, CERTIFICATE_PASSWORD="p w")


def test_the_identity_of_a_certificate_is_told(apple: Path):
    found = f'  1) 0123ABC "{IDENTITY}"\n     1 valid identities found'
    answer = keychain(apple, found)
    assert (answer.returncode, answer.stdout) == (0, IDENTITY + "\n")


def test_a_certificate_of_no_use_stops_the_release(apple: Path):
    """Else the release would go out with a signature that vouches for nobody."""
    for found in ("     0 valid identities found", '  1) 0123ABC "Apple Development: X (Y)"'):
        answer = keychain(apple, found)
        assert answer.returncode != 0
        assert "Developer ID Application" in answer.stderr
        assert answer.stdout == ""


def test_libraries_are_signed_before_programs_and_the_whole_at_last(tmp_path: Path, apple: Path):
    root = mac_root(tmp_path, torch=program(6), python=program(2))
    app = make_app(root, tmp_path / "Skein ü.app", OURS)
    stand_in(apple, "xattr")
    sign = 'for last; do :; done; [ -d "$last" ] || printf signed >>"$last"'
    stand_in(apple, "codesign", sign)
    answer = run(apple, "sign.sh", str(app.path), SIGN_IDENTITY=IDENTITY, PYTHON=str(OURS))
    assert answer.returncode == 0, answer.stderr
    told = (apple / "told").read_text().splitlines()
    assert [line.split("/")[-1] for line in told] == [
        *("torch.dylib", "python.dylib", "Skein ü.app", "Skein ü.app", "Skein ü.app")
    ]
    hardened = f"codesign --force --sign {IDENTITY} --timestamp --options runtime"
    assert all(told[index].startswith(hardened) for index in (0, 1, 3))
    assert ["--entitlements" in told[index] for index in (0, 1, 3)] == [False, True, True]
    assert told[2].startswith("xattr -cr")
    assert told[4].startswith("codesign --verify --strict")
    assert (app.tree / "python/lib/torch.dylib").read_bytes().endswith(b"signed")
    assert verify(app.tree) == [], "the manifest is that of the signed files"


def test_a_library_that_cannot_be_signed_stops_the_release(tmp_path: Path, apple: Path):
    app = make_app(mac_root(tmp_path, torch=program(6)), tmp_path / "Skein.app", OURS)
    stand_in(apple, "xattr")
    stand_in(apple, "codesign", "exit 3")
    assert run(apple, "sign.sh", str(app.path), PYTHON=str(OURS)).returncode == 3


def image(tmp_path: Path, apple: Path, busy: int, **environ: str):
    app = tmp_path / "Skein ü.app"
    (app / "Contents").mkdir(parents=True)
    for name in ("codesign", "xcrun"):
        stand_in(apple, name)
    stand_in(apple, "ditto", 'for last; do :; done; : >"$last"')
    refuse = f'[ "$1" = create ] && [ "$(grep -c "hdiutil create" "$TOLD")" -le {busy} ] && exit 1'
    stand_in(apple, "hdiutil", f"{refuse}\nexit 0")
    answer = run(apple, "dmg.sh", str(app), str(tmp_path / "x.dmg"), PAUSE_S="0", **environ)
    return answer.returncode, (apple / "told").read_text().splitlines()


def test_an_image_without_certificate_is_made_and_looked_at(tmp_path: Path, apple: Path):
    code, told = image(tmp_path, apple, busy=2)
    assert code == 0
    assert [line.split()[:2] for line in told] == [
        *[["hdiutil", "create"]] * 3,
        ["hdiutil", "verify"],
    ]


def test_a_system_that_stays_busy_is_not_waited_for_for_ever(tmp_path: Path, apple: Path):
    code, told = image(tmp_path, apple, busy=9)
    assert (code, len(told)) == (1, 5)


def test_app_and_image_are_notarised_and_stapled(tmp_path: Path, apple: Path):
    key = {"NOTARY_KEY": "k.p8", "NOTARY_KEY_ID": "ID", "NOTARY_ISSUER": "issuer"}
    code, told = image(tmp_path, apple, busy=0, SIGN_IDENTITY=IDENTITY, **key)
    assert code == 0
    assert [" ".join(line.split()[:3]) for line in told] == [
        "ditto -c -k",
        "xcrun notarytool submit",
        "xcrun stapler staple",
        "hdiutil create -ov",
        "codesign --force --sign",
        "xcrun notarytool submit",
        "xcrun stapler staple",
        f"hdiutil verify {tmp_path}/x.dmg",
    ]
