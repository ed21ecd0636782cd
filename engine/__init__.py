"""The engine of Skein: RWKV-7 models, states, chats and downloads, without a window.

Usable as a library (``from engine import RWKV``) and as the command line (``skein``).
Importing it costs nothing: torch is loaded when a model is.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.model import RWKV

__all__ = ["RWKV"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562: the type is that of the export
    if name == "RWKV":
        from engine.model import RWKV

        return RWKV
    raise AttributeError(f"module 'engine' has no attribute {name!r}")
