"""``skein train corpus``: documents and figures on the screen."""

import pytest

from engine.cli.main import main


def test_documents_and_figures_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "corpus", "--samples", "2", "--length", "128", "--seed", "4"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("--- document") == 2
    assert shown.count("User: ") >= 2
    for figure in ("characters in a token", "small talk", "tokens in a second"):
        assert figure in shown
