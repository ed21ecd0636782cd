"""What went wrong with the hub, as a sentence. Knows huggingface-hub's exceptions, no task."""

import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from engine.errors import DownloadFailed, EngineError

_TOKEN_HINT = (
    "Open the repository's page in a browser, accept its terms if it asks for that, and enter a "
    "Hugging Face token that may read it in Settings."
)
_LIMIT_HINT = " A Hugging Face token in Settings raises the limit."
_MIRROR_HINT = "Choose another address in Settings, or try again later."
_NETWORK_HINT = "Check the connection, or choose a mirror or a proxy in Settings."
# Transport exceptions of the HTTP library that huggingface-hub brings, most specific first.
_REASONS = {
    "ProxyError": "the proxy refused the connection",
    "ConnectTimeout": "it did not answer in time",
    "ReadTimeout": "it stopped sending",
    "TimeoutException": "it took too long",
    "ConnectError": "it cannot be reached",
    "RemoteProtocolError": "it broke the connection off",
    "NetworkError": "the connection was cut",
    "TooManyRedirects": "it only sends one from address to address",
}


class Passing(DownloadFailed):
    """A failure that may pass by itself; ``wait_s`` is the wait the hub asks for, if it says so."""

    def __init__(
        self, message: str, hint: str = "", kind: str = "offline", wait_s: float | None = None
    ) -> None:
        super().__init__(message, hint, kind)
        self.wait_s = wait_s


def translate(error: Exception, subject: str, endpoint: str) -> EngineError:
    """Return the error to raise for ``error``, met while asking ``endpoint`` for ``subject``.

    ``subject`` is a repository or "repository/file", as the user knows it.
    """
    from huggingface_hub.errors import HFValidationError, OfflineModeIsEnabled

    host = urlsplit(endpoint).netloc or endpoint
    if isinstance(error, EngineError):
        return error
    if isinstance(error, HFValidationError):
        return EngineError(f"“{subject}” is not the name of a repository.", "Write owner/name.")
    if isinstance(error, OfflineModeIsEnabled):
        return DownloadFailed(
            "Offline mode is on (HF_HUB_OFFLINE), so nothing was fetched.",
            "Remove that environment variable and try again.",
        )
    response: Any = getattr(error, "response", None)
    if response is not None:
        return _from_answer(error, response, subject, host)
    return no_connection(error, host)


def no_connection(error: Exception, host: str) -> Passing:
    """Return what a broken or refused connection means to a person."""
    return Passing(f"No connection to {host}: {_reason(error)}.", _NETWORK_HINT)


def refusal(status: int, headers: Mapping[str, str], subject: str, host: str) -> DownloadFailed:
    """Return what a web server that knows no accounts means by a status other than success."""
    if status in (401, 403):
        return DownloadFailed(f"{host} refuses access to {subject}.", _NETWORK_HINT, "refused")
    if status in (404, 410):
        return DownloadFailed(f"{subject} does not exist on {host}.", _MIRROR_HINT, "missing")
    if status == 429:
        return _busy(headers, host, "")
    if status == 408 or status >= 500:
        return _troubled(status, host)
    return DownloadFailed(
        f"{host} answered with error {status} when asked for {subject}.", _MIRROR_HINT, "missing"
    )


def _reason(error: Exception) -> str:
    names = [kind.__name__ for kind in type(error).__mro__]
    return next((text for name, text in _REASONS.items() if name in names), "the request failed")


def _from_answer(error: Exception, response: Any, subject: str, host: str) -> DownloadFailed:  # noqa: ANN401
    from huggingface_hub.errors import DisabledRepoError, GatedRepoError, RevisionNotFoundError

    status = int(response.status_code)
    if isinstance(error, GatedRepoError):
        return DownloadFailed(
            f"{subject} is given only to those who have accepted its terms.", _TOKEN_HINT, "refused"
        )
    if isinstance(error, DisabledRepoError):
        return DownloadFailed(f"{host} has closed {subject}.", "Choose another one.", "missing")
    if isinstance(error, RevisionNotFoundError):
        return DownloadFailed(
            f"The listed version of {subject} is no longer on {host}.",
            "Refresh the list of models and try again.",
            "missing",
        )
    return _from_status(status, response, subject, host)


def _from_status(status: int, response: Any, subject: str, host: str) -> DownloadFailed:  # noqa: ANN401
    if status == 401 and "authorization" in response.request.headers:
        return DownloadFailed(
            f"{host} does not accept the Hugging Face token.",
            "Enter a new token in Settings, or remove it: most models need none.",
            "refused",
        )
    if status == 401:
        return DownloadFailed(
            f"{host} gives {subject} to nobody without a token: it is private, or its name is "
            "misspelt.",
            _TOKEN_HINT,
            "refused",
        )
    if status == 403:
        return DownloadFailed(f"{host} refuses access to {subject}.", _TOKEN_HINT, "refused")
    if status in (404, 410):
        return DownloadFailed(
            f"{subject} does not exist on {host}.", "Check the spelling of its name.", "missing"
        )
    if status == 429:
        return _busy(response.headers, host, _LIMIT_HINT)
    if status == 408 or status >= 500:
        return _troubled(status, host)
    return DownloadFailed(
        f"{host} answered with error {status} when asked for {subject}.",
        "Refresh the list of models and try again.",
        "missing",
    )


def _troubled(status: int, host: str) -> Passing:
    return Passing(
        f"{host} has trouble of its own (error {status}).",
        "Try again in a few minutes, or choose a mirror in Settings.",
        "server",
    )


def _busy(headers: Mapping[str, str], host: str, more: str) -> DownloadFailed:
    wait_s = wait_asked(headers)
    when = f"in {_duration(wait_s)}" if wait_s is not None else "in a few minutes"
    message = f"{host} has had too many requests from this address."
    hint = f"Try again {when}.{more}"
    if wait_s is None:
        return DownloadFailed(message, hint, "busy")
    return Passing(message, hint, "busy", wait_s)


def wait_asked(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that an answer asks to wait (Retry-After or RateLimit), or None."""
    from huggingface_hub.utils import parse_ratelimit_headers

    retry_after = headers.get("retry-after") or headers.get("Retry-After") or ""
    if retry_after.strip().isdigit():
        return float(retry_after)
    limit = parse_ratelimit_headers(headers)
    return float(limit.reset_in_seconds) if limit and limit.remaining == 0 else None


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, math.ceil(seconds))} seconds"
    return f"{math.ceil(seconds / 60)} minutes"
