"""What torchrun starts in the test: the small run, spread in each of the two ways."""

import sys
from pathlib import Path

from engine.training.distributed import joined
from tests.engine.training.small_run import run, small_config, with_phases


def main(folder: Path) -> None:
    """Train into folder/ddp; into folder/fsdp with a pause, and another one before the end."""
    for sharding, pauses in (("ddp", 0), ("fsdp", 2)):
        config = small_config(folder, sharding=sharding, micro_batches=1 if pauses else 2)
        config = with_phases(config, {"steps": 8}, {"steps": 4, "batch": 4})
        for _ in range(max(pauses, 1)):
            run(config, folder / sharding, stop_at=1 if pauses else 0, resume=True)


if __name__ == "__main__":
    with joined("cpu"):
        main(Path(sys.argv[1]))
