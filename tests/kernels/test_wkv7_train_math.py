"""The training kernel's mathematics: its formulas in its order, against sequential autograd.

Here is the twin of ``kernels/cuda/wkv7_forward.cu`` and ``wkv7_backward.cu``: the same matrices by
the same names, chunk by chunk, in plain torch. The kernel itself needs a card:
``tests/benchmarks/training_kernel.py``.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from kernels.cuda import wkv7_train

CHUNK, N = 16, 64
NAMES = ("y", "end", "dr", "d log w", "dk", "dv", "da", "db", "d state")
Product = Callable[[Tensor, Tensor], Tensor]


def inputs(length: int, log_w: float | None = None, seed: int = 1) -> list[Tensor]:
    """One head: r, log w, k, v, a, b [T, N] and a state [N, N]."""
    rng = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=rng, dtype=torch.float64)

    kk = torch.nn.functional.normalize(normal(length, N), dim=-1)
    decay = -0.6065306597 * torch.sigmoid(2 * normal(length, N))
    if log_w is not None:
        decay = torch.full_like(decay, log_w)
    b = kk * torch.sigmoid(normal(length, N))
    parts = [normal(length, N), decay, normal(length, N), normal(length, N), -kk, b]
    return [*parts, normal(N, N)]


def sequential(*parts: Tensor) -> tuple[Tensor, Tensor]:
    *vectors, state = parts
    steps = []
    for r, log_w, k, v, a, b in zip(*vectors, strict=True):
        state = state * log_w.exp() + torch.outer(state @ a, b) + torch.outer(v, k)
        steps.append(state @ r)
    return torch.stack(steps), state


class Chunk:
    """What a chunk brings, whatever the state: scaled rows and matrices of tokens [t][s]."""

    def __init__(self, parts: list[Tensor], product: Product) -> None:
        r, log_w, k, self.v, a, b = parts
        self.product = product
        self.sums = log_w.cumsum(0)
        self.before = torch.cat([torch.zeros_like(log_w[:1]), self.sums[:-1]])
        self.a, self.r = a * self.before.exp(), r * self.sums.exp()
        self.b, self.k = b * (-self.sums).exp(), k * (-self.sums).exp()
        self.ak = self.attend(self.a, self.k, -1)
        self.rb, self.rk = self.attend(self.r, self.b), self.attend(self.r, self.k)
        ab = self.attend(self.a, self.b, -1)
        self.inverse = torch.linalg.inv(torch.eye(CHUNK, dtype=ab.dtype) - ab)

    def attend(self, x: Tensor, y: Tensor, diagonal: int = 0) -> Tensor:
        return self.product(x, y.T).tril(diagonal)

    def forward(self, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return Y, U and the state after the chunk."""
        mul = self.product
        u = mul(self.inverse, mul(self.a, state.T) + mul(self.ak, self.v))
        y = mul(self.r, state.T) + mul(self.rk, self.v) + mul(self.rb, u)
        end = (state + mul(self.v.T, self.k) + mul(u.T, self.b)) * self.sums[-1].exp()
        return y, u, end

    def backward(self, state: Tensor, u: Tensor, dy: Tensor, d_end: Tensor) -> list[Tensor]:
        """Return the gradients of r, log w, k, v, a, b and of the state before the chunk."""
        mul = self.product
        g = d_end * self.sums[-1].exp()
        du = mul(self.inverse.T, mul(self.b, g.T) + mul(self.rb.T, dy))
        dv = mul(self.k, g.T) + mul(self.rk.T, dy) + mul(self.ak.T, du)
        dyu, dyv = self.attend(dy, u), self.attend(dy, self.v)
        duu, duv = self.attend(du, u, -1), self.attend(du, self.v, -1)
        dr = mul(dy, state) + mul(dyu, self.b) + mul(dyv, self.k)
        da = mul(du, state) + mul(duu, self.b) + mul(duv, self.k)
        db, dk = mul(u, g), mul(self.v, g)
        sum_end = (g * state).sum(0) + (self.b * db + self.k * dk).sum(0)
        db = db + mul(dyu.T, self.r) + mul(duu.T, self.a)
        dk = dk + mul(dyv.T, self.r) + mul(duv.T, self.a)
        here, earlier = self.r * dr - self.b * db - self.k * dk, self.a * da
        from_here = (here + earlier).flip(0).cumsum(0).flip(0) - earlier
        scaled = [dr * self.sums.exp(), dk * (-self.sums).exp(), da * self.before.exp()]
        d_state = g + mul(dy.T, self.r) + mul(du.T, self.a)
        db = db * (-self.sums).exp()
        return [scaled[0], sum_end + from_here, scaled[1], dv, scaled[2], db, d_state]


def twin(parts: list[Tensor], dy: Tensor, d_end: Tensor, product: Product) -> list[Tensor]:
    """Return outputs and gradients as the kernel finds them, chunk by chunk."""
    *vectors, state = parts
    chunks = [
        Chunk(list(rows), product)
        for rows in zip(*(part.split(CHUNK) for part in vectors), strict=True)
    ]
    outputs, kept = [], []
    for chunk in chunks:
        y, u, end = chunk.forward(state)
        outputs.append(y)
        kept.append((state, u))
        state = end
    gradients, back = [], d_end
    for chunk, (before, u), part in zip(
        reversed(chunks), reversed(kept), reversed(dy.split(CHUNK)), strict=True
    ):
        *rows, back = chunk.backward(before, u, part, back)
        gradients.insert(0, rows)
    joined = [torch.cat(rows) for rows in zip(*gradients, strict=True)]
    return [torch.cat(outputs), state, *joined, back]


def truth(parts: list[Tensor], dy: Tensor, d_end: Tensor) -> list[Tensor]:
    wanting = [part.clone().requires_grad_() for part in parts]
    found = sequential(*wanting)
    return [*found, *torch.autograd.grad(found, wanting, (dy, d_end))]


def errors(parts: list[Tensor], product: Product) -> dict[str, float]:
    rng = torch.Generator().manual_seed(9)
    dy = torch.randn(parts[0].shape, generator=rng, dtype=torch.float64)
    d_end = torch.randn(N, N, generator=rng, dtype=torch.float64)
    pairs = zip(twin(parts, dy, d_end, product), truth(parts, dy, d_end), strict=True)
    found = [((x - t).norm() / t.norm()).item() for x, t in pairs]
    return dict(zip(NAMES, found, strict=True))


def tf32(x: Tensor) -> Tensor:
    """What the tensor cores read of a number: 11 bits, as ``high`` of tiles.cuh rounds them."""
    bits = (x.float().view(torch.int32) + 0x1000) & -0x2000
    return bits.view(torch.float32).double()


def once(x: Tensor, y: Tensor) -> Tensor:
    """The kernel's product for bf16."""
    return tf32(x) @ tf32(y)


def thrice(x: Tensor, y: Tensor) -> Tensor:
    """The kernel's product for fp32: with what the first rounding left."""
    x_low, y_low = tf32(x - tf32(x)), tf32(y - tf32(y))
    return tf32(x) @ tf32(y) + tf32(x) @ y_low + x_low @ tf32(y)


@pytest.mark.parametrize("log_w", [None, -0.6065306597, -1e-4])
def test_the_formulas_are_the_recurrence_and_its_gradients(log_w: float | None) -> None:
    assert max(errors(inputs(64, log_w), torch.matmul).values()) < 1e-12


@pytest.mark.parametrize("log_w", [None, -0.6065306597, -1e-4])
@pytest.mark.parametrize(("product", "bound"), [(thrice, 2e-6), (once, 2e-3)])
def test_tensor_cores_are_exact_enough(product: Product, bound: float, log_w: float | None) -> None:
    assert max(errors(inputs(64, log_w), product).values()) < bound


def test_a_compiler_sees_the_shapes_without_a_card() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        shape = (2, 32, 3, N)
        parts = [torch.empty(shape, dtype=torch.bfloat16) for _ in range(6)]
        parts[1] = torch.empty(shape)
        parts = [part.requires_grad_() for part in parts]
        y, end = wkv7_train.wkv7_train(*parts)
        gradients = torch.autograd.grad(y.sum() + end.sum(), parts)
    assert (y.shape, y.dtype) == (shape, torch.bfloat16)
    assert (end.shape, end.dtype) == ((2, 3, N, N), torch.float32)
    assert [g.dtype for g in gradients] == [part.dtype for part in parts]
    assert all(g.shape == shape for g in gradients)


@pytest.mark.parametrize(
    ("shape", "dtype"), [((1, 16, 1, 32), torch.float32), ((1, 15, 1, 64), torch.float32),
                         ((1, 16, 1, 64), torch.float16)]
)  # fmt: skip
def test_what_the_kernel_was_not_written_for_is_refused(
    shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    parts = [torch.zeros(shape, dtype=torch.float32 if i == 1 else dtype) for i in range(6)]
    with pytest.raises(ValueError, match="not"):
        wkv7_train.wkv7_train(*parts)


@pytest.mark.parametrize(
    ("shape", "dtype"), [((1, 2, N, N), torch.float32), ((1, 1, N, N), torch.bfloat16)]
)
def test_a_state_of_another_shape_is_refused(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    parts = [torch.zeros(1, 16, 1, N) for _ in range(6)]
    with pytest.raises(ValueError, match="a state is"):
        wkv7_train.wkv7_train(*parts, state=torch.zeros(shape, dtype=dtype))


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_the_launch_asks_for_the_shared_memory_of_the_source(direction: str) -> None:
    way = wkv7_train._CHUNKED[direction]
    source = Path(wkv7_train.__file__).with_name(way.sources[-1]).read_text("utf-8")
    asserted = re.search(r"static_assert\(sizeof\(\w+\) == (\d+)", source)
    assert asserted
    assert int(asserted[1]) == way.shared_bytes
