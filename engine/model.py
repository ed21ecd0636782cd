"""A model that is ready to use: its weights on a backend, its tokenizer, its prompt template.

``RWKV`` offers the same to programs written for the ``rwkv`` package.
"""

import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.backends.base import Backend, IsCancelled, Progress
from engine.checkpoint import ModelInfo, inspect, open_checkpoint
from engine.errors import EngineError, NotEnoughMemory, UnsupportedStrategy
from engine.lora_files import with_loras
from engine.needs import CARD_WEIGHTS, suits_native
from engine.older_strategy import refuse_for_older
from engine.sampling import uncounted_ids
from engine.strategy import (
    NATIVE_WEIGHTS,
    Stage,
    Strategy,
    in_sixteen_bits,
    refuse_unsupported,
    smaller_on_card,
)
from engine.templates import Template, load_templates, template_for
from engine.tokenizer import Tokenizer, load_tokenizer

if TYPE_CHECKING:
    from torch import Tensor

    from engine.folders import Folders
    from engine.hardware import Hardware
    from engine.lora_use import LoraUse
    from engine.packed_files import PackedFiles
    from engine.plan import Plan
    from engine.state import State

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Model:
    """What a chat needs of a loaded model.

    plan: where it runs and why. unused: ids that no text has, never to be drawn.
    uncounted: ids whose repetition is no fault (space, tab, digits): no penalty grows on them.
    start: the initial state that a state-tuned model brings, from which every new chat starts.
    """

    info: ModelInfo
    backend: Backend
    tokenizer: Tokenizer
    template: Template
    plan: "Plan"
    unused: tuple[int, ...]
    uncounted: frozenset[int]
    start: "State | None" = None

    def new_state(self) -> "State":
        """Return the state of a chat that has read nothing, where the backend wants it."""
        return started(self.backend, self.start)

    def close(self) -> None:
        """Give the weights' memory back."""
        self.backend.close()


def load_model(
    path: Path,
    strategy: Strategy,
    hardware: "Hardware",
    *,
    loras: "Sequence[LoraUse]" = (),
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Model:
    """Inspect, plan and load a checkpoint.

    Raises what ``plan_model`` and ``load_planned`` raise.
    """
    info, plan = plan_model(path, strategy, hardware, loras)
    return load_planned(info, plan, progress=progress, cancelled=cancelled)


def plan_model(
    path: Path, strategy: Strategy, hardware: "Hardware", loras: "Sequence[LoraUse]" = ()
) -> "tuple[ModelInfo, Plan]":
    """Say what a file holds and where it will run; ``auto`` lets the plan choose.

    loras: applied in this order while the weights are loaded.
    Raises NotEnoughMemory, UnsupportedStrategy, UnsupportedModel, DamagedFile or UnsafeFile;
    nothing is loaded.
    """
    from engine.plan import require_room

    info = with_loras(inspect(path), loras)
    if info.shape.generation != "7":
        refuse_for_older(strategy)
    else:
        refuse_unsupported(strategy, native=bool(hardware.native), cuda=hardware.cuda_engine)
    try:
        return info, require_room(info.shape, hardware, strategy)
    except NotEnoughMemory as error:
        words = f"{info.name}: {error.message}"
        raise NotEnoughMemory(words, error.hint, error.suggestion) from error


def load_planned(
    info: ModelInfo,
    plan: "Plan",
    *,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
    power_saving: bool = False,
) -> Model:
    """Load a model as planned. progress: called with bytes read and bytes in all.

    power_saving: compute on half of the processor's cores at most.
    Raises NotEnoughMemory, UnsupportedStrategy, DamagedFile, or Cancelled.
    """
    # The tokenizer first: it is quick, and without it the weights are of no use.
    tokenizer = load_tokenizer(info)
    start = start_of(info)
    backend = load_backend(info, plan.strategy, progress, cancelled, power_saving=power_saving)
    return Model(
        info,
        backend,
        tokenizer,
        template_for(info.name, load_templates()),
        plan,
        unused=tuple(i for i in range(1, info.shape.vocab) if not _text_of(tokenizer, i)),
        uncounted=frozenset(uncounted_ids(tokenizer)),
        start=start,
    )


def start_of(info: ModelInfo) -> "State | None":
    """Return the initial state that an RWKV-7 brings among its weights, on the host; else None.

    Token shifts are zero, and nothing counts as read. Raises DamagedFile.
    """
    import torch

    from engine.state import State

    if not info.has_state:
        return None
    with open_checkpoint(info.path) as checkpoint:
        wkv = checkpoint.read_start()
    if wkv is None:  # an older generation: its backend knows
        return None
    state = State.zeros(info.shape)
    state.wkv.copy_(torch.from_numpy(wkv))
    return state


def started(backend: Backend, start: "State | None") -> "State":
    """Return a backend's new state, with an initial state in it if there is one."""
    state = backend.new_state()
    if start is not None:
        state.copy_from(start)
    return state


def _text_of(tokenizer: Tokenizer, token: int) -> bytes:
    return tokenizer.token_bytes(token) if token < tokenizer.vocab_size else b""


def load_backend(
    info: ModelInfo,
    strategy: Strategy,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
    *,
    native: bool = True,
    power_saving: bool = False,
) -> Backend:
    """Load the weights alone, as ``strategy`` says. Raises what ``load_planned`` raises.

    Whole models on the processor go to the native engine where it was built and ``native`` is
    wanted, whole models on one NVIDIA card to our engine for cards, and to both what they share in
    a type of ours; all else to torch. What fails to compile or to start on a card goes to torch on
    that card; ``notice`` of the backend says so. Models of older generations go to their author's
    package.
    """
    import torch

    try:
        return _open_backend(
            info, strategy, progress, cancelled, native=native, power_saving=power_saving
        )
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise NotEnoughMemory(
            f"{info.name} did not fit as '{strategy}': {_first_line(error)}",
            "Close other programs, or choose a strategy with smaller weights.",
            smaller_on_card(strategy),
        ) from error
    except RuntimeError as error:
        raise EngineError(
            f"{info.name} could not be loaded as '{strategy}': {_first_line(error)}",
            "Try another strategy; the log has the details.",
        ) from error


def _open_backend(
    info: ModelInfo,
    strategy: Strategy,
    progress: Progress | None,
    cancelled: IsCancelled | None,
    *,
    native: bool,
    power_saving: bool,
) -> Backend:
    from engine.folders import Folders
    from kernels.cpu.library import find_library

    if info.shape.generation != "7":
        from engine.backends.older import OlderBackend

        older = OlderBackend(info, strategy, progress, cancelled)
        older.set_power_saving(power_saving)
        return older
    library = find_library() if native and strategy.native_weights else None
    if library is not None:
        from engine.backends.cpu import CpuBackend, serves

        if serves(library, info.shape, strategy):
            folders = Folders.standard()
            return CpuBackend(
                *(library, info, strategy, progress, cancelled),
                cache=folders.cache,
                packed=_packed_files(folders),
                power_saving=power_saving,
            )
        if strategy.native_weights in NATIVE_WEIGHTS:
            raise UnsupportedStrategy(
                f"The engine for processors cannot run the shape of {info.name} in "
                f"{strategy.native_weights}.",
                "Choose “cpu fp16”: torch runs it.",
            )
    notice = ""
    if native and any(strategy.shared_weights):
        opened = _open_shared(info, strategy, progress, cancelled, power_saving=power_saving)
        if not isinstance(opened, tuple):
            return opened
        strategy, notice = opened
    if native and not notice and _suits_card(info, strategy):
        opened = _on_card_or_why_not(lambda: _open_on_card(info, strategy, progress, cancelled))
        if not isinstance(opened, str):
            return opened
        notice = opened
        if strategy.card_weights in NATIVE_WEIGHTS:
            stage = Stage(strategy.stages[0].device, "fp16")
            strategy = Strategy((stage,), strategy.threads)
    import torch

    from engine.backends.torch import TorchBackend

    try:
        backend = TorchBackend(info, strategy, progress, cancelled)
    except (MemoryError, torch.OutOfMemoryError) as error:
        if not notice:
            raise
        hint = "Choose “cpu int8”, or smaller weights; the log says why the engine failed."
        raise NotEnoughMemory(notice, hint, "cpu int8") from error
    backend.notice = notice
    backend.set_power_saving(power_saving)
    return backend


def _packed_files(folders: "Folders") -> "PackedFiles":
    """Return where packed weights are kept, as many as the settings have room for."""
    from engine.packed_files import PackedFiles
    from engine.settings import SettingsFile

    settings = SettingsFile(folders.settings_file).load()
    return PackedFiles(folders.packed, settings.packed_budget_bytes)


def _suits_card(info: ModelInfo, strategy: Strategy) -> bool:
    """Tell whether our engine for cards is to be tried: NVIDIA's, and a shape that it serves.

    Raises UnsupportedStrategy for another shape in a type that only our engine has.
    """
    import torch

    if strategy.card_weights not in CARD_WEIGHTS or torch.version.hip is not None:
        return False
    from engine.backends.cuda import serves

    if serves(info.shape, strategy):
        return True
    if strategy.card_weights in NATIVE_WEIGHTS:
        raise UnsupportedStrategy(
            f"The engine for cards cannot run the shape of {info.name} in {strategy.card_weights}.",
            "Choose “cuda fp16”: torch runs it.",
        )
    return False


def release_cached_memory() -> None:
    """Give back what torch keeps on cards for itself: after a load that failed, nobody needs it.

    Not before the failed load's objects are gone, which an error's frames may hold.
    """
    if "torch" not in sys.modules:  # it did not come up: that is what failed
        return
    import torch

    from engine.backends.card_memory import give_back_page_locked

    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
        give_back_page_locked()


def _open_on_card(
    info: ModelInfo,
    strategy: Strategy,
    progress: Progress | None,
    cancelled: IsCancelled | None,
) -> Backend:
    from engine.backends.cuda import open_on_card

    return open_on_card(info, strategy, progress, cancelled)


def _open_shared(
    info: ModelInfo,
    strategy: Strategy,
    progress: Progress | None,
    cancelled: IsCancelled | None,
    *,
    power_saving: bool,
) -> Backend | tuple[Strategy, str]:
    """Return our two engines with the model in them; or what else is to serve, and a notice why.

    Without a notice, it is our engine for cards alone: all layers and the head came to stand there.
    """
    from kernels.cpu.library import find_library

    on_card = strategy.stages[0]
    if all(stage is on_card for stage in strategy.placement(info.shape.layers)):
        return Strategy((Stage(on_card.device, on_card.weights),), strategy.threads), ""
    library = find_library()
    if library is None or not suits_native(info.shape):
        return in_sixteen_bits(strategy), (
            f"Skein's own engines cannot share {info.name} here; PyTorch computes both parts in "
            "fp16 instead, more slowly."
        )

    def open_it() -> Backend:
        from engine.backends.split import open_split
        from engine.folders import Folders

        return open_split(
            *(info, strategy, library, progress, cancelled),
            packed=_packed_files(Folders.standard()),
            power_saving=power_saving,
        )

    opened = _on_card_or_why_not(open_it)
    return (in_sixteen_bits(strategy), opened) if isinstance(opened, str) else opened


def _on_card_or_why_not(open_it: Callable[[], Backend]) -> Backend | str:
    """Return our engine for cards with the model in it, or the notice why torch has to serve.

    Raises EngineError for what torch could not do either, and what says that memory is full.
    """
    import torch

    try:
        return open_it()
    except (EngineError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        _log.exception("the engine for cards failed; torch takes over")
        return (
            "Skein's engine for NVIDIA cards could not start on this card; PyTorch computes on "
            f"the card instead, more slowly. The log has the details ({_first_line(error)})."
        )


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


class RWKV:
    """The interface of ``rwkv.model.RWKV``, so that existing programs need one changed import.

    Unlike there, the state that is handed in is left as it was.
    """

    def __init__(self, model: str | Path, strategy: str = "auto", verbose: bool = False) -> None:
        """Load ``model`` (with or without its ``.pth``).

        Raises what ``plan_model`` and ``load_backend`` raise. verbose: print the plan's reason.
        """
        from engine.folders import Folders
        from engine.hardware import detect

        path = Path(model)
        path = path if path.exists() else path.with_name(path.name + ".pth")
        hardware = detect(Folders.standard().cache)
        info, plan = plan_model(path, Strategy.parse(strategy), hardware)
        # No tokenizer: such programs bring their own.
        self._backend = load_backend(info, plan.strategy)
        self._start = start_of(info)
        if verbose:
            print(plan.reason)

    @property
    def info(self) -> ModelInfo:
        """What the file holds."""
        return self._backend.info

    def forward(
        self, tokens: Sequence[int] | int, state: "State | None" = None, full_output: bool = False
    ) -> "tuple[Tensor, State]":
        """Read tokens (one may stand alone) on top of ``state`` (None: nothing read yet).

        Returns logits fp32 [V] of the last token ([T, V] with full_output) and the new state.
        """
        ids = [tokens] if isinstance(tokens, int) else list(tokens)
        new = started(self._backend, self._start) if state is None else state.clone()
        return self._backend.forward(ids, new, all_logits=full_output), new
