"""One model as a hub offers it, and how models are grouped for people.

Knows what names and sizes say; has never seen the weights.
"""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from engine.hub.file_names import ModelName, model_format, parse_file_name

if TYPE_CHECKING:
    from engine.checkpoint.shape import ModelShape

_LATER = {
    "gguf": "GGUF files cannot be run yet; the same model as .pth can.",
    "folder": "Models in the transformers layout cannot be run yet; the same model as .pth can.",
    "st": "Files in the web-rwkv layout (.st) cannot be run yet; the same model as .pth can.",
}
_OTHER_USES = {
    "vl": "pictures",
    "vision": "pictures",
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
_PARTS = {"state": "a saved state", "lora": "a LoRA adapter", "mmproj": "a vision adapter"}


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """One downloadable model: a file, or a whole repository when ``format`` is "folder".

    ``file`` is the path inside the repository ("" for a folder), ``revision`` the commit that
    was listed, ``sha256`` the hub's promise ("" when it gives none), ``context`` the length
    that the model was trained at, in tokens (0 unknown). ``supported`` says whether this
    version of Skein runs it; ``note`` says why not, or what to expect.
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
    shape: "ModelShape | None" = None
    supported: bool = True
    note: str = ""

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
    supported, note = _verdict(name, kind, file)
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
        shape=released_shape(name.parameters_label) if name.version == 7 else None,
        supported=supported,
        note=note,
    )


def released_shape(label: str) -> "ModelShape | None":
    """Return the shape of the released model of that size, or None for other sizes."""
    from engine.checkpoint.shape import ModelShape

    try:
        return ModelShape.released(label.lower())
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


def _verdict(name: ModelName, kind: str, file: str) -> tuple[bool, str]:
    """Return (runs today, why not or what to expect), judged by names alone."""
    words = {part for word in name.words for part in word.split("_")}
    for word, what in _PARTS.items():
        if word in words:
            return False, f"This is {what}, not a whole model."
    for word, use in _OTHER_USES.items():
        if word in words:
            return False, f"This model was made for {use}, not for chats."
    if name.version not in (0, 7) or name.branch:
        return False, f"RWKV-{name.version}{name.branch} cannot be run yet; RWKV-7 can."
    if file.lower().endswith(".st"):
        return False, _LATER["st"]
    if kind in _LATER:
        return False, _LATER[kind]
    if not name.version:
        return True, "The name says too little: whether it runs is known after the download."
    return True, ""


def _newest_first(models: list[RemoteModel]) -> list[RemoteModel]:
    def order(model: RemoteModel) -> tuple[bool, str, str, int]:
        return model.supported, model.date, model.release, model.size_bytes

    return sorted(models, key=order, reverse=True)


def _family_order(family: ModelFamily) -> tuple[bool, bool, int, float, str]:
    """Runnable before the rest; G before World before others; G2 before G1; small to large."""
    line = re.search(r" G(\d+)$", family.family)
    rank = -int(line[1]) if line else (1 if family.family.endswith(" World") else 2)
    return (
        not family.supported,
        family.title.split(" ")[-1] != family.parameters_label,
        rank,
        parameter_count(family.parameters_label),
        family.title,
    )
