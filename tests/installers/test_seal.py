"""A tree that was changed after it was built, and its way to another machine."""

import lzma
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from installers.builder.failure import BuildFailed
from installers.builder.manifest import verify
from installers.seal import main, seal, unpack
from tests.installers.tree_kit import make_root

QUICK = [{"id": lzma.FILTER_LZMA2, "preset": 0}]


def test_a_signed_file_is_sealed_and_travels(tmp_path: Path):
    root = make_root(tmp_path / "ü 中", "0.3.0", {"licences/one.txt": "text"})
    signed = root / "versions" / "0.3.0" / "licences" / "one.txt"
    signed.write_text("text, signed")
    assert verify(root / "versions" / "0.3.0") == ["licences/one.txt differs"]
    archive = seal(root, tmp_path / "dist", QUICK)
    assert archive.name == "skein-0.3.0-linux-x86_64.tar.xz"
    assert verify(root / "versions" / "0.3.0") == []
    there = unpack(archive, tmp_path / "there")
    assert verify(there / "versions" / "0.3.0") == []
    assert (there / "versions" / "0.3.0" / "licences" / "one.txt").read_text() == "text, signed"
    assert (there / "channel").read_text() == "tree\n"
    assert os.access(there / "versions" / "0.3.0" / "python" / "bin" / "python3", os.X_OK)
    started = subprocess.run([there / "skein", "x"], capture_output=True, text=True, check=True)
    assert started.stdout == "0.3.0|x\n"


def test_an_archive_that_is_not_what_its_manifest_says(tmp_path: Path):
    root = make_root(tmp_path / "root", "0.3.0", {"a.txt": "a"})
    archive = seal(root, tmp_path, QUICK)
    with tarfile.open(archive) as content:
        content.extractall(tmp_path / "x", filter="data")
    (tmp_path / "x" / "a.txt").write_text("other")
    with tarfile.open(archive, "w:xz", preset=0) as content:
        content.add(tmp_path / "x", "")
    with pytest.raises(BuildFailed, match=r"a\.txt differs"):
        unpack(archive, tmp_path / "there")
    assert not (tmp_path / "there").exists()


def test_an_archive_that_was_cut_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    files = {"a.txt": bytes(range(256)) * 4000}
    archive = seal(make_root(tmp_path / "root", "0.3.0", files), tmp_path, QUICK)
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    assert main(["--unpack", str(archive), "--to", str(tmp_path / "there")]) == 2
    assert f"Not done. {archive} is damaged" in capsys.readouterr().err
    assert not (tmp_path / "there").exists()


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main([str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "no finished tree" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--unpack", "x"])


def test_a_start_is_waited_for_and_an_early_end_is_told(tmp_path: Path):
    """check_start.py against programs that do what Skein does, and that do not."""
    ready = tmp_path / "ready"
    ready.write_text(
        '#!/bin/sh\nmkdir -p "$SKEIN_HOME/data" "$SKEIN_HOME/logs"\n'
        ': >"$SKEIN_HOME/data/starting"\n'
        'sleep 0.1\n[ -z "$WORDS" ] || echo "$WORDS" >"$SKEIN_HOME/logs/skein.log"\n'
        'rm "$SKEIN_HOME/data/starting"\nexec sleep 60\n'
    )
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\nexit 134\n")
    for path in (ready, broken):
        path.chmod(0o755)
    check = [sys.executable, str(Path(__file__).with_name("check_start.py"))]
    answer = subprocess.run([*check, ready], capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout[:11]) == (0, "ready after")
    wrong = {**os.environ, "WORDS": "2026-11-24 ERROR app: no model"}
    answer = subprocess.run([*check, ready], capture_output=True, text=True, env=wrong, check=False)
    assert (answer.returncode, answer.stderr.strip()[:30]) == (1, "2026-11-24 ERROR app: no model")
    answer = subprocess.run([*check, broken], capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert "ended with 134" in answer.stderr
