"""Reads a folder in the Hugging Face layout: config.json, weights in one file or in shards.

The weights are those files that the index or the layout's own names tell; nothing outside of the
folder is opened, except where the hub's cache keeps the files that its folders link to.
Knows folders and the configuration; the tensors' names are ``huggingface_names``' work.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.checkpoint.entries import FileTable, TensorEntry
from engine.checkpoint.huggingface_names import has_huggingface_names, plain_entries
from engine.checkpoint.small_json import lies_inside, read_small_json
from engine.checkpoint.sniff import check_is_file, read_table
from engine.checkpoint.storage import SourceFiles
from engine.checkpoint.vocabularies import folder_vocabulary
from engine.errors import DamagedFile, EngineError, UnsafeFile, UnsupportedModel

CONFIG = "config.json"
INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_WHOLE = ("model.safetensors", "pytorch_model.bin")
_SHARD = re.compile(r"(?:model|pytorch_model)-\d{5}-of-(\d{5})\.(?:safetensors|bin)", re.ASCII)
_CONFIG_BYTES = 1 << 18
_INDEX_BYTES = 4 << 20
_MOST_SHARDS = 1000
_MOST_VALUES = 20_000  # an index of 61 layers has 2,000
_BLOCK = re.compile(r"blocks\.(\d{1,6})\.", re.ASCII)
_DOWNLOAD = "Download the folder again, whole."


def folder_of(path: Path) -> Path | None:
    """Return the folder in this layout that a path stands for, or None.

    It stands for one if it is the folder, its config.json, its index, or one of its weight files
    beside a config.json.
    """
    if path.is_dir():
        return path if (path / CONFIG).is_file() or _index_of(path) else None
    if path.name == CONFIG or path.name in INDEXES:
        return path.parent
    is_beside_config = is_weight_file(path.name) and (path.parent / CONFIG).is_file()
    return path.parent if is_beside_config else None


def is_weight_file(name: str) -> bool:
    """Tell whether a file of this name holds weights in this layout."""
    return name in _WHOLE or _SHARD.fullmatch(name) is not None


def counts_in_folder(path: Path) -> bool:
    """Tell whether a file at this place is, or would be, weights of the model in its folder."""
    folder = folder_of(path.parent)
    if folder is None:
        return False
    try:
        names = weight_files(folder)
    except EngineError:  # incomplete: this may be what is missing
        names = []
    if is_weight_file(path.name) or path.name in names:
        return True
    is_alone = len(names) == 1 and not is_weight_file(names[0])  # taken because it is the only one
    return is_alone and path.suffix == ".safetensors"


def model_name(path: Path) -> str:
    """Return how people call a model: its file's or folder's name, or in the hub's cache the
    repository's, where the folder is named after a commit."""
    if not path.is_dir():
        return path.stem
    repository = path.parent.parent.name
    if path.parent.name == "snapshots" and repository.startswith("models--"):
        return repository.split("--", 2)[-1]
    return path.name


def read_folder(folder: Path) -> FileTable:
    """Return the table of the whole model, under BlinkDL's names.

    Raises DamagedFile, UnsafeFile, UnsupportedModel.
    """
    config = _read_config(folder)
    paths = [_inside(folder, name) for name in weight_files(folder)]
    with SourceFiles(paths) as files:
        tables = [_read_shard(files, i) for i in range(len(paths))]
    entries = _joined(tables, folder.name)
    if has_huggingface_names(entries):
        entries = plain_entries(entries, folder.name)
    if config.get("tie_word_embeddings") is True and "emb.weight" in entries:
        entries.setdefault("head.weight", replace(entries["emb.weight"], name="head.weight"))
    _check_config(config, entries, folder.name)
    rows = entries["emb.weight"].shape[0] if "emb.weight" in entries else 0
    return FileTable(
        "huggingface", entries, tuple(paths), tokenizer=folder_vocabulary(folder, rows)
    )


def _read_shard(files: SourceFiles, number: int) -> FileTable:
    path = files.paths[number]
    check_is_file(path)
    return read_table(files.file(number), path.name, files.size_bytes(number))


def _joined(tables: Iterable[FileTable], name: str) -> dict[str, TensorEntry]:
    """Return all shards' tensors, each with the number of its file."""
    entries: dict[str, TensorEntry] = {}
    for number, table in enumerate(tables):
        for key, entry in table.entries.items():
            if key in entries:
                raise DamagedFile(
                    f"{name} is damaged: two of its files hold {key[:80]}.", _DOWNLOAD
                )
            entries[key] = replace(entry, file=number)
    return entries


# Which files


def _index_of(folder: Path) -> Path | None:
    return next((folder / name for name in INDEXES if (folder / name).is_file()), None)


def weight_files(folder: Path) -> list[str]:
    """Return the names of the files that hold the weights. Raises DamagedFile, UnsafeFile."""
    if index := _index_of(folder):
        return _indexed_files(index)
    for name in _WHOLE:
        if (folder / name).is_file():
            return [name]
    shards = sorted(name for name in _names_in(folder) if _SHARD.fullmatch(name))
    if not shards:
        others = [name for name in _names_in(folder) if name.endswith(".safetensors")]
        if len(others) == 1:
            return others
        raise UnsupportedModel(
            f"The folder {folder.name} has a config.json and no weights in the Hugging Face layout "
            "(model.safetensors).",
            "Choose a model file inside it, or download the folder again, whole.",
        )
    match = _SHARD.fullmatch(shards[0])
    wanted = int(match[1]) if match else 0
    if len(shards) != wanted:
        raise DamagedFile(
            f"The folder {folder.name} is incomplete: {len(shards)} of {wanted} weight files are "
            "there.",
            _DOWNLOAD,
        )
    return shards


def _names_in(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError as error:
        raise DamagedFile(
            f"The folder {folder.name} cannot be read: {error.strerror or error}.",
            "Look whether you may read it and whether its drive is sound.",
        ) from error


def _indexed_files(index: Path) -> list[str]:
    places = _read_json(index, _INDEX_BYTES).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise DamagedFile(f"{index.name} does not say where the weights are.", _DOWNLOAD)
    names = sorted({str(name) for name in places.values()})
    if len(names) > _MOST_SHARDS:
        raise DamagedFile(f"{index.name} names {len(names):,} files, which no model has.")
    return names


def _inside(folder: Path, name: str) -> Path:
    """Return the path of a file that must lie in the folder, or in the hub's cache around it.

    Raises UnsafeFile for a name or a link that leads elsewhere, DamagedFile when it is missing.
    """
    path = folder / name
    if name in ("", ".", "..") or Path(name).name != name or "\\" in name or "\0" in name:
        raise UnsafeFile(
            f"The folder {folder.name} names a file outside of itself ({name[:80]!r}).",
            "Do not use it. Choose a model from its author.",
        )
    if not path.is_file():
        raise DamagedFile(f"The folder {folder.name} is incomplete: {name} is missing.", _DOWNLOAD)
    if not lies_inside(path, folder):
        raise UnsafeFile(
            f"{name} in the folder {folder.name} is a link to a file outside of it "
            f"({os.path.realpath(path)}).",
            "If you made this link, choose the folder that it leads to.",
        )
    return path


# The configuration


def _read_config(folder: Path) -> dict[str, Any]:
    """Return what config.json says, or {} without one; refuse other architectures by name."""
    if not (folder / CONFIG).exists():
        return {}
    config = _read_json(folder / CONFIG, _CONFIG_BYTES)
    kind = str(config.get("model_type", ""))[:40]
    classes = config.get("architectures")
    label = kind or (str(classes[0])[:40] if isinstance(classes, list) and classes else "")
    if kind and kind != "rwkv7":
        raise UnsupportedModel(f"The folder {folder.name} {_other_kind(label)}.", _CHOOSE_RWKV7)
    if config.get("attn"):
        raise UnsupportedModel(
            f"The folder {folder.name} is an RWKV-7 hybrid: some of its layers are attention.",
            _CHOOSE_RWKV7,
        )
    for key, value in _FORMULA.items():
        if config.get(key, value) != value:
            raise UnsupportedModel(
                f"The folder {folder.name} is a variant of RWKV-7: its config.json says {key} = "
                f"{str(config[key])[:40]}, where RWKV-7 has {value}.",
                _CHOOSE_RWKV7,
            )
    return config


_FORMULA = {"norm_eps": 1e-5, "layer_norm_epsilon": 1e-5, "norm_first": True}
"""What a configuration may say and every RWKV-7 has; tensors would not show another value."""

_CHOOSE_RWKV7 = "Choose an RWKV-7 model instead; the Models page lists them."


def _other_kind(kind: str) -> str:
    if kind in ("rwkv", "rwkv5", "rwkv6"):
        name = {"rwkv": "RWKV-4"}.get(kind, kind.upper().replace("V", "V-"))
        return f"is {name} in the Hugging Face layout; older generations run from their .pth"
    if "rwkv" in kind.lower():
        return f"is an RWKV hybrid ({kind}): RWKV-7 attention inside a Transformer"
    return f"is a model of the architecture {kind!r}, not RWKV"


def _check_config(config: Mapping[str, Any], entries: Mapping[str, TensorEntry], name: str) -> None:
    """Raise DamagedFile where the configuration and the tensors are of different models."""
    for key, found in _sizes(entries).items():
        said = config.get(key)
        if type(said) is int and said != found:
            raise DamagedFile(
                f"The folder {name} is inconsistent: its config.json says {key} = {said}, "
                f"and its weights have {found}.",
                _DOWNLOAD,
            )


def _sizes(entries: Mapping[str, TensorEntry]) -> dict[str, int]:
    """Return what the tensors show, by the names of config.json."""
    emb, key, r_k = (
        entries[name].shape if name in entries else ()
        for name in ("emb.weight", "blocks.0.ffn.key.weight", "blocks.0.att.r_k")
    )
    layers = {int(match[1]) for name in entries if (match := _BLOCK.match(name))}
    sizes = {"num_hidden_layers": max(layers, default=-1) + 1}
    if len(emb) == 2:
        sizes |= {"vocab_size": emb[0], "hidden_size": emb[1]}
    if len(key) == 2:
        sizes["intermediate_size"] = key[0]
    if len(r_k) == 2:
        sizes |= {"head_dim": r_k[1], "head_size": r_k[1]}
    return sizes


def _read_json(path: Path, limit_bytes: int) -> dict[str, Any]:
    """Return the table that a small JSON file holds. Raises DamagedFile."""
    try:
        return read_small_json(_inside(path.parent, path.name), limit_bytes, _MOST_VALUES)
    except (OSError, ValueError) as error:
        raise DamagedFile(
            f"{path.name} in {path.parent.name} cannot be read as a table.", _DOWNLOAD
        ) from error
