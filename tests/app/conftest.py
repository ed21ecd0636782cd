"""Fixtures of the window's tests; those of models and downloads come from models_kit."""

from tests.app.models_kit import (  # noqa: F401
    downloads,
    library,
    make_downloads,
    server,
    tasks,
    theme,
)
