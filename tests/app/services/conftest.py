"""The local hub, the library and the downloads of models_kit as fixtures."""

from tests.app.models_kit import (  # noqa: F401
    downloads,
    library,
    make_downloads,
    server,
    tasks,
)
