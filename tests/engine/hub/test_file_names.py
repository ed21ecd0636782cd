"""Names as they are found on the hub, and names that nobody should write to a disk."""

import pytest

from engine.hub.file_names import is_safe_path, local_name, parse_file_name


@pytest.mark.parametrize(
    ("name", "title", "release", "date", "context"),
    [
        ("rwkv7-g1d-0.1b-20260129-ctx8192.pth", "RWKV-7 G1 0.1B", "g1d", "20260129", 8192),
        ("rwkv7-g1a3-1.5b-20251015-ctx8192.pth", "RWKV-7 G1 1.5B", "g1a3", "20251015", 8192),
        ("rwkv7-g1-2.9b-20250519-ctx4096.pth", "RWKV-7 G1 2.9B", "g1", "20250519", 4096),
        ("rwkv7-g0a3-13.3b-20251031-ctx8k.pth", "RWKV-7 G0 13.3B", "g0a3", "20251031", 8192),
        (
            "RWKV-x070-World-0.4B-v2.9-20250107-ctx4096.pth",
            "RWKV-7 World 0.4B",
            "v2.9",
            "20250107",
            4096,
        ),
        ("RWKV/RWKV7-Goose-World2.8-0.1B-HF", "RWKV-7 World 0.1B", "v2.8", "", 0),
        ("fla-hub/rwkv7-191M-world", "RWKV-7 World 0.1B", "", "", 0),
        ("fla-hub/rwkv7-7.2B-g0a", "RWKV-7 G0 7.2B", "g0a", "", 0),
        ("shoumenchougou/RWKV7-G1e-13.3b-GGUF", "RWKV-7 G1 13.3B", "g1e", "", 0),
        ("WebRWKV/rwkv7-g1d-0.1b-20260129-ctx8192.st", "RWKV-7 G1 0.1B", "g1d", "20260129", 8192),
        (
            "rwkv7-0.4B-g1d-translate-20260607-ctx4096.pth",
            "RWKV-7 G1 Translate 0.4B",
            "g1d",
            "20260607",
            4096,
        ),
        ("RWKV-x070-Pile-168M-20241120-ctx4096.pth", "RWKV-7 Pile 168M", "", "20241120", 4096),
        ("rwkv7-g2-7.2b-20270101-ctx16384.pth", "RWKV-7 G2 7.2B", "g2", "20270101", 16384),
    ],
)
def test_the_name_says_what_it_is(name, title, release, date, context):
    parsed = parse_file_name(name)
    assert (parsed.title, parsed.release, parsed.date, parsed.context) == (
        title,
        release,
        date,
        context,
    )
    assert parsed.version == 7


def test_other_versions_and_branches_are_told_apart():
    assert parse_file_name("RWKV-x060-World-3B-v2.1-20240417-ctx4096.pth").version == 6
    assert parse_file_name("rwkv7a-g1b-0.1b-20250819-ctx4096.pth").branch == "a"
    assert parse_file_name("RWKV-5-World-1B5-v2-20231025-ctx4096.pth").version == 5
    assert parse_file_name("llama-3-8b.pth").version == 0


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("RWKV-x060-World-1B6-v2.1-20240328-ctx4096.pth", "RWKV-6 World 1.6B"),
        ("RWKV-5-World-1B5-v2-20231025-ctx4096.pth", "RWKV-5 World 1.5B"),
        ("RWKV-4-Pile-169M-20220807-8023.pth", "RWKV-4 Pile 169M"),
        ("RWKV-4-World-0.1B-v1-20230520-ctx4096.pth", "RWKV-4 World 0.1B"),
    ],
)
def test_older_generations(name, title):
    assert parse_file_name(name).title == title


def test_a_transformer_with_rwkv_in_its_name_is_none():
    assert parse_file_name("ARWKV-7B-Preview-0.1").version == 0
    assert parse_file_name("QRWKV6-32B-Instruct").version == 0


def test_quantisation_is_not_a_word():
    parsed = parse_file_name("rwkv7-g1e-13.3b-Q4_K_M-better_quantization-20260319.gguf")
    assert (parsed.quantisation, parsed.words) == ("Q4_K_M", ())
    assert parse_file_name("rwkv7-g1a-0.4b-FP16.gguf").quantisation == "FP16"
    dotted = parse_file_name("rwkv7-g1d-0.1b-20260129-ctx8192.Q5_K_M.gguf")
    assert (dotted.quantisation, dotted.title) == ("Q5_K_M", "RWKV-7 G1 0.1B")


@pytest.mark.parametrize(
    "name", ["", ".", "...", "-", "/", "rwkv", "✿.pth", "\ud800.pth", "ctx.pth"]
)
def test_any_name_is_parsed_without_an_error(name):
    parse_file_name(name)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../x.pth",
        "a/../../x.pth",
        "a//x.pth",
        "C:/x.pth",
        "c:x",
        "a\\..\\x",
        "x\n",
    ],
)
def test_paths_that_leave_the_repository_are_refused(path):
    assert not is_safe_path(path)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("gguf/a.gguf", "a.gguf"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("con.pth", "_con.pth"),
        ("LPT1", "_LPT1"),
        ("a:b?.pth", "a_b_.pth"),
        ("..", "model"),
        ("x.pth. ", "x.pth"),
        ("模型.pth", "模型.pth"),
    ],
)
def test_local_names_are_plain(path, name):
    assert local_name(path) == name


def test_a_long_name_keeps_its_suffix():
    name = local_name("x" * 400 + ".pth")
    assert len(name) <= 180
    assert name.endswith("x.pth")
