"""The workflows of GitHub, which cannot be run here: what can be known of them without that."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
EXPRESSION = re.compile(r"\$\{\{.*?\}\}")


def load(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text("utf-8"))


def steps(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each step with its job's name."""
    for name, job in load(path)["jobs"].items():
        for step in job.get("steps", ()):
            yield name, step


def scripts() -> list[tuple[str, str]]:
    """Every script for bash, by a name that says where it stands."""
    return [
        (f"{path.stem}-{job}-{step.get('name', number)}", step["run"])
        for path in WORKFLOWS
        for number, (job, step) in enumerate(steps(path))
        if "run" in step and step.get("shell", "bash") == "bash"
    ]


def test_there_are_some():
    assert [path.name for path in WORKFLOWS] == ["release.yml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_the_schema_of_workflows(path: Path):
    """The schema comes with the package: nothing is downloaded."""
    words = ["-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)]
    answer = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_what_is_run_of_others_is_pinned(path: Path):
    for line in path.read_text("utf-8").splitlines():
        if "uses:" in line:
            assert re.search(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d", line), line


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_jobs_wait_for_jobs_that_are_there_and_have_a_limit(path: Path):
    jobs = load(path)["jobs"]
    for name, job in jobs.items():
        assert set(needs_of(job)) <= set(jobs), name
        assert job["timeout-minutes"] <= 120


def needs_of(job: dict[str, Any]) -> list[str]:
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else needs


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_artifacts_are_made_by_a_job_that_is_waited_for(path: Path):
    jobs = load(path)["jobs"]
    targets = [row["target"] for row in jobs["build"]["strategy"]["matrix"]["include"]]
    there: dict[str, set[str]] = {}
    """By job: all artifacts once it has ended."""
    for job_name, job in jobs.items():
        here = there[job_name] = set().union(*(there[name] for name in needs_of(job)))
        for step in job["steps"]:
            name, kind = step.get("with", {}).get("name", ""), step.get("uses", "")
            if "upload-artifact" in kind:
                here |= {EXPRESSION.sub(target, name) for target in targets}
            elif "download-artifact" in kind and name:
                assert name in here, f"{job_name}: {name}"
    assert {"pins", "packages-linux-x86_64"} | {f"built-{t}" for t in targets} <= there["release"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_what_a_job_asks_of_others_comes_from_those_it_waits_for(path: Path):
    for name, job in load(path)["jobs"].items():
        asked = set(re.findall(r"needs\.(\w+)\.outputs", str(job)))
        assert asked <= set(needs_of(job)), name


def test_the_files_that_are_run_are_here_and_know_their_options():
    """Called with --help where Python runs them: an option that was renamed is noticed here."""
    for name, script in scripts():
        joined = script.replace("\\\n", " ")
        joined = re.sub(r"-m (installers)\.(\w+)", r"\1/\2.py", joined)
        for command in re.findall(r"(?:python3?|sh) ((?:installers|tests)/[^\n)|]*)", joined):
            file = command.split()[0]
            assert (ROOT / file).is_file(), f"{name}: {file}"
            wanted = re.findall(r" (--[a-z-]+)", EXPRESSION.sub("", command))
            if file.endswith(".py") and wanted:
                known = help_of(ROOT / file, command.split()[1])
                assert not [option for option in wanted if option not in known], (
                    f"{name}: {command}"
                )


def help_of(file: Path, first: str) -> str:
    words = [str(file), first, "--help"] if file.name == "release.py" else [str(file), "--help"]
    if file.name == "lock_packs.py":
        words = ["-m", "installers.lock_packs", "--help"]
    answer = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, cwd=ROOT
    )
    return answer.stdout + answer.stderr


def test_what_pip_brings_is_pinned_and_sees_no_secret():
    """A package that was replaced could change the pins of all copies, or read the feed's key."""
    found = 0
    for path in WORKFLOWS:
        for name, step in steps(path):
            for words in re.findall(r"pip install ([^\n]*)", step.get("run", "")):
                found += 1
                names = [word for word in words.split() if not word.startswith("-")]
                is_pinned = all("==" in word or word == '"$UV"' for word in names)
                assert "--require-hashes" in words or is_pinned, f"{name}: {words}"
                assert "secrets." not in str(step.get("env", "")), f"{name}: {words}"
        assert "==" in load(path)["env"]["UV"]
    assert found >= 4


def test_what_the_workflow_takes_out_of_a_lock_is_in_it():
    """The names that awk looks for, and whole packages: a name is followed by its hashes."""
    lock = ROOT / "installers/locks/linux-x86_64.txt"
    programs = [p for _, s in scripts() for p in re.findall(r"awk '([^']*)'", s)]
    assert len(programs) == 2
    for program in programs:
        (names,) = re.findall(r"/\^\(([^)]*)\)==/", program)
        answer = subprocess.run(["awk", program, lock], capture_output=True, text=True, check=True)
        blocks = re.findall(r"(?m)^(\S+)==.*\n(?:    --hash=\S+.*\n)+", answer.stdout)
        every = set(re.findall(r"(?m)^([^ #]\S*)==", lock.read_text("utf-8")))
        assert set(names.split("|")) <= every
        wanted = every - set(names.split("|")) if "!/" in program else set(names.split("|"))
        assert set(blocks) == wanted
        assert "".join(re.findall(r"(?m)^\S", answer.stdout)) == "".join(b[0] for b in blocks)


@pytest.mark.parametrize(("name", "script"), scripts(), ids=[name for name, _ in scripts()])
def test_scripts(name: str, script: str):
    """An expression is filled in before the shell sees it: any word will do."""
    text = "#!/usr/bin/env bash\nset -eo pipefail\n" + EXPRESSION.sub("word", script)
    # SC2154: variables of the step; SC2050, SC2194: a filled-in expression is constant here.
    # SC2016: what another user's shell shall expand stands in single quotes.
    words = ["shellcheck", "--exclude", "SC2154,SC2050,SC2194,SC2016", "-"]
    answer = subprocess.run(words, input=text, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout


def test_all_that_the_settings_must_hold_is_explained():
    told = WORKFLOWS[0].with_name("README.md").read_text("utf-8")
    for path in WORKFLOWS:
        names = set(re.findall(r"(?:secrets|vars)\.([A-Z_0-9]+)", path.read_text("utf-8")))
        assert [name for name in sorted(names) if f"`{name}`" not in told] == []
