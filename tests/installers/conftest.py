"""What is tested only where its tools are. The continuous integration installs all of them."""

import shutil

TOOLS = {
    "test_linux_packages.py": ("dpkg-deb", "desktop-file-validate", "appstreamcli"),
    "test_linux_run.py": ("xz", "desktop-file-validate"),
}
"""Which programs each file of tests wants."""

MISSING = {
    name: [tool for tool in tools if shutil.which(tool) is None] for name, tools in TOOLS.items()
}
collect_ignore = [name for name, tools in MISSING.items() if tools]


def pytest_report_header() -> list[str]:
    return [
        f"tests/installers/{name} is left out: no {', '.join(MISSING[name])}"
        for name in sorted(collect_ignore)
    ]
