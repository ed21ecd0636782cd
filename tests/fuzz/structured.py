"""Inputs that are sound as containers and wrong in what they say: each format's own lies."""

import io
import json
import re
import sqlite3
import struct
import zipfile
from collections.abc import Callable
from contextlib import closing, suppress

from tests.fuzz.case import Case, Content, Link, Pipe
from tests.fuzz.lying_gguf import gguf, gguf_many, gguf_more
from tests.fuzz.mutate import Rng, number, odd, odd_json
from tests.fuzz.seeds import CHATS, packed_header, packed_said, seeds

_WHEN = (2020, 1, 1, 0, 0, 0)
PICKLE_PIECES = (
    b"(", b"}", b"]", b")", b"t", b"\x85", b"\x86", b"\x87", b"u", b"s", b"e", b"a", b"R", b"Q",
    b"b", b"0", b"2", b"N", b"\x88", b"\x93", b"\x94", b"q\x00", b"h\x00", b"K\x01",
    b"J\xff\xff\xff\xff",
    b"\x8a\xff" + b"\x7f" * 255, b"\x8a\x08" + b"\xff" * 7 + b"\x7f", b"ctorch\nFloatStorage\n",
    b"ctorch._utils\n_rebuild_tensor_v2\n", b"ccollections\nOrderedDict\n", b"cos\nsystem\n",
    b"cbuiltins\nexec\n", b"X\x04\x00\x00\x00a\xed\xa0\x80", b"X\xff\xff\xff\xff", b"\x8c\x01k",
    b"\x8d" + b"\xff" * 8, b"B\xff\xff\xff\x7f", b"r\xff\xff\xff\xff", b"j\xff\xff\xff\xff", b".",
)  # fmt: skip

Make = Callable[[Rng], tuple[dict[str, Content], str]]


def structured(reader: str, rng: Rng) -> Case:
    """Return an input for a reader."""
    files, kind = rng.choice(_MAKERS[reader])(rng)
    main = "" if reader in ("folder", "packed", "persona", "archive") else next(iter(files))
    return Case(files, main, (kind,))


def pick(reader: str, rng: Rng) -> dict[str, Content]:
    """Return a copy of one of the reader's seeds."""
    return dict(rng.choice(seeds(reader)))


def _only(data: bytes, reader: str, rng: Rng) -> dict[str, Content]:
    return {next(iter(rng.choice(seeds(reader)))): data}


# safetensors


def split_header(data: bytes) -> tuple[dict, bytes]:
    """Return a safetensors file's header and what follows it."""
    size = struct.unpack_from("<Q", data)[0]
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def header_lies(data: bytes, rng: Rng) -> bytes:
    """Return a safetensors file with another header, its length as it should be or not."""
    header, rest = split_header(data)
    kind = rng.random()
    if kind < 0.3:
        raw = _moved(header, rng)
    elif kind < 0.4:
        raw = b'{"a":' + b"[" * 3000
    elif kind < 0.45:
        raw = b'{"a":[' + b"[]," * rng.choice((1000, 200_000)) + b"[]]}"
    else:
        raw = odd_json(header, rng, rng.choice((1, 2, 8)))
    size = len(raw) if rng.random() < 0.8 else number(rng) % (1 << 64)
    return struct.pack("<Q", size) + raw + rest


def _moved(header: dict, rng: Rng) -> bytes:
    """Let one tensor lie somewhere else, have another shape, or another name."""
    name = rng.choice([n for n in header if n != "__metadata__"])
    kind = rng.choice(("data_offsets", "shape", "dtype", "name"))
    if kind == "name":
        header[str(rng.choice(list(header))) + rng.choice(("", "x", "\ud800"))] = header.pop(name)
    elif kind == "dtype":
        header[name][kind] = rng.choice(("F64", "I8", "BF16", "F8_E4M3", "F4", "C64", "BOOL", "?"))
    elif kind == "shape":
        header[name][kind] = [rng.choice((0, 1, 2, 64, -1, 2**31, 2**62)) for _ in range(4)]
    else:
        header[name][kind] = [number(rng), number(rng)]
    return json.dumps(header).encode()


def _safetensors(reader: str) -> Make:
    def make(rng: Rng) -> tuple[dict[str, Content], str]:
        whole = [f for f in seeds(reader) if _is_safetensors(next(iter(f.values())))]
        files: dict[str, Content] = dict(rng.choice(whole))
        for name, data in files.items():
            if isinstance(data, bytes) and _is_safetensors(data):
                files[name] = header_lies(data, rng)
        return files, "header"

    return make


def _is_safetensors(data: Content) -> bool:
    return isinstance(data, bytes) and data[8:9] == b"{"


# .pth


def _archives(reader: str) -> list[dict[str, bytes]]:
    return [f for f in seeds(reader) if next(iter(f.values()))[:2] == b"PK"]


def repacked(data: bytes, change: Callable[[str, bytes], bytes], **how) -> bytes:  # type: ignore[no-untyped-def]
    """Return an archive whose members went through ``change``, their checksums right."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", **how) as new:
        for name in old.namelist():
            info = zipfile.ZipInfo(name, _WHEN)
            new.writestr(info, change(name, old.read(name)), how.get("compression"))
    return out.getvalue()


def _program(data: bytes, rng: Rng) -> bytes:
    """Return a pickle with instructions put in, taken out or changed."""
    made = bytearray(data)
    for _ in range(rng.choice((1, 2, 5, 30))):
        at = rng.randrange(len(made))
        kind = rng.random()
        piece = rng.choice(PICKLE_PIECES) * rng.choice((1, 1, 1, 1, 50, 5000))
        if kind < 0.3:
            made[at:at] = piece
        elif kind < 0.6:
            made[at : at + len(piece)] = piece
        elif kind < 0.8:
            made[at] = rng.randrange(256)
        else:
            del made[at : at + rng.choice((1, 2, 5))]
    return bytes(made)


def _pickled(reader: str) -> Make:
    def make(rng: Rng) -> tuple[dict[str, Content], str]:
        seed = rng.choice(_archives(reader))
        name, data = next(iter(seed.items()))

        def change(member: str, old: bytes) -> bytes:
            return _program(old, rng) if member.endswith("data.pkl") else old

        return {name: repacked(data, change)}, "pickle"

    return make


def _bomb(reader: str) -> Make:
    def make(rng: Rng) -> tuple[dict[str, Content], str]:
        seed = rng.choice(_archives(reader))
        name, data = next(iter(seed.items()))
        size = rng.choice((1 << 16, 1 << 16, 1 << 20, 30 << 20))

        def change(member: str, old: bytes) -> bytes:
            return old + b"\0" * size if member.endswith(target) else old

        target = rng.choice(("data.pkl", "data/0", "byteorder", "version"))
        return {name: repacked(data, change, compression=zipfile.ZIP_DEFLATED)}, "bomb"

    return make


def _directory(reader: str) -> Make:
    """Change numbers of the table of contents, zip64 ones too."""

    def make(rng: Rng) -> tuple[dict[str, Content], str]:
        seed = rng.choice(_archives(reader))
        name, data = next(iter(seed.items()))
        made = bytearray(data)
        marks = [m.start() for m in re.finditer(rb"PK[\1\3\5\6][\2\4\6\7]", made)]
        for _ in range(rng.choice((1, 1, 3))):
            at = rng.choice(marks) + rng.randrange(4, 60)
            size, letter = rng.choice(((2, "<H"), (4, "<I"), (8, "<Q")))
            made[at : at + size] = struct.pack(letter, number(rng) % (1 << 8 * size))
        return {name: bytes(made)}, "directory"

    return make


def _zip64(reader: str) -> Make:
    """Give a member sizes or a place of 64 bits."""

    def make(rng: Rng) -> tuple[dict[str, Content], str]:
        seed = rng.choice(_archives(reader))
        name, data = next(iter(seed.items()))
        central = data.rfind(b"PK\1\2", 0, data.rfind(b"PK\1\2") - rng.randrange(2000))
        central = data.find(b"PK\1\2") if central < 0 else central
        head = bytearray(data[central : central + 46])
        name_bytes, extra_bytes = struct.unpack_from("<HH", head, 28)
        extra = struct.pack("<HHQQQ", 1, 24, *(number(rng) % (1 << 64) for _ in range(3)))
        struct.pack_into("<II", head, 20, 2**32 - 1, 2**32 - 1)
        struct.pack_into("<H", head, 30, len(extra))
        struct.pack_into("<I", head, 42, 2**32 - 1)
        after = central + 46 + name_bytes
        made = (
            data[:central] + head + data[central + 46 : after] + extra + data[after + extra_bytes :]
        )
        end = made.rfind(b"PK\5\6")
        size = struct.unpack_from("<I", made, end + 12)[0] + len(extra) - extra_bytes
        patched = bytearray(made)
        struct.pack_into("<I", patched, end + 12, size % 2**32)
        return {name: bytes(patched)}, "zip64"

    return make


def _crowd(reader: str) -> Make:
    def make(rng: Rng) -> tuple[dict[str, Content], str]:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr(zipfile.ZipInfo("x/data.pkl", _WHEN), b"\x80\x02}.")
            for i in range(rng.choice((10, 100, 100, 3000, 9000))):
                archive.writestr(zipfile.ZipInfo(f"x/data/{i}", _WHEN), b"")
        return _only(out.getvalue(), reader, rng), "crowd"

    return make


# Folders


def _config(rng: Rng) -> tuple[dict[str, Content], str]:
    files = pick("folder", rng)
    name = rng.choice([n for n in files if n.endswith(".json")])
    said = json.loads(files[name])  # type: ignore[arg-type]
    for key in ("norm_eps", "model_type", "architectures", "attn", "norm_first"):
        if name == "config.json" and rng.random() < 0.2:
            said[key] = odd(rng)
    files[name] = odd_json(said, rng, rng.choice((0, 1, 1, 3)))
    return files, f"json {name}"


def _places(rng: Rng) -> tuple[dict[str, Content], str]:
    """An index that leads elsewhere, and things that are no files where files should be."""
    files = pick("folder", rng)
    name = rng.choice([*files, "tokenizer.json", "vocab.json", "vocab.txt", "model.safetensors",
                       "model.safetensors.index.json", "config.json"])  # fmt: skip
    files[name] = rng.choice(
        (Link("/dev/zero"), Link("/etc/passwd"), Link("../outside"), Link(name),
         Link("config.json"),
         Link("/dev/stdin"), Link("/proc/self/environ"), Link("/proc/self/mem"),
         Link("."), Pipe(), b"", b"{}")
    )  # fmt: skip
    return files, f"place {name}"


def _index(rng: Rng) -> tuple[dict[str, Content], str]:
    files = pick("folder", rng)
    where = rng.choice(
        ("../x", "/etc/passwd", "..", "", "a/b.safetensors", "a\\b", "\0", "\ud800", "x" * 300,
         "config.json", "model.safetensors.index.json", "CON", "model.safetensors")
    )  # fmt: skip
    many = {f"t{i}": f"{i}.safetensors" for i in range(rng.choice((1, 5, 2000, 60_000)))}
    places = rng.choice(({"emb.weight": where}, many, {"a": where, "b": "model.safetensors"}))
    files["model.safetensors.index.json"] = json.dumps({"weight_map": places}).encode()
    return files, "index"


def _shards(rng: Rng) -> tuple[dict[str, Content], str]:
    """Shards with another header, of another format, or one in place of another."""
    files = pick("folder", rng)
    weights = [n for n in files if _is_safetensors(files[n])]
    if not weights:
        return files, "none"
    name = rng.choice(weights)
    data = files[name]
    assert isinstance(data, bytes)
    others = (header_lies(data, rng), files[rng.choice(weights)], *seeds("gguf")[0].values(),
              *seeds("pth")[0].values(), *seeds("state")[0].values())  # fmt: skip
    files[name] = rng.choice(others)
    return files, "shards"


# Packed weights, personas, vocabularies


def _packed(rng: Rng) -> tuple[dict[str, Content], str]:
    name, data = next(iter(seeds("packed")[0].items()))
    try:
        said = json.loads(odd_json(packed_said(), rng, 1))
    except RecursionError:
        said = packed_said()
    if rng.random() < 0.3 and isinstance(said, dict):
        said["sources"] = [rng.choice(("\0", "", "\ud800", "/dev/zero", "x" * 5000))]
    try:
        page = packed_header(said)
    except (ValueError, RecursionError):
        page = data[:16384]
    body = data[16384:] if rng.random() < 0.7 else b""
    return {name: page[:16384] + body, "y.packed": page + body}, "packed header"


def _personas(rng: Rng) -> tuple[dict[str, Content], str]:
    files: dict[str, Content] = {}
    for name, data in pick("persona", rng).items():
        assert isinstance(data, bytes)
        files[name] = header_lies(data, rng)
    return files, "persona header"


_ROWS = (
    ("checkpoint", "file", ("../x", "/etc/passwd", "", ".", "..", "a/b", "a\0b", "x" * 5000)),
    ("checkpoint", "position", (-1, 0, 2**62, -(2**63))),
    ("checkpoint", "size_bytes", (-1, 2**62, 2**63 - 1)),
    ("checkpoint", "last_used", (float("inf"), -1e300)),
    ("checkpoint", "node", (1, 7)),
    ("node", "parent", (1, 2, 7)),
    ("node", "tokens", (b"", b"\xff", b"\xff" * 4001)),
    ("node", "stats", ("", "[]", "1e999", "[" * 5000, '{"a":', "null")),
    ("node", "text", ("", "\0", "word " * 20_000)),
    ("node", "created", (float("inf"), -1e300)),
    ("node", "deleted", (1, 7)),
    ("conversation", "settings", ("", "[]", "1e999", "[" * 5000, '{"a":', "null")),
    ("conversation", "current_node", (None, 1, 7)),
    ("conversation", "updated", (float("inf"), -1e300)),
)
_STATEMENTS = (
    "PRAGMA user_version=0", "PRAGMA user_version=9", "PRAGMA user_version=-1",
    "DROP TABLE checkpoint", "DROP TABLE node_words", "DROP TRIGGER node_removed",
    "ALTER TABLE node RENAME COLUMN stats TO other", "ALTER TABLE checkpoint ADD COLUMN more",
    "CREATE TRIGGER x AFTER UPDATE ON node BEGIN UPDATE node SET text=text||text; END",
    "INSERT INTO node_words(node_words) VALUES ('delete-all')", "DELETE FROM node",
    "UPDATE conversation SET deleted=1", "PRAGMA page_size=512; VACUUM",
)  # fmt: skip


def _rows(rng: Rng) -> tuple[dict[str, Content], str]:
    """Chats whose rows say what no Skein has written."""
    files = pick("archive", rng)
    whole = files[CHATS]
    assert isinstance(whole, bytes)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        database.deserialize(whole[:18] + b"\1\1" + whole[20:])  # not in WAL mode, for this
        for _ in range(rng.choice((1, 1, 3))):
            table, column, values = rng.choice(_ROWS)
            with suppress(sqlite3.Error):  # another change has taken what this one needs
                if rng.random() < 0.3:
                    database.executescript(rng.choice(_STATEMENTS))
                else:
                    database.execute(f"UPDATE {table} SET {column}=?", (rng.choice(values),))
        files[CHATS] = database.serialize()
    if rng.random() < 0.2:
        files[CHATS + ".suspect"] = b""
    return files, "rows"


def _kept(rng: Rng) -> tuple[dict[str, Content], str]:
    """A kept state whose header lies, or that is none."""
    files = pick("archive", rng)
    name = next(name for name in files if name != CHATS)
    data = files[name]
    assert isinstance(data, bytes)
    files[name] = rng.choice((Link("/dev/zero"), Link("."), Pipe(), *[header_lies(data, rng)] * 9))
    return files, "kept state"


def _words(rng: Rng) -> tuple[dict[str, Content], str]:
    """Lines of a vocabulary that are no lines of one."""
    files = dict(seeds("vocabulary")[0])
    lines = files["vocabulary.txt"].decode("utf-8", "surrogateescape").split("\n")
    for _ in range(rng.choice((1, 3))):
        literal = rng.choice(
            ("(" * 900, "-" * 5000 + "1", "'a' 'b'", "f'{1}'", "b'\\q'", "'\\ud800'", "'\\N{DASH}'",
             "1+" * 3000 + "1", "[" * 80 + "]" * 80, "'''a'''", "u'a'", "rb'a'", "'\\x1'",
             "__import__('os')",
             "'\\777'", "{1:2}", "9" * 5000, "b'\\u1234'", "'\\\n'")
        )  # fmt: skip
        head = rng.choice(("300", "-1", "1", "9" * 5000, "2000000000", "٣", "1_0"))
        lines.insert(
            rng.randrange(len(lines)), f"{head} {literal} {rng.choice((1, 2, -1, len(literal)))}"
        )
    return {"vocabulary.txt": "\n".join(lines).encode("utf-8", "surrogateescape")}, "words"


def _letters(rng: Rng) -> tuple[dict[str, Content], str]:
    files: dict[str, Content] = dict(rng.choice(seeds("vocabulary")[1:]))
    name, data = next(iter(files.items()))
    return {name: odd_json(json.loads(data), rng, rng.choice((1, 3)))}, "letters"  # type: ignore[arg-type]


_ZIPPED = (_pickled, _pickled, _pickled, _directory, _zip64, _bomb, _crowd)
_MAKERS: dict[str, tuple[Make, ...]] = {
    "pth": tuple(make("pth") for make in _ZIPPED),
    "safetensors": (_safetensors("safetensors"),),
    "gguf": (gguf, gguf, gguf_more, gguf_more, gguf_many),
    "folder": (_config, _config, _places, _index, _shards),
    "lora": (*(make("lora") for make in _ZIPPED), _safetensors("lora"), _safetensors("lora")),
    "state": (*(make("state") for make in _ZIPPED), *[_safetensors("state")] * 6),
    "packed": (_packed,),
    "persona": (_personas,),
    "vocabulary": (_words, _letters),
    "archive": (_rows, _rows, _kept),
}
