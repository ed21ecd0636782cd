"""check_start.py, which releases use: of a launcher that leaves its Skein alone, too."""

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

CHECK = Path(__file__).with_name("check_start.py")

SKEIN = """
    import os, signal, subprocess, sys, time
    from pathlib import Path
    data = Path(os.environ["SKEIN_HOME"], "data")
    if sys.argv[1:] == ["leave"]:  # as Skein.exe does on Windows, once the window stands
        subprocess.Popen([sys.executable, __file__])
        while not (data / "starting").exists():
            time.sleep(0.01)
        sys.exit(0)
    if sys.argv[1:] == ["fail"]:
        sys.exit(3)
    if sys.argv[1:] == ["nothing"]:
        sys.exit(0)
    data.mkdir(parents=True)
    (data / "skein.lock").write_text(f"{os.getpid()}\\nskein\\nhost\\n")
    (data / "starting").touch()
    def end(*_):
        Path(__file__).with_name("ended").touch()
        os._exit(0)
    signal.signal(signal.SIGTERM, end)
    time.sleep(0.3)
    (data / "starting").unlink()
    time.sleep(60)
"""


@pytest.mark.parametrize("how", [(), ("leave",)])
def test_a_start_is_seen_and_ended(tmp_path: Path, how: tuple[str, ...]):
    answer = check(tmp_path, *how)
    assert (answer.returncode, answer.stderr) == (0, "")
    until = time.monotonic() + 5
    while not (tmp_path / "ended").exists():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize(("how", "code"), [("fail", 3), ("nothing", 0)])
def test_a_start_that_fails_is_told_at_once(tmp_path: Path, how: str, code: int):
    answer = check(tmp_path, how)
    assert answer.returncode == 1
    assert f"Skein ended with {code} before it was ready." in answer.stderr


def check(folder: Path, *how: str) -> subprocess.CompletedProcess[str]:
    stand_in = folder / "skein.py"
    stand_in.write_text(textwrap.dedent(SKEIN))
    return subprocess.run(
        [sys.executable, CHECK, sys.executable, stand_in, *how],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
