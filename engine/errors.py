"""Every failure that a user can meet, raised where its cause is known.

``message`` is one sentence: what happened and why. ``hint`` says what to do about it.
The window and the command line show both; nobody ever branches on their text.
"""

_MOST_LETTERS = 2000


class EngineError(Exception):
    """Something went wrong that the user should read about."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = _shown(message)
        self.hint = _shown(hint)
        super().__init__(self.message)


def _shown(text: str) -> str:
    """Return a text that can be printed: names in files may hold halves of characters, or books."""
    if len(text) > _MOST_LETTERS:
        text = f"{text[: _MOST_LETTERS // 2]} ... {text[-_MOST_LETTERS // 2 :]}"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class UnsupportedModel(EngineError):
    """The file is sound but holds something that this engine does not run.

    ``kind`` says what it is where something else can be done with it: "lora" (applied to a model)
    or "state" (begins a chat); else it is empty.
    """

    def __init__(self, message: str, hint: str = "", kind: str = "") -> None:
        super().__init__(message, hint)
        self.kind = kind


class DamagedFile(EngineError):
    """The file is truncated, inconsistent or not what its name says."""


class UnsafeFile(EngineError):
    """The file wants to run code when it is opened."""


class UnsupportedStrategy(EngineError):
    """The strategy string is malformed or names what no backend here can do."""


class NotEnoughMemory(EngineError):
    """The model does not fit; ``suggestion`` is the largest strategy that does, or empty."""

    def __init__(self, message: str, hint: str = "", suggestion: str = "") -> None:
        super().__init__(message, hint)
        self.suggestion = suggestion


class StateMismatch(EngineError):
    """The state belongs to other weights, or its arrays have another shape."""


class DownloadFailed(EngineError):
    """A download stopped; what was received is kept.

    ``kind`` is one of: offline, refused (401, 403), missing (404), busy (429), server (5xx),
    damaged (wrong hash), full (disk), disk (the folder cannot be written), stopped.
    """

    def __init__(self, message: str, hint: str = "", kind: str = "offline") -> None:
        super().__init__(message, hint)
        self.kind = kind


class PackFailed(EngineError):
    """A GPU pack could not be fetched, tried out or removed; what ran before still runs.

    ``kind`` is that of a DownloadFailed, or one of: address (no index to ask), unsafe (a wheel
    that would write elsewhere), test (it does not work on this computer), unfit (for another
    Python or PyTorch).
    """

    def __init__(self, message: str, hint: str = "", kind: str = "offline") -> None:
        super().__init__(message, hint)
        self.kind = kind


class UpdateFailed(EngineError):
    """No update could be looked for, fetched or laid ready; the version that runs is untouched.

    ``kind`` is that of a DownloadFailed, or one of: closed (this copy is not Skein's to update),
    insecure (an address without https), signature, expired, older (than what runs, or than what
    was offered before), format (not understood), target (not made for this system), system (this
    system is too old for it).
    """

    def __init__(self, message: str, hint: str = "", kind: str = "offline") -> None:
        super().__init__(message, hint)
        self.kind = kind


class StoreError(EngineError):
    """The chats on disk could not be read or written."""


class Cancelled(EngineError):
    """The work was stopped on request; not a failure."""

    def __init__(self, message: str = "Stopped.") -> None:
        super().__init__(message)
