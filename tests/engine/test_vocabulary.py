import ast
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import DamagedFile, EngineError
from engine.vocabulary import parse_literal, read_vocabulary, world_vocabulary_path

SHA256 = "e6dee3d4e31b4d5c40ac99508ac6c701ceef4bed681bf2167ce9a908552bca89"


def test_the_world_file_is_the_one_that_was_described():
    # some releases of the package carry it with \r\n
    content = world_vocabulary_path().read_bytes().replace(b"\r\n", b"\n")
    assert hashlib.sha256(content).hexdigest() == SHA256


def test_the_fast_reading_equals_literal_eval_on_the_world_file():
    expected = {}
    for line in world_vocabulary_path().read_text("utf-8").split("\n")[:-1]:
        number, literal = line[: line.index(" ")], line[line.index(" ") + 1 : line.rindex(" ")]
        value = ast.literal_eval(literal)
        expected[int(number)] = value.encode() if isinstance(value, str) else value
    assert read_vocabulary(world_vocabulary_path()) == expected


@given(st.one_of(st.text(min_size=1), st.binary(min_size=1)))
def test_any_literal_is_read_as_python_would(value):
    expected = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    assert parse_literal(repr(value)) == expected


@pytest.mark.parametrize(
    "literal", ["", "'", "''x", "'a'b'", "x'a'", "b'é'", "f'a'", "__import__('os')", "1", "'a", "b"]
)
def test_no_literal_is_an_error_never_code(literal):
    with pytest.raises((ValueError, SyntaxError)):
        parse_literal(literal)


def test_finding_the_file_does_not_import_the_package():
    program = (
        "import sys; from engine.vocabulary import world_vocabulary_path as w; w();"
        "assert 'rwkv' not in sys.modules and 'torch' not in sys.modules"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", program], check=True, cwd=root, timeout=30)


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def single_bytes() -> list[str]:
    return [f"{byte + 1} {bytes((byte,))!r} 1" for byte in range(256)]


def test_a_small_vocabulary_of_the_same_format(tmp_path):
    path = write(tmp_path / "small.txt", [*single_bytes(), "257 'ab' 2", "258 ' \\u4e2d' 4"])
    tokens = read_vocabulary(path)
    assert len(tokens) == 258
    assert tokens[258] == " 中".encode()


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("257 'ab' 3", "Line 257"),
        ("257 '' 0", "Line 257"),
        ("257 open('x') 1", "Line 257"),
        ("nonsense", "Line 257"),
        ("0 'ab' 2", "id 0"),
        ("257 'a' 1", "twice"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, word):
    with pytest.raises(DamagedFile, match=word):
        read_vocabulary(write(tmp_path / "bad.txt", [*single_bytes(), line]))


def test_a_missing_byte_a_missing_file_and_a_binary_file(tmp_path):
    with pytest.raises(DamagedFile, match="256 single bytes"):
        read_vocabulary(write(tmp_path / "short.txt", single_bytes()[:-1]))
    with pytest.raises(EngineError, match=r"gone\.txt"):
        read_vocabulary(tmp_path / "gone.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DamagedFile, match="UTF-8"):
        read_vocabulary(tmp_path / "binary.txt")
