"""The arrows app -> engine -> kernels, and what a start may not import."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FORBIDDEN = {
    "engine": {"app", "PySide6", "tests", "installers"},
    "kernels": {"app", "engine", "PySide6", "tests", "installers"},
    "app": {"tests", "installers"},
}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names.add(node.module or "")
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_arrows_go_one_way(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    wrong = {str(path): imported(path) & FORBIDDEN[folder] for path in files}
    assert not {path: names for path, names in wrong.items() if names}


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        (
            "app.application",
            ("torch", "numpy", "huggingface_hub", "rwkv", "ziamath", "pygments", "keyring"),
        ),
        ("app.__main__", ("torch", "huggingface_hub", "numpy", "PySide6.QtWidgets")),
        ("engine", ("torch", "numpy")),
        ("engine.cli.main", ("torch", "PySide6")),
    ],
)
def test_an_import_does_not_bring_what_is_heavy(module: str, heavy: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(*[name for name in {heavy!r} if name in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert answer.stdout.strip() == ""


@pytest.mark.parametrize("package", ["engine", "engine.checkpoint", "engine.hardware"])
def test_a_package_that_several_threads_import_brings_none_of_its_own_modules(
    package: str,
) -> None:
    """Else one thread has the package and wants the module, another the reverse: a deadlock."""
    code = (
        f"import sys, {package} as found; print(*[name for name in sys.modules "
        "if name.startswith(found.__name__ + '.')]); [getattr(found, name) for name in "
        "found.__all__ if name != 'RWKV']"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert answer.stdout.strip() == ""
