"""Reads the pickle inside a .pth as data: no class is looked up and no function is called.

A pickle is a program for a small stack machine. This one knows only the instructions and the
few names that ``torch.save`` writes for tensors; each name becomes an inert record. Anything
else is refused before it could matter, so that opening a file never runs what is in it, and
damaged or hostile ones cannot take more memory than a small multiple of their own size.
Knows nothing of archives, files or models.
"""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""The number that torch.save of 2019 and earlier wrote first."""


class BadPickle(Exception):
    """The bytes are not a pickle that torch.save writes for tensors."""


class ForbiddenName(Exception):
    """The pickle asks for something that is not a tensor; ``args[0]`` is its dotted name."""


class Storage(NamedTuple):
    """A run of elements kept in another member of the archive."""

    key: str
    dtype: str
    elements: int


class TensorView(NamedTuple):
    """A tensor's place in its storage; offset and strides in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Name:
    """A name that the pickle may use, not what it means to Python."""

    text: str


_STORAGE_TYPES = {
    "torch.BFloat16Storage": "bf16",
    "torch.HalfStorage": "fp16",
    "torch.FloatStorage": "fp32",
    "torch.DoubleStorage": "fp64",
    "torch.CharStorage": "int8",
    "torch.ByteStorage": "uint8",
    "torch.ShortStorage": "int16",
    "torch.IntStorage": "int32",
    "torch.LongStorage": "int64",
    "torch.BoolStorage": "bool",
    "torch.ComplexFloatStorage": "complex64",
    "torch.ComplexDoubleStorage": "complex128",
}
_ORDERED_DICT = "collections.OrderedDict"
_TENSOR = "torch._utils._rebuild_tensor_v2"
_PARAMETER = "torch._utils._rebuild_parameter"
_ALLOWED = frozenset({_ORDERED_DICT, _TENSOR, _PARAMETER, *_STORAGE_TYPES})

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_<]\w*>?)*", re.ASCII)
_MOST_OBJECTS = 100_000  # 61 layers have 20,000
_MOST_DIMENSIONS = 16
_SIZES = range(-(1 << 63), 1 << 63)  # what torch can count; larger ones take long to multiply
_MARK = object()
_STOP, _BINPUT, _LONG_BINPUT, _BINGET = b".qrh"
_u32 = struct.Struct("<I").unpack_from


def read_pickle(data: bytes) -> Any:  # noqa: ANN401 - any tree of plain values
    """Return what ``data`` holds, as dicts, lists, tuples, plain values and ``TensorView``.

    Raises BadPickle for what is no such pickle, ForbiddenName for one that wants more.
    """
    return read_pickles(data, 1)[0][0]


def read_pickles(data: bytes, count: int) -> tuple[list[Any], int]:
    """Return what each of the first pickles in ``data`` holds, and where the last one ends.

    Raises as ``read_pickle``.
    """
    found, at = [], 0
    try:
        for _ in range(count):
            machine = _Machine(data, at)
            found.append(machine.run())
            at = machine.at
    except (IndexError, struct.error, UnicodeDecodeError, OverflowError) as error:
        raise BadPickle("it ends early or is garbled") from error
    return found, at


class _Machine:
    """The stack machine: ``data`` is the program, ``at`` the next byte to read."""

    __slots__ = ("at", "data", "made", "memo", "stack")

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.made = 0

    def run(self) -> Any:  # noqa: ANN401 - as read_pickle
        """Obey the program to its end. Half of all instructions are the three spelled out here."""
        data, stack, memo, operations = self.data, self.stack, self.memo, _OPERATIONS
        at = self.at
        while (code := data[at]) != _STOP:
            if code == _BINPUT:
                memo[data[at + 1]] = stack[-1]
                at += 2
            elif code == _BINGET:
                if data[at + 1] not in memo:
                    _garbled()
                stack.append(memo[data[at + 1]])
                at += 2
            elif code == _LONG_BINPUT:
                memo[_u32(data, at + 1)[0]] = stack[-1]
                at += 5
            elif (operation := operations[code]) is not None:
                self.at = at + 1
                operation(self)
                at = self.at
            else:
                raise BadPickle(f"instruction {code:#04x} does not belong in a checkpoint")
        self.at = at + 1
        return stack.pop()

    # Reading the program

    def take(self, count: int) -> bytes:
        end = self.at + count
        if count < 0 or end > len(self.data):
            raise BadPickle("it ends early")
        piece = self.data[self.at : end]
        self.at = end
        return piece

    def line(self) -> str:
        end = self.data.find(b"\n", self.at, self.at + 1000)
        if end < 0:
            raise BadPickle("a name in it has no end")
        text = self.data[self.at : end].decode("utf-8")
        self.at = end + 1
        return text

    # Work on the stack

    def push_new(self, made: Any) -> None:  # noqa: ANN401 - dict, list, tuple or record
        """Push what takes far more memory than the instruction that makes it."""
        self.made += 1
        if self.made > _MOST_OBJECTS:
            raise BadPickle("it makes more objects than any model needs")
        self.stack.append(made)

    def pop_to_mark(self) -> list[Any]:
        stack = self.stack
        for i in range(len(stack) - 1, -1, -1):
            if stack[i] is _MARK:
                items = stack[i + 1 :]
                del stack[i:]
                return items
        raise BadPickle("a list in it has no beginning")

    def push_name(self, module: str, name: str) -> None:
        text = f"{module}.{name}"
        if not _IDENTIFIER.fullmatch(text):
            raise BadPickle("a name in it is garbled")
        if text not in _ALLOWED:
            raise ForbiddenName(text)
        self.stack.append(_Name(text))


def _garbled() -> NoReturn:
    raise BadPickle("it is garbled")


# Instructions that need more than one expression. Names are those of the pickle protocol.


def _tuple(m: _Machine) -> None:
    m.push_new(tuple(m.pop_to_mark()))


def _short_tuple(size: int) -> Callable[[_Machine], None]:
    def operation(m: _Machine) -> None:
        if len(m.stack) < size:
            _garbled()
        made = tuple(m.stack[-size:])
        del m.stack[-size:]
        m.push_new(made)

    return operation


def _set_items(m: _Machine) -> None:
    _put_items(m, m.pop_to_mark())


def _set_item(m: _Machine) -> None:
    items = m.stack[-2:]
    del m.stack[-2:]
    _put_items(m, items)


def _put_items(m: _Machine, items: list[Any]) -> None:
    target = m.stack[-1]
    if type(target) is not dict or len(items) % 2:
        _garbled()
    for key, value in zip(items[::2], items[1::2], strict=True):
        # Only keys whose hash is cheap: a nest of tuples takes exponential time to hash.
        if type(key) not in (str, int):
            _garbled()
        target[key] = value


def _append_all(m: _Machine) -> None:
    items = m.pop_to_mark()
    target = m.stack[-1]
    if type(target) is not list:
        _garbled()
    target.extend(items)


def _append(m: _Machine) -> None:
    item = m.stack.pop()
    target = m.stack[-1]
    if type(target) is not list:
        _garbled()
    target.append(item)


def _global(m: _Machine) -> None:
    module = m.line()
    m.push_name(module, m.line())


def _stack_global(m: _Machine) -> None:
    name = m.stack.pop()
    module = m.stack.pop()
    if type(name) is not str or type(module) is not str:
        _garbled()
    m.push_name(module, name)


def _persistent(m: _Machine) -> None:
    """('storage', type, key, device, element count): the place of a tensor's data."""
    record = m.stack.pop()
    if type(record) is not tuple or len(record) < 5 or record[0] != "storage":
        _garbled()
    _, kind, key, _, count = record[:5]
    if type(kind) is not _Name or type(key) is not str or type(count) is not int:
        _garbled()
    if count not in _SIZES:
        _garbled()
    dtype = _STORAGE_TYPES.get(kind.text)
    if dtype is None:
        _garbled()
    m.push_new(Storage(key, dtype, count))


def _reduce(m: _Machine) -> None:
    """Where pickle would call something: only the three harmless ones are understood."""
    arguments = m.stack.pop()
    name = m.stack.pop()
    if type(name) is not _Name or type(arguments) is not tuple:
        _garbled()
    if name.text == _TENSOR:
        m.push_new(_tensor(arguments))
    elif name.text == _ORDERED_DICT and not arguments:
        m.push_new({})
    elif name.text == _PARAMETER and arguments:
        m.stack.append(arguments[0])
    else:
        _garbled()


def _tensor(arguments: tuple[Any, ...]) -> TensorView:
    if len(arguments) < 4:
        _garbled()
    storage, offset, shape, strides = arguments[:4]
    if type(storage) is not Storage or type(shape) is not tuple or type(strides) is not tuple:
        _garbled()
    if {*map(type, shape), *map(type, strides), type(offset)} != {int}:
        _garbled()
    if len(shape) != len(strides) or len(shape) > _MOST_DIMENSIONS:
        _garbled()
    if not all(size in _SIZES for size in (offset, *shape, *strides)):
        _garbled()
    return TensorView(storage, offset, shape, strides)


def _build(m: _Machine) -> None:
    """Where pickle would set attributes: an OrderedDict's ``_metadata`` is not wanted here."""
    m.stack.pop()
    if type(m.stack[-1]) is not dict:
        _garbled()


def _recall(m: _Machine) -> None:
    (index,) = _u32(m.data, m.at)
    m.at += 4
    if index not in m.memo:
        _garbled()
    m.stack.append(m.memo[index])


def _long(m: _Machine) -> None:
    m.stack.append(int.from_bytes(m.take(m.take(1)[0]), "little", signed=True))


def _text(layout: str) -> Callable[[_Machine], None]:
    size = _number(layout)

    def operation(m: _Machine) -> None:
        m.stack.append(m.take(size(m)).decode("utf-8", "surrogatepass"))

    return operation


def _raw(layout: str) -> Callable[[_Machine], None]:
    size = _number(layout)
    return lambda m: m.stack.append(m.take(size(m)))


def _value(layout: str) -> Callable[[_Machine], None]:
    value = _number(layout)
    return lambda m: m.stack.append(value(m))


def _number(layout: str) -> Callable[[_Machine], int]:
    """Return what reads one number from the program; past its end that is a struct.error."""
    packed = struct.Struct(layout)
    unpack, size = packed.unpack_from, packed.size

    def read(m: _Machine) -> int:
        (value,) = unpack(m.data, m.at)
        m.at += size
        return value

    return read


def _operations() -> tuple[Callable[[_Machine], Any] | None, ...]:
    known: dict[bytes, Callable[[_Machine], Any]] = {
        b"\x80": lambda m: m.take(1),  # PROTO
        b"\x95": lambda m: m.take(8),  # FRAME
        b"(": lambda m: m.stack.append(_MARK),
        b"0": lambda m: m.stack.pop(),
        b"N": lambda m: m.stack.append(None),
        b"\x88": lambda m: m.stack.append(True),
        b"\x89": lambda m: m.stack.append(False),
        b"}": lambda m: m.push_new({}),
        b"]": lambda m: m.push_new([]),
        b")": lambda m: m.stack.append(()),
        b"K": _value("<B"),
        b"M": _value("<H"),
        b"J": _value("<i"),
        b"G": _value(">d"),
        b"\x8a": _long,
        b"X": _text("<I"),
        b"\x8c": _text("<B"),
        b"\x8d": _text("<Q"),
        b"U": _raw("<B"),
        b"C": _raw("<B"),
        b"B": _raw("<I"),
        b"\x85": _short_tuple(1),
        b"\x86": _short_tuple(2),
        b"\x87": _short_tuple(3),
        b"t": _tuple,
        b"u": _set_items,
        b"s": _set_item,
        b"e": _append_all,
        b"a": _append,
        b"\x94": lambda m: m.memo.update({len(m.memo): m.stack[-1]}),
        b"j": _recall,
        b"c": _global,
        b"i": _global,  # INST: names a class as GLOBAL does; what follows is never reached
        b"\x93": _stack_global,
        b"Q": _persistent,
        b"R": _reduce,
        b"b": _build,
    }
    return tuple(known.get(bytes([code])) for code in range(256))


_OPERATIONS = _operations()
