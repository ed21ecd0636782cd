"""What releases do for Windows, and where: found out by reading, since nothing of it runs here."""

from tests.installers.test_workflows import WORKFLOWS, load, steps


def test_setups_are_made_where_makensis_can():
    """The one on Windows' runners brings no parts for 64-bit setups; Ubuntu's does."""
    makers = {
        job: load(path)["jobs"][job]["runs-on"]
        for path in WORKFLOWS
        for job, step in steps(path)
        if "windows/nsis.py" in step.get("run", "")
    }
    assert set(makers) == {"programs-windows", "package-windows"}
    assert all(runner.startswith("ubuntu") for runner in makers.values())


def test_who_signs_is_told_as_the_action_hears_it():
    """Its own steps set AZURE_* from its inputs, to nothing where there are none."""
    signers = [
        step
        for path in WORKFLOWS
        for _, step in steps(path)
        if "artifact-signing-action@" in step.get("uses", "")
    ]
    assert len(signers) == 2
    for step in signers:
        for name in ("tenant-id", "client-id", "client-secret"):
            secret = f"AZURE_{name.replace('-', '_').upper()}"
            assert step["with"][f"azure-{name}"] == f"${{{{ secrets.{secret} }}}}"
        assert not [name for name in step.get("env", {}) if name.startswith("AZURE")]
