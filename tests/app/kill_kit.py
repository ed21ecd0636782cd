"""For tests of kills: the engine and the downloads, the same in the child and after it.

What imports torch does so where it is used: a child that only downloads starts four times faster.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from app.services.downloads import DownloadService
from engine.events import Event, Turn
from engine.folders import Folders
from engine.hub.connection import Hub
from engine.hub.download import Download
from engine.sampling import SamplingParams
from engine.store import Store

if TYPE_CHECKING:
    from engine.model import Model

PARAMS = SamplingParams(top_p=0.9, seed=5, max_tokens=40)


class Desk:
    """One start of the engine on a folder."""

    def __init__(self, home: Path, model: "Model") -> None:
        from engine.archive import StateArchive
        from engine.session import Session

        self.folders = Folders.below(home)
        self.folders.create()
        self.store = Store.open(self.folders.database)
        self.archive = StateArchive(self.folders.states, self.store)
        self.session = Session(model, self.store, self.archive)

    def question(self, text: str) -> int:
        chat = self.store.create_conversation("A chat").id
        node = self.store.add_node(chat, None, "user", text)
        return self.store.add_node(chat, node.id, "assistant", "", status="writing").id

    def run(self, reply: int, tokens: int) -> list[Event]:
        """Write ``tokens`` more tokens."""
        events: list[Event] = []
        params = SamplingParams(top_p=0.9, seed=5, max_tokens=tokens)
        self.session.run(Turn(reply, params), events.append, lambda: False)
        return events

    def close(self) -> None:
        self.archive.close()
        self.store.close()


def downloads(home: Path, endpoint: str) -> DownloadService:
    folders = Folders.below(home)
    hub = Hub(endpoint, timeout_s=5)
    return DownloadService(
        folders.data / "downloads.json",
        lambda model: Download(model, folders.models, hub=hub, pauses_s=(0.0,)),
    )
