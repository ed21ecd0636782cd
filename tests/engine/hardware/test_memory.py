"""Memory under the limits of containers, in both versions of control groups."""

from pathlib import Path

from engine.hardware.memory import container_limits, total_and_free, within_limits


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_version_2_with_a_limit_above(tmp_path: Path):
    put(tmp_path, "proc/self/cgroup", "0::/box/app\n")
    put(tmp_path, "sys/fs/cgroup/box/app/memory.max", "max\n")
    put(tmp_path, "sys/fs/cgroup/box/memory.max", "4000\n")
    put(tmp_path, "sys/fs/cgroup/box/memory.current", "1500\n")
    put(tmp_path, "sys/fs/cgroup/box/memory.stat", "anon 1000\ninactive_file 500\n")
    assert container_limits(tmp_path) == [(4000, 1000)]


def test_version_1_inside_a_container_that_does_not_see_the_hosts_folders(tmp_path: Path):
    put(tmp_path, "proc/self/cgroup", "4:memory:/docker/0123\n1:cpu:/\n0::/\n")
    put(tmp_path, "sys/fs/cgroup/memory/memory.limit_in_bytes", "4000\n")
    put(tmp_path, "sys/fs/cgroup/memory/memory.usage_in_bytes", "3000\n")
    put(tmp_path, "sys/fs/cgroup/memory/memory.stat", "total_inactive_file 100\n")
    assert container_limits(tmp_path) == [(4000, 2900)]


def test_no_control_groups(tmp_path: Path):
    assert container_limits(tmp_path) == []


def test_limits():
    assert within_limits(1000, 700, []) == (1000, 700)
    assert within_limits(1000, 700, [(1 << 62, 5)]) == (1000, 700), "more than there is"
    assert within_limits(1000, 700, [(500, 100), (800, 0)]) == (500, 400)
    assert within_limits(1000, 300, [(500, 100)]) == (500, 300), "the others have taken it"
    assert within_limits(1000, 700, [(500, 600)]) == (500, 0)


def test_this_machine():
    total, free = total_and_free()
    assert 0 <= free <= total
    assert total > 1 << 28
