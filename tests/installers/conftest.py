"""What is tested only where its tools are. The continuous integration installs all of them."""

import shutil
import sysconfig
from importlib.util import find_spec

TOOLS = {
    "test_build_linux.py": ("cc", "patchelf", "strip"),
    "test_linux_packages.py": ("dpkg-deb", "desktop-file-validate", "appstreamcli"),
    "test_linux_run.py": ("xz", "desktop-file-validate"),
    "test_linux_run_edges.py": ("xz",),
    "test_macos.py": ("cc",),
    "test_macos_launcher.py": ("cc",),
    "test_scripts.py": ("shellcheck",),
    "test_workflows.py": ("shellcheck",),
}
"""Which programs each file of tests wants."""

MISSING = {
    name: [tool for tool in tools if shutil.which(tool) is None] for name, tools in TOOLS.items()
}
if not sysconfig.get_config_var("Py_ENABLE_SHARED"):
    MISSING["test_macos_launcher.py"].append("shared library of Python")
if find_spec("check_jsonschema") is None:
    MISSING["test_workflows.py"].append("package check-jsonschema")
collect_ignore = [name for name, tools in MISSING.items() if tools]


def pytest_report_header() -> list[str]:
    return [
        f"tests/installers/{name} is left out: no {', '.join(MISSING[name])}"
        for name in sorted(collect_ignore)
    ]
