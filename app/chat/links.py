"""Which addresses may be opened. Opens none itself."""

from urllib.parse import urlsplit

LINK_SCHEMES = {"http", "https", "mailto"}


def safe_link(address: str) -> str:
    """Return an address that may be opened, or "" for any other."""
    try:
        scheme = urlsplit(address).scheme.lower()
    except ValueError:
        return ""
    return address if scheme in LINK_SCHEMES else ""
