"""The settings file: what the user wrote stays, what is bad is defaulted, a kill harms nothing."""

import logging
import subprocess
import sys
import tomllib
from dataclasses import replace

import pytest

from engine.settings import Settings, SettingsFile, load, problem_with


@pytest.fixture
def file(folders) -> SettingsFile:
    return SettingsFile(folders.settings_file)


def test_no_file_means_defaults(file):
    assert file.load() == Settings()
    assert not file.path.exists()


def test_everything_round_trips(file):
    changed = Settings(
        language="ja",
        theme="dark",
        text_scale=1.5,
        model_folders=("/a b", "D:\\models", "模型"),
        state_budget_bytes=10**10,
        strategies={"a1b2": "cuda fp16 *20 -> cpu fp32", 'odd "key"': "cpu fp32"},
        last_conversation=7,
    )
    file.save(changed)
    assert file.load() == load(file.path) == changed
    file.save(Settings())
    assert file.load() == Settings()


def test_only_what_differs_is_written(file):
    file.save(replace(Settings(), theme="dark"))
    assert tomllib.loads(file.path.read_text("utf-8")) == {"version": 1, "theme": "dark"}


def test_comments_order_and_unknown_keys_survive(file):
    file.path.write_text(
        "# mine\nversion = 1\nfuture = [1, 2] # later\ntheme = 'light' # bright\n\n"
        "[strategies]\nabc = 'cpu fp32'\n\n[plugin]\nx = 1\n",
        "utf-8",
    )
    settings = file.load()
    file.save(replace(settings, theme="dark", language="zh_CN", last_conversation=4))
    text = file.path.read_text("utf-8")
    for kept in ("# mine", "future = [1, 2] # later", "# bright", "[plugin]\nx = 1"):
        assert kept in text
    assert file.load() == replace(settings, theme="dark", language="zh_CN", last_conversation=4)
    values = tomllib.loads(text)
    assert values["last_conversation"] == 4
    assert values["plugin"] == {"x": 1}
    before = text
    file.save(file.load())
    assert file.path.read_text("utf-8") == before


@pytest.mark.parametrize(
    "line",
    [
        "text_scale = 'big'",
        "theme = 'pink'",
        "theme = 3",
        "text_scale = nan",
        "text_scale = 100",
        "text_scale = true",
        "last_conversation = -1",
        "last_conversation = 2.5",
        "last_conversation = true",
        "sidebar_open = 'yes'",
        "model_folders = 'x'",
        "model_folders = [1]",
        "strategies = 'cpu'",
        "strategies = { a = 1 }",
        "proxy = 'ftp://x'",
        "proxy = 'http://x:99999999'",
        "hub_endpoint = 'javascript:1'",
        "last_conversation = 1979-05-27",
    ],
)
def test_a_bad_value_is_logged_and_defaulted(file, caplog, line):
    file.path.write_text(f"{line}\nlanguage = 'ja'\n", "utf-8")
    assert file.load() == Settings(language="ja")
    assert line.split(" ")[0] in caplog.text
    file.save(file.load())
    assert file.load() == Settings(language="ja")


def test_a_password_is_neither_accepted_nor_logged(file, caplog):
    caplog.set_level(logging.DEBUG)
    file.path.write_text("proxy = 'http://me:geheim@host:80'\n", "utf-8")
    assert file.load().proxy == ""
    assert problem_with("proxy", "http://me:geheim@host:80")
    assert problem_with("proxy", "http://host:80") == ""
    file.save(Settings(proxy="http://me:geheim@host:80"))
    assert "geheim" not in caplog.text


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"theme = ", b"[[[", b"a = 1\na = 2\n"])
def test_a_file_that_is_not_toml_is_kept_aside(file, caplog, content):
    file.path.write_bytes(content)
    assert file.load() == Settings()
    assert "not TOML" in caplog.text
    assert file.path.read_bytes() == content
    file.save(Settings(language="ja"))
    (kept,) = file.path.parent.glob("settings.damaged-*.toml")
    assert kept.read_bytes() == content
    assert file.load().language == "ja"


def test_a_file_with_a_byte_order_mark_is_read(file):
    file.path.write_bytes(b"\xef\xbb\xbftheme = 'dark'\n")
    assert file.load().theme == "dark"


def test_a_disk_that_refuses_is_an_oserror(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileExistsError):
        SettingsFile(tmp_path / "file" / "settings.toml").save(Settings(theme="dark"))


_WRITER = """
import sys
from pathlib import Path
from engine.settings import Settings, SettingsFile
file = SettingsFile(Path(sys.argv[1]))
for i in range(100000):
    file.save(Settings(last_conversation=i + 1, model_folders=("x" * 10,) * (i % 50)))
    print(i + 1, flush=True)
"""


@pytest.mark.parametrize("saves", [1, 9])
def test_kill_9_leaves_a_whole_file(file, saves):
    command = [sys.executable, "-c", _WRITER, str(file.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        last = [int(process.stdout.readline()) for _ in range(saves)][-1]
        process.kill()
    tomllib.loads(file.path.read_text("utf-8"))
    assert file.load().last_conversation >= last


def test_names_that_are_no_unicode_are_left_out_and_the_rest_is_saved(tmp_path) -> None:
    bad = "/models/\udcd6\udcd0.pth"
    file = SettingsFile(tmp_path / "settings.toml")
    for _twice in range(2):
        file.save(
            Settings(
                theme="dark",
                last_model=bad,
                model_folders=("/a", bad),
                loras={"\udcd6.pth": "x", "b.pth": "y"},
            )
        )
        found = file.load()
        assert (found.theme, found.last_model, found.model_folders) == ("dark", "", ("/a",))
        assert dict(found.loras) == {"b.pth": "y"}
