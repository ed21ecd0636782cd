"""The hub that the settings, the environment and the keyring choose together.

May block for a moment (a keyring asks the system): not for the GUI thread.
"""

import os

from engine.errors import DownloadFailed
from engine.hub.connection import Hub, use_proxy
from engine.settings import Settings


def hub_of(settings: Settings, endpoint: str = "") -> Hub:
    """Return the hub that the options, the environment and the settings choose, in this order.

    Raises DownloadFailed when the settings forbid the network.
    """
    go_online(settings)
    chosen = endpoint or os.environ.get("HF_ENDPOINT", "") or settings.hub_endpoint
    return Hub(chosen, _token())


def go_online(settings: Settings) -> None:
    """Let all requests of this process go through the settings' proxy.

    Raises DownloadFailed when the settings forbid the network.
    """
    if settings.offline:
        raise DownloadFailed(
            "Skein is set to stay offline.", "Turn that off in Settings, then try again."
        )
    if settings.proxy:
        use_proxy(settings.proxy)


def _token() -> str:
    if "HF_TOKEN" in os.environ:
        return os.environ["HF_TOKEN"].strip()
    from engine.secrets import Secrets

    return Secrets().hub_token()
