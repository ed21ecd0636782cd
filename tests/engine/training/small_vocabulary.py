"""A small vocabulary in the World format: every byte, and a few words."""

from pathlib import Path

WORDS = (
    "\n\n", "User", "Assistant", "System", " hello", " world", "hello", "ab", "abc", "abcdefgh",
    "think", " think", " <", "</", " yes", "✿", ".\n", "Bot",
)  # fmt: skip


def write_small_vocabulary(path: Path) -> Path:
    """Write the vocabulary to ``path``; byte b is the id b + 1, the words follow. Returns it."""
    lines = [f"{byte + 1} {bytes((byte,))!r} 1" for byte in range(256)]
    lines += [f"{257 + i} {word!r} {len(word.encode())}" for i, word in enumerate(WORDS)]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path
