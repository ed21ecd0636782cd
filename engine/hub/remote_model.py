"""One model as a hub offers it, and how models are grouped for people.

Knows what names and sizes say; has never seen the weights.
"""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from engine.hub.file_names import ModelName, bits_of, model_format, parse_file_name

if TYPE_CHECKING:
    from engine.checkpoint.shape import ModelShape

_OTHER_USES = {
    "vl": "pictures",
    "vision": "pictures",
    "visual": "pictures",
    "visualrwkv": "pictures",
    "tts": "speech",
    "asr": "speech",
    "whisper": "speech",
    "music": "music",
    "midi": "music",
    "abc": "music",
    "othello": "a game",
    "sudoku": "a game",
    "chess": "a game",
    "puzzle": "a game",
}
_FROM_HUB = {"repo": str, "file": str, "revision": str, "size_bytes": int, "sha256": str}
_PARTS = {
    "state": "a saved state",
    "lora": "a LoRA adapter",
    "mmproj": "a vision adapter",
    "imatrix": "a table for those who quantise",
}
_OTHER_ARCHITECTURES = ("arwkv", "qrwkv")
OLDEST, NEWEST = 4, 7
"""The generations of RWKV that are run."""


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """One downloadable model: a file, or a whole repository when ``format`` is "folder".

    ``file`` is the path inside the repository ("" for a folder), ``revision`` the commit that
    was listed, ``sha256`` the hub's promise ("" when it gives none), ``context`` the length
    that the model was trained at, in tokens (0 unknown), ``version`` and ``branch`` RWKV's (7 and
    "a" for v7a). ``supported`` says whether this version of Skein runs it; ``note`` says why not,
    or what to expect.
    """

    repo: str
    file: str
    revision: str = "main"
    size_bytes: int = 0
    sha256: str = ""
    title: str = ""
    family: str = ""
    parameters_label: str = ""
    release: str = ""
    date: str = ""
    context: int = 0
    format: str = "pth"
    quantisation: str = ""
    version: int = 0
    branch: str = ""
    shape: "ModelShape | None" = None
    supported: bool = True
    note: str = ""

    @property
    def is_older(self) -> bool:
        """Whether it is of a generation before RWKV-7: it runs, but slower."""
        return OLDEST <= self.version < NEWEST

    @property
    def bits(self) -> int:
        """Bits of a weight: by its name, else by its size; 0 when neither tells."""
        if named := bits_of(self.quantisation):
            return named
        if self.shape is None or not self.size_bytes:
            return 0
        bits = 8 * self.size_bytes / self.shape.parameters
        usual = (4, 5, 6, 8, 16, 32) if self.format == "gguf" else (16, 32)
        return min(usual, key=lambda known: abs(known - bits))

    @property
    def name(self) -> str:
        """The file's own name, or the repository's for a folder."""
        return (self.file or self.repo).rsplit("/", 1)[-1]

    def to_json(self) -> dict[str, Any]:
        """Return what the hub said, as plain values; the rest is worked out again when read."""
        return {name: getattr(self, name) for name in _FROM_HUB}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "RemoteModel":
        """Return the model that ``to_json`` wrote. Raises TypeError or KeyError on nonsense."""
        return describe(*(_typed(values[name], kind) for name, kind in _FROM_HUB.items()))


@dataclass(frozen=True, slots=True)
class ModelFamily:
    """One model of one size, with its variants: newest and runnable first."""

    title: str
    family: str
    parameters_label: str
    variants: tuple[RemoteModel, ...]

    @property
    def newest(self) -> RemoteModel:
        """The variant to offer first."""
        return self.variants[0]

    @property
    def supported(self) -> bool:
        """Whether any variant runs today."""
        return any(variant.supported for variant in self.variants)


def describe(
    repo: str, file: str, revision: str = "main", size_bytes: int = 0, sha256: str = ""
) -> RemoteModel:
    """Return what a file's place, name and size say about it; "" as ``file`` means a folder."""
    name = _complete(parse_file_name(file or repo), repo)
    kind = model_format(file) if file else "folder"
    supported, note = _verdict(name, kind, f"{repo}/{file}")
    return RemoteModel(
        repo=repo,
        file=file,
        revision=revision,
        size_bytes=size_bytes,
        sha256=sha256,
        title=name.title or (file or repo).rsplit("/", 1)[-1],
        family=name.family,
        parameters_label=name.parameters_label,
        release=name.release,
        date=name.date,
        context=name.context,
        format=kind,
        quantisation=name.quantisation,
        version=name.version,
        branch=name.branch,
        shape=released_shape(name.parameters_label, name.branch, name.version),
        supported=supported,
        note=note,
    )


def released_shape(label: str, branch: str = "", version: int = 7) -> "ModelShape | None":
    """Return the shape of the released model of that size, or None for other sizes.

    branch: "a" for v7a, whose DeepEmbed rows have 32 by 32 numbers in every released model.
    version: of RWKV; before 7 its author's package computes it.
    """
    from engine.checkpoint.older_shape import released_older
    from engine.checkpoint.shape import ModelShape

    if version != 7:
        return released_older(version, label)
    try:
        return replace(ModelShape.released(label.lower()), deep=32 if branch == "a" else 0)
    except (KeyError, ValueError):
        return None


def group(models: Iterable[RemoteModel]) -> list[ModelFamily]:
    """Return one family per title: newest line first, small to large inside a line."""
    by_title: dict[str, list[RemoteModel]] = {}
    for model in models:
        by_title.setdefault(model.title, []).append(model)
    families = [
        ModelFamily(title, found[0].family, found[0].parameters_label, tuple(_newest_first(found)))
        for title, found in by_title.items()
    ]
    return sorted(families, key=_family_order)


def parameter_count(label: str) -> float:
    """Return "1.5B" as 1.5e9 and "191M" as 1.91e8; 0.0 for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([BM])", label)
    return float(found[1]) * (1e9 if found[2] == "B" else 1e6) if found else 0.0


def _typed(value: Any, kind: type) -> Any:  # noqa: ANN401
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is not of type {kind.__name__}")
    return value


def _complete(name: ModelName, repo: str) -> ModelName:
    """Fill what the file's name leaves out from the repository's name."""
    if name.parameters_label and name.family:
        return name
    outer = parse_file_name(repo)
    if not outer.version or (name.version and name.version != outer.version):
        return name
    ours, theirs = asdict(name), asdict(outer)
    return ModelName(**{key: ours[key] or theirs[key] for key in ours if key != "words"})


def _verdict(name: ModelName, kind: str, address: str) -> tuple[bool, str]:
    """Return (runs today, why not or what to expect), judged by names alone."""
    words = {part for word in name.words for part in word.split("_")}
    for word, what in _PARTS.items():
        if word in words:
            return False, f"This is {what}, not a whole model."
    for word, use in _OTHER_USES.items():
        if word in words:
            return False, f"This model was made for {use}, not for chats."
    if any(other in address.lower() for other in _OTHER_ARCHITECTURES):
        return False, "This is another architecture with RWKV in its name; RWKV-7 can be run."
    if name.part:
        return False, "This is one of several parts; the same model as a single file can be run."
    return _generation_verdict(name, kind)


def _generation_verdict(name: ModelName, kind: str) -> tuple[bool, str]:
    """Return the same, judged by the generation and by the format."""
    generation = f"RWKV-{name.version}{name.branch}"
    if not name.version:
        return True, "The name says too little: whether it runs is known after the download."
    if not OLDEST <= name.version <= NEWEST or (name.version == 7 and name.branch not in ("", "a")):
        return False, f"{generation} cannot be run yet; RWKV-7 can."
    if name.version < NEWEST and kind != "pth":
        return False, f"{generation} is run from its .pth file only."
    if name.branch and kind not in ("pth", "safetensors"):
        return False, f"{generation} is run from its .pth file only."
    if name.version < NEWEST:
        return True, f"{generation} is an older generation: it runs, but slower than RWKV-7."
    return True, ""


def _newest_first(models: list[RemoteModel]) -> list[RemoteModel]:
    """Runnable before the rest, the newest release first, then what was rounded least."""
    dates: dict[str, str] = {}
    for model in models:  # a copy's name often leaves out the date of its release
        dates[model.release] = max(dates.get(model.release, ""), model.date)

    def order(model: RemoteModel) -> tuple[bool, str, str, int, bool, int]:
        date = model.date or (dates[model.release] if model.release else "")
        plain = model.format == "pth"
        return model.supported, model.release, date, model.bits or 16, plain, model.size_bytes

    return sorted(models, key=order, reverse=True)


def _family_order(family: ModelFamily) -> tuple[bool, bool, bool, bool, int, float, str]:
    """Runnable first, RWKV-7 before older ones, G before World, G2 before G1; small to large."""
    line = re.search(r" G(\d+)$", family.family)
    rank = -int(line[1]) if line else (1 if family.family.endswith(" World") else 2)
    return (
        not family.supported,
        family.newest.is_older,
        bool(family.newest.branch),
        family.title.split(" ")[-1] != family.parameters_label,
        rank,
        parameter_count(family.parameters_label),
        family.title,
    )
