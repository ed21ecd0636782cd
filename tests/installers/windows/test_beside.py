"""The launcher for Windows beside a Skein that runs: such a start says nothing of a version."""

import shutil
from pathlib import Path

from tests.installers.windows.kit import Wine, add_version, make_root, marks, told


def test_a_start_beside_a_running_skein_neither_switches_nor_counts(
    tmp_path: Path, wine: Wine, work: Path, stand_ins: Path
) -> None:
    root = make_root(tmp_path / "Skein", "0.1.0", stand_ins)
    shutil.copy(work / "skein.com", root / "skein.com")
    for version in ("0.0.9", "0.2.0"):
        add_version(root, version, stand_ins)
    waiting = root / "versions" / "0.1.0" / "python" / "wait.txt"
    waiting.touch()
    with wine.start(root / "skein.com") as first:
        while not (root / "told.txt").exists():
            assert first.poll() is None
        (root / "told.txt").unlink()
        named = {"current": "0.1.0", "next": "0.2.0", "previous": "0.0.9", "trying": "0.1.0 2"}
        for name, text in named.items():
            (root / name).write_text(f"{text}\n", "utf-8")
        with wine.start(root / "skein.com") as second:  # an update is waited for, three seconds
            while not (root / "told.txt").exists() and second.poll() is None:
                pass
            then = marks(root)
            waiting.unlink()
            second.wait(20)
        first.wait(20)
    assert then == named
    assert told(root)[1].endswith("0.1.0\\python")
    assert wine.run(root / "skein.com") == (0, "")
    assert marks(root)["current"] == "0.2.0", "alone, it switches"
