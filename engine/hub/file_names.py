"""What the name of a model file says, and which local name a remote file may have.

Knows naming habits only; opens no file. Names that come from a hub are untrusted.
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

FORMATS = {".pth": "pth", ".safetensors": "safetensors", ".st": "safetensors", ".gguf": "gguf"}

_ARCHITECTURE = re.compile(r"(?<![a-z0-9])(?:rwkv-?)?x0(\d)[0-2]([a-z]?)(?![a-z0-9])", re.I)
_PLAIN = re.compile(r"(?<![aq])rwkv[-_ ]?v?(\d)([a-z]?)(?![a-z0-9.])", re.I)
_PART = re.compile(r"-(\d{5})-of-(\d{5})$")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([bm])", re.I)
_SIZE_IN_ONE = re.compile(r"(\d+)B(\d)", re.I)  # 1B5 is 1.5B
_RELEASE = re.compile(r"g\d+[a-z]?\d*", re.I)
_WORLD = re.compile(r"world(?:v?(\d+(?:\.\d+)?))?", re.I)
_WORLD_RELEASE = re.compile(r"v(\d+(?:\.\d+)?)", re.I)
_DATE = re.compile(r"20\d{6}")
_CONTEXT = re.compile(r"ctx(\d+)(k?)", re.I)
_CONTEXT_ALONE = re.compile(r"(?:1024|2048|4096|8023|8192|16384)")
_QUANTISATION = re.compile(
    r"(?:(?:i?q|tq|mxfp)\d\w*|[bf]{1,2}p?(?:16|32)|int[48]|nf4|\d-?bit)", re.I
)
_DOTTED = re.compile(r"\.(?=(?:i?q\d|b?f(?:p)?(?:16|32)))", re.I)  # model.Q8_0.gguf
_NOT_WORDS = frozenset(
    ["rwkv", "goose", "hf", "gguf", "fla", "st", "pth", "model", "chat", "better_quantization", ""]
)
# Sizes that people count with the embedding, and the name that the author gives the same model.
_SAME_SIZE = {"191M": "0.1B", "100M": "0.1B", "400M": "0.4B"}
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul"}
    | {f"com{n}" for n in "123456789¹²³"}
    | {f"lpt{n}" for n in "123456789¹²³"}
)
_FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f\x7f]')
_LONGEST_NAME = 180


@dataclass(frozen=True, slots=True)
class ModelName:
    """The parts of a model's name; empty or 0 where the name does not say.

    ``version`` is RWKV's (7), ``branch`` its variant ("a" and "b" of v7a and v7b), ``words``
    what is left over: what a fine-tune was made for, usually. ``part`` says that the file is one
    of several that are a model only together.
    """

    version: int = 0
    branch: str = ""
    family: str = ""
    parameters_label: str = ""
    release: str = ""
    date: str = ""
    context: int = 0
    quantisation: str = ""
    words: tuple[str, ...] = ()
    part: bool = False

    @property
    def title(self) -> str:
        """The name as a person says it: "RWKV-7 G1 1.5B"."""
        special = " ".join(word.capitalize() for word in self.words)
        return " ".join(part for part in (self.family, special, self.parameters_label) if part)


def parse_file_name(name: str) -> ModelName:
    """Return what a file's or a repository's name says; never raises."""
    stem = _stem(PurePosixPath(name.replace("\\", "/")).name)
    part = _PART.search(stem)
    stem = _DOTTED.sub("-", _PART.sub("", stem))
    found = _ARCHITECTURE.search(stem) or _PLAIN.search(stem)
    if found is None:
        return ModelName(words=tuple(_words(stem)), part=part is not None)
    rest = stem[: found.start()] + "-" + stem[found.end() :]
    fields, words = _sort_words(rest)
    version = int(found[1])
    return ModelName(
        version=version,
        branch=found[2].lower(),
        family=_family(version, found[2].lower(), fields),
        parameters_label=fields.get("size", ""),
        release=fields.get("release", ""),
        date=fields.get("date", ""),
        context=int(fields.get("context", "0")),
        quantisation=fields.get("quantisation", ""),
        words=words,
        part=part is not None,
    )


def model_format(path: str) -> str:
    """Return "pth", "safetensors" or "gguf", or "" when the name is not that of weights."""
    return FORMATS.get(PurePosixPath(path).suffix.lower(), "")


def bits_of(quantisation: str) -> int:
    """Return how many bits a weight has by the name of its type; 0 when the name does not say."""
    found = re.search(r"\d+", quantisation)
    bits = int(found[0]) if found else 0
    return bits if 1 <= bits <= 32 else 0


def is_safe_path(path: str) -> bool:
    """Say whether a path from a hub stays inside its repository on every system."""
    parts = path.split("/")
    return (
        bool(path)
        and "\\" not in path
        and not any(part in ("", ".", "..") for part in parts)
        and not re.match(r"[a-z]:", path, re.I)
        and not any(ord(char) < 32 for char in path)
    )


def local_name(path: str) -> str:
    """Return the plain name under which a remote file may lie in the models folder.

    Only the last part of the path counts; what Windows forbids becomes "_", so that a models
    folder can be carried from one system to another.
    """
    name = _FORBIDDEN.sub("_", re.split(r"[/\\]", path)[-1]).strip(" .")
    if len(name) > _LONGEST_NAME:
        suffix = PurePosixPath(name).suffix[:16]
        name = name[: _LONGEST_NAME - len(suffix)] + suffix
    if not name:
        return "model"
    return f"_{name}" if name.split(".")[0].strip().lower() in _RESERVED else name


def _stem(name: str) -> str:
    return name[: -len(PurePosixPath(name).suffix)] if model_format(name) else name


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[-\s]+", text) if word.lower().strip("_") not in _NOT_WORDS]


def _sort_words(text: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Split a name into known fields and the words that are left."""
    fields: dict[str, str] = {}
    left: list[str] = []
    for word in _words(text):
        field, value = _classify(word)
        if not field or field in fields:
            left.append(word.lower())
        else:
            fields[field] = value
        if field == "world" and value:
            fields.setdefault("release", f"v{value}")
    return fields, tuple(left)


def _classify(word: str) -> tuple[str, str]:
    """Return which field a word is, and its value; ("", "") for none."""
    if found := _SIZE.fullmatch(word):
        label = f"{found[1]}{found[2].upper()}"
        return "size", _SAME_SIZE.get(label, label)
    if found := _SIZE_IN_ONE.fullmatch(word):
        return "size", f"{found[1]}.{found[2]}B"
    if _DATE.fullmatch(word):
        return "date", word
    if _CONTEXT_ALONE.fullmatch(word):
        return "context", word
    if found := _CONTEXT.fullmatch(word):
        return "context", str(int(found[1]) * (1024 if found[2] else 1))
    if _RELEASE.fullmatch(word):
        return "release", word.lower()
    if found := _WORLD.fullmatch(word):
        return "world", found[1] or ""
    if found := _WORLD_RELEASE.fullmatch(word):
        return "release", f"v{found[1]}"
    if _QUANTISATION.fullmatch(word):
        return "quantisation", word.upper()
    if word.lower() == "pile":
        return "pile", ""
    return "", ""


def _family(version: int, branch: str, fields: dict[str, str]) -> str:
    base = f"RWKV-{version}{branch}"
    release = fields.get("release", "")
    if release.startswith("g"):
        generation = re.match(r"g\d+", release)
        return f"{base} {generation[0].upper() if generation else ''}".strip()
    if "world" in fields:
        return f"{base} World"
    return f"{base} Pile" if "pile" in fields else base
