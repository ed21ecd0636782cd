"""nsis.py from the command line: a setup with the launchers of a folder, signed by then."""

from pathlib import Path

import pytest

from installers.windows.nsis import main
from tests.installers.windows.kit import make_root


def test_launchers_that_are_there_are_taken(
    tmp_path: Path, work: Path, stand_ins: Path, capsys: pytest.CaptureFixture[str]
):
    root = make_root(tmp_path / "root", "0.1.0", stand_ins)
    setup = tmp_path / "skein-setup.exe"
    launchers = [work / "Skein.exe", work / "skein.com"]
    before = [path.stat().st_mtime_ns for path in launchers]
    assert main(["--root", str(root), "--work", str(work)]) == 0
    assert main(["--root", str(root), "--work", str(work), "--out", str(setup)]) == 0
    assert [path.stat().st_mtime_ns for path in launchers] == before
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"{setup}: ")
    for wrong in (
        ["--root", str(root)],
        ["--work", str(work)],
        ["--version", "0.1.0", "--out", str(setup)],
    ):
        with pytest.raises(SystemExit):
            main(wrong)
