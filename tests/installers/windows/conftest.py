"""One wine, one compiled stand-in for Python and one pair of launchers for all of these tests.

They are collected where the tools are, which a developer's machine may lack and the continuous
integration has.
"""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from installers.windows.launchers import CROSS
from installers.windows.nsis import look_at, make_setup
from tests.installers.windows.kit import Wine, compile_holder, compile_stand_ins, make_root

_COMPILER = (f"{CROSS}gcc", f"{CROSS}windres")
TOOLS = {
    "test_runtime.py": _COMPILER,
    "test_command.py": (*_COMPILER, "makensis"),
    "test_launcher.py": (*_COMPILER, "wine"),
    "test_setup.py": (*_COMPILER, "wine", "makensis"),
    "test_care.py": (*_COMPILER, "wine", "makensis"),
    "test_signing.py": (*_COMPILER, "wine", "makensis", "osslsigncode"),
}
MISSING = {
    name: [tool for tool in tools if shutil.which(tool) is None] for name, tools in TOOLS.items()
}
collect_ignore = [name for name, tools in MISSING.items() if tools]


def pytest_report_header() -> list[str]:
    return [
        f"tests/installers/windows/{name} is left out: no {', '.join(MISSING[name])}"
        for name in collect_ignore
    ]


@pytest.fixture(scope="session")
def wine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wine]:
    made = Wine.make(tmp_path_factory.mktemp("wine"))
    yield made
    made.end()
    shutil.rmtree(made.folder)  # 700 MB


@pytest.fixture(scope="session")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_stand_ins(tmp_path_factory.mktemp("compiled") / "python")


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory, stand_ins: Path) -> Path:
    """Return the folder with launchers and pictures, made by making the setup of 0.1.0."""
    work = tmp_path_factory.mktemp("work")
    root = make_root(work / "root", "0.1.0", stand_ins)
    make_setup(
        look_at(root), work / "setup-0.1.0.exe", work, qt_python=Path(sys.executable), fast=True
    )
    return work


@pytest.fixture(scope="session")
def first(work: Path) -> Path:
    """Return the setup of 0.1.0."""
    return work / "setup-0.1.0.exe"


@pytest.fixture(scope="session")
def second(work: Path, stand_ins: Path) -> Path:
    """Return the setup of 0.2.0."""
    return _setup(work, "0.2.0", stand_ins)


@pytest.fixture(scope="session")
def candidate(work: Path, stand_ins: Path) -> Path:
    """Return the setup of 0.2.0rc2."""
    return _setup(work, "0.2.0rc2", stand_ins)


def _setup(work: Path, version: str, stand_ins: Path) -> Path:
    root = make_root(work / version, version, stand_ins)
    make_setup(look_at(root), work / f"setup-{version}.exe", work, fast=True)
    return work / f"setup-{version}.exe"


@pytest.fixture(scope="session")
def holder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_holder(tmp_path_factory.mktemp("holder"))
