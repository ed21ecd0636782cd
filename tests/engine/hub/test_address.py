"""What people paste."""

import pytest

from engine.errors import EngineError
from engine.hub.address import Address, parse_address

MIRROR = "https://mirror.example"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("BlinkDL/rwkv7-g1", Address("BlinkDL/rwkv7-g1")),
        (" BlinkDL/rwkv7-g1/a.pth\n", Address("BlinkDL/rwkv7-g1", "a.pth")),
        ("hf://o/n/sub/a.pth", Address("o/n", "sub/a.pth")),
        ("https://huggingface.co/o/n", Address("o/n")),
        ("https://huggingface.co/o/n/tree/main", Address("o/n", "", "main")),
        ("https://hf.co/o/n/blob/main/a%20b.pth", Address("o/n", "a b.pth", "main")),
        (
            "https://huggingface.co/o/n/resolve/abc/s/a.pth?download=true",
            Address("o/n", "s/a.pth", "abc"),
        ),
        ("https://mirror.example/o/n/resolve/main/a.pth", Address("o/n", "a.pth", "main")),
    ],
)
def test_what_is_understood(text, address):
    assert parse_address(text, MIRROR) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rwkv",
        "a/../b/c",
        "o/n/../../x",
        "https://example.org/o/n",
        "https://huggingface.co/",
        "https://huggingface.co/datasets/o/n",
        "o/n\\x",
        "o o/n",
        "../etc",
        "https://[",
        "✿/✿",
    ],
)
def test_what_is_refused(text):
    with pytest.raises(EngineError) as caught:
        parse_address(text, MIRROR)
    assert caught.value.hint
