"""Names and instruction sets from what the systems write."""

from pathlib import Path

import pytest

from engine.hardware.processor import count_cores, parse_cpuinfo, parse_sysctl

INTEL = """processor	: 0
model name	: Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz
flags		: fpu sse2 avx f16c fma avx2 avx512f avx512_bf16 amx_tile amx_bf16
processor	: 1
model name	: another
"""
ARM = """processor	: 0
BogoMIPS	: 50.00
Features	: fp asimd evtstrm aes fphp asimdhp asimddp sve i8mm bf16
CPU implementer	: 0x41
"""
APPLE = """machdep.cpu.brand_string: Apple M2 Pro
hw.optional.arm.FEAT_BF16: 1
hw.optional.arm.FEAT_I8MM: 0
hw.optional.arm.FEAT_DotProd: 1
hw.optional.arm64: 1
"""


def test_intel():
    name, sets = parse_cpuinfo(INTEL)
    assert name == "Intel Core i7-8550U"
    assert sets == ("avx", "avx2", "fma", "f16c", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16")


def test_arm_has_no_name_there():
    assert parse_cpuinfo(ARM) == ("", ("neon", "dotprod", "fp16", "bf16", "i8mm", "sve"))


def test_apple():
    assert parse_sysctl(APPLE) == ("Apple M2 Pro", ("neon", "dotprod", "bf16"))


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("AMD Ryzen 7 5800X 8-Core Processor", "AMD Ryzen 7 5800X"),
        ("AMD EPYC", "AMD EPYC"),
        ("12th Gen Intel(R) Core(TM) i5-12400F", "12th Gen Intel Core i5-12400F"),
        ("Intel(R) Xeon(R) Processor @ 2.70GHz", "Intel Xeon Processor"),
    ],
)
def test_names_are_tidied(written, shown):
    assert parse_cpuinfo(f"model name\t: {written}\n")[0] == shown


def test_nothing_is_known():
    assert parse_cpuinfo("") == ("", ())
    assert parse_sysctl("") == ("Apple", ())


def put(root: Path, name: str, text: str) -> None:
    path = root / "sys/fs/cgroup" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_cores_of_this_machine(tmp_path: Path):
    cores, threads = count_cores(tmp_path)
    assert 1 <= cores <= threads


@pytest.mark.parametrize("quota", ["100000 100000", "50000 100000"])
def test_a_containers_quota_counts(tmp_path: Path, quota: str):
    put(tmp_path, "cpu.max", quota)
    assert count_cores(tmp_path) == (1, 1)


def test_the_older_quota_counts(tmp_path: Path):
    put(tmp_path, "cpu/cpu.cfs_quota_us", "100000\n")
    put(tmp_path, "cpu/cpu.cfs_period_us", "100000\n")
    assert count_cores(tmp_path) == (1, 1)


def test_no_quota(tmp_path: Path):
    free = count_cores(tmp_path)
    put(tmp_path, "cpu.max", "max 100000")
    assert count_cores(tmp_path) == free
