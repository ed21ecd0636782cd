"""What torchrun starts in the test: the small run, spread in each of the two ways."""

import sys
from pathlib import Path

from engine.training.distributed import World, joined
from tests.engine.training.small_run import run, small_config, with_phases


def check_agreement(world: World) -> None:
    """What a process alone cannot show: that two see where they differ."""
    assert world.same(7)
    assert not world.same(world.rank)
    assert not world.same(-world.rank)


def main(folder: Path) -> None:
    """Train into folder/ddp; into folder/fsdp with a pause, and another one before the end."""
    for sharding, pauses in (("ddp", 0), ("fsdp", 2)):
        config = small_config(folder, sharding=sharding, micro_batches=1 if pauses else 2)
        config = with_phases(config, {"steps": 8}, {"steps": 4, "batch": 4})
        for _ in range(max(pauses, 1)):
            run(config, folder / sharding, stop_at=1 if pauses else 0, resume=True)


if __name__ == "__main__":
    with joined("cpu") as both:
        check_agreement(both)
        main(Path(sys.argv[1]))
