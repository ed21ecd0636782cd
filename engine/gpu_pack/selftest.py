"""A pack is tried out in a process of its own: ``python -I selftest.py [--processor] FOLDER``.

Imports torch out of the folder and multiplies two matrices on the card. Prints one line of JSON as
its last: ``{"problem": "", ...}``, or with a problem: place (another torch was imported), import,
version, cuda (no CUDA in it), card (CUDA finds none), arch (no code for the card), kernel (wrong
or failed). Standard library and torch only: it runs before anything is known to work.
"""

import json
import sys
from pathlib import Path
from typing import Any

_WORST_ERROR = 0.02
_KERNEL = """extern "C" __global__ void twice(float* x, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) x[i] = 2.f * x[i]; }"""


def main(arguments: list[str]) -> int:
    """Try the folder out; print what was found. Returns 0 when it works."""
    folder = Path(arguments[-1])
    told = try_out(folder, processor="--processor" in arguments)
    print(json.dumps(told))
    return 1 if told["problem"] else 0


def try_out(folder: Path, *, processor: bool) -> dict[str, Any]:
    """Return the facts of the torch in ``folder``, and the problem or ""."""
    sys.path.insert(0, str(folder))
    try:
        import torch
    except Exception as error:  # a missing library says so in many ways
        return _told("import", error)
    facts: dict[str, Any] = {
        "torch": str(torch.__version__),
        "cuda": str(torch.version.cuda or ""),
        "place": str(Path(torch.__file__).parent.parent),
    }
    wanted = json.loads((folder / "pack.json").read_text("utf-8"))["torch"]
    if Path(facts["place"]).resolve() != folder.resolve():
        return facts | _told("place", facts["place"])
    if facts["torch"].partition("+")[0] != wanted:
        return facts | _told("version", facts["torch"])
    try:
        return facts | (_multiply(torch, "cpu") if processor else _on_card(torch))
    except Exception as error:
        return facts | _told("kernel", error)


def covers(archs: list[str], capability: tuple[int, int]) -> bool:
    """Say whether code for these architectures (sm_86, compute_90 ...) runs on a card."""
    for arch in archs:
        kind, _, number = arch.partition("_")
        if number[:-1].isdigit() and number[-1:].isdigit():
            has = int(number[:-1]), int(number[-1])
            if (has[0] == capability[0] or kind == "compute") and has <= capability:
                return True
    return False


def _on_card(torch: Any) -> dict[str, Any]:  # noqa: ANN401
    if not torch.version.cuda:
        return _told("cuda", "this build of PyTorch has no CUDA")
    if not torch.cuda.is_available():
        return _told("card", "CUDA finds no card")
    capability = torch.cuda.get_device_capability(0)
    facts = {
        "card": torch.cuda.get_device_name(0),
        "capability": list(capability),
        "archs": torch.cuda.get_arch_list(),
    }
    if not covers(facts["archs"], capability):
        return facts | _told("arch", ", ".join(facts["archs"]))
    return facts | {"compiler": _compiled(torch)} | _multiply(torch, "cuda")


def _multiply(torch: Any, device: str) -> dict[str, Any]:  # noqa: ANN401
    """Multiply in the device's usual type, and compare with fp32 on the processor."""
    torch.manual_seed(7)
    left, right = torch.randn(2, 128, 128).unbind()
    kind = torch.float32 if device == "cpu" else torch.float16
    found = (left.to(device, kind) @ right.to(device, kind)).float().cpu()
    right_answer = left.double() @ right.double()
    error = float((found - right_answer).abs().max() / right_answer.std())
    return _told("" if error < _WORST_ERROR else "kernel", f"error {error:.2g}") | {"error": error}


def _compiled(torch: Any) -> str:  # noqa: ANN401
    """Compile and run a kernel of our own; "" when it works. PyTorch itself works without."""
    try:
        kernel = torch.cuda._compile_kernel(_KERNEL, "twice")  # noqa: SLF001
        numbers = torch.ones(64, device="cuda")
        kernel((1, 1, 1), (64, 1, 1), (numbers, 64))
        return "" if float(numbers.sum()) == 128.0 else "wrong result"
    except Exception as error:
        return str(error)[:500]


def _told(problem: str, detail: object) -> dict[str, Any]:
    return {"problem": problem, "detail": str(detail)[:1000]}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
