"""The model that comes with the app: where it lies and what it is called.

Knows its place and its words only; it is opened and run like any other model.
"""

from importlib import resources
from pathlib import Path

from engine.errors import EngineError

NAME = "Gosling"
FILE_NAME = "gosling.safetensors"


def built_in_model() -> Path | None:
    """Return the built-in model's file; None where an installation was made without it."""
    path = Path(str(resources.files("resources").joinpath("models", "gosling", FILE_NAME)))
    return path if path.is_file() else None


def require_built_in() -> Path:
    """Return the built-in model's file. Raises EngineError where there is none."""
    found = built_in_model()
    if found is None:
        raise EngineError(
            "This installation has no built-in model.",
            "Name a model file; `skein models --remote` lists some to download.",
        )
    return found


def is_built_in(path: Path) -> bool:
    """Tell whether a file is the built-in model: it cannot be deleted and has its own words."""
    own = built_in_model()
    return own is not None and path.name == FILE_NAME and path.resolve() == own.resolve()
