"""Made-up computers for the tests of plans. Sizes in GB of 1024^3."""

from engine.hardware import Gpu, Hardware

GB = 1 << 30
AVX2 = ("avx", "avx2", "fma", "f16c")
AVX512 = (*AVX2, "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16")
CPU, CU126, CU130, APPLE = "2.13.0+cpu", "2.13.0+cu126", "2.13.0+cu130", "2.13.0"


def machine(
    ram: float,
    free: float,
    *gpus: Gpu,
    sets: tuple[str, ...] = AVX2,
    read: float | None = 35e9,
    cores: int = 4,
    build: str = CPU,
) -> Hardware:
    """A computer with ``ram`` GB, ``free`` of them free, whose memory is read at ``read``."""
    return Hardware(
        "Linux 6.1",
        "Intel Core i7-8550U",
        cores,
        2 * cores,
        sets,
        round(ram * GB),
        round(free * GB),
        read,
        gpus,
        build,
    )


def card(
    vram: float,
    free: float,
    name: str = "NVIDIA GeForce RTX 4070",
    *,
    index: int = 0,
    read: float | None = 504e9,
    kind: str = "cuda",
    capability: tuple[int, int] | None = (8, 9),
    why_not: str = "",
) -> Gpu:
    """A card with ``vram`` GB, ``free`` of them free; usable unless ``why_not`` is said."""
    total, left = round(vram * GB), round(free * GB)
    return Gpu(index, name, kind, total, left, "580.65", capability, read, not why_not, why_not)


NOT_FOR_NVIDIA = "The installed PyTorch (2.13.0+cpu) is not made for NVIDIA cards: do this."

MACHINES: dict[str, Hardware] = {
    "laptop 4 GB": machine(4, 2.2, read=15e9, cores=2),
    "laptop 8 GB": machine(8, 5, read=25e9),
    "laptop 16 GB": machine(16, 11),
    "laptop 16 GB, busy": machine(16, 1.2),
    "old desktop without AVX2": machine(16, 12, sets=("avx",), read=12e9),
    "desktop 32 GB, AVX-512 BF16": machine(32, 27, sets=AVX512, read=60e9, cores=8),
    "workstation 64 GB": machine(64, 58, read=80e9, cores=16),
    "server 256 GB, AMX": machine(
        256, 240, sets=(*AVX512, "amx_tile", "amx_bf16"), read=300e9, cores=56
    ),
    "not measured yet": machine(16, 12, read=None),
    "laptop card 4 GB": machine(
        16, 11, card(4, 3.6, "NVIDIA GeForce RTX 3050 Laptop GPU", read=192e9), build=CU130
    ),
    "card 8 GB": machine(16, 11, card(8, 7.4, "NVIDIA GeForce RTX 4060", read=272e9), build=CU130),
    "card 12 GB": machine(32, 26, card(12, 11.2), build=CU130),
    "card 12 GB, busy": machine(32, 26, card(12, 2.0), build=CU130),
    "card 24 GB": machine(
        32, 26, card(24, 23, "NVIDIA GeForce RTX 4090", read=1008e9), build=CU130
    ),
    "two cards 24 GB": machine(
        64,
        56,
        card(24, 22, "NVIDIA GeForce RTX 3090", read=936e9),
        card(24, 23, "NVIDIA GeForce RTX 3090", index=1, read=936e9),
        build=CU130,
    ),
    "a large and a small card": machine(
        32,
        26,
        card(6, 5.5, "NVIDIA GeForce GTX 1060", read=192e9, capability=(6, 1)),
        card(12, 11.5, index=1),
        build=CU126,
    ),
    "card 24 GB, torch for the processor": machine(
        32, 26, card(24, 23, "NVIDIA GeForce RTX 4090", read=1008e9, why_not=NOT_FOR_NVIDIA)
    ),
    "AMD card without ROCm": machine(
        32,
        26,
        card(16, 15, "AMD Radeon RX 6800", kind="cuda", capability=None, why_not="Install ROCm."),
    ),
    "Apple 16 GB": machine(
        16,
        10,
        card(10.6, 9.5, "Apple M2", kind="mps", read=100e9, capability=None),
        sets=("neon", "dotprod", "fp16", "bf16"),
        read=80e9,
        build=APPLE,
    ),
    "Intel Arc 12 GB": machine(
        32,
        26,
        card(12, 11.4, "Intel Arc B580", kind="xpu", read=456e9, capability=None),
        build="2.13.0+xpu",
    ),
}
