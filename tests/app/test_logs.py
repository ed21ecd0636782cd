"""The log file: what other modules may say there."""

import logging
from pathlib import Path

from app.logs import start_log, stop_log


def test_addresses_that_were_fetched_are_not_in_the_log(tmp_path: Path) -> None:
    handler = start_log(tmp_path)
    try:
        logging.getLogger("httpx").info("HTTP Request: GET https://a.example/?signature=secret")
        logging.getLogger("httpx").warning("a certificate is old")
        logging.getLogger("app.tests").info("one of ours")
    finally:
        stop_log(handler)
    said = (tmp_path / "skein.log").read_text("utf-8")
    assert "secret" not in said
    assert "a certificate is old" in said
    assert "one of ours" in said
