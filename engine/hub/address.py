"""What a user may type to name a model on a hub. Knows syntax only, asks nobody."""

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from engine.errors import EngineError
from engine.hub.file_names import is_safe_path

_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9_][\w.-]{0,95}")
_HUB_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
_HINT = "Write owner/name, owner/name/file.pth, or paste the address of a Hugging Face page."


@dataclass(frozen=True, slots=True)
class Address:
    """A repository, and in it a file when ``file`` is not empty."""

    repo: str
    file: str = ""
    revision: str = ""


def parse_address(text: str, endpoint: str) -> Address:
    """Return what ``text`` names: owner/name, owner/name/file, hf://... or a page's address.

    Pages of ``endpoint`` and of the hub itself are known. Raises EngineError on anything else.
    """
    wanted = text.strip()
    if re.match(r"https?://", wanted, re.I):
        return _from_url(wanted, endpoint)
    path = re.sub(r"^hf://(models/)?", "", wanted, flags=re.I).strip("/")
    return _from_parts(path.split("/"), "", text)


def is_repo(text: str) -> bool:
    """Say whether ``text`` can be the name of a repository."""
    return bool(_REPO.fullmatch(text)) and ".." not in text and "--" not in text


def _from_url(url: str, endpoint: str) -> Address:
    try:
        split = urlsplit(url)
    except ValueError as error:
        raise EngineError(f"“{url[:120]}” is not an address.", _HINT) from error
    if split.netloc.lower() not in (urlsplit(endpoint).netloc.lower(), *_HUB_HOSTS):
        raise EngineError(
            f"{split.netloc or url} is not the Hugging Face hub.",
            "Paste the address of a page of the hub, or make this one the mirror in Settings.",
        )
    parts = [unquote(part) for part in split.path.strip("/").split("/")]
    if parts[0] in ("datasets", "spaces", "api"):
        raise EngineError("This address is not that of a model.", _HINT)
    if len(parts) > 3 and parts[2] in ("blob", "resolve", "raw"):
        return _from_parts(parts[:2] + parts[4:], parts[3], url)
    if len(parts) > 3 and parts[2] == "tree":
        return _from_parts(parts[:2], parts[3], url)
    return _from_parts(parts[:2], "", url)


def _from_parts(parts: list[str], revision: str, text: str) -> Address:
    repo, file = "/".join(parts[:2]), "/".join(parts[2:])
    if not is_repo(repo) or (file and not is_safe_path(file)):
        shown = text.strip()[:120] or "An empty text"
        raise EngineError(f"“{shown}” does not name a model on the hub.", _HINT)
    return Address(repo, file, revision)
