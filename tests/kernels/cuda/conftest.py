"""The emulator needs Linux, g++ and an x86-64 or aarch64 processor; NVRTC comes with `.[dev]`."""

import sys

collect_ignore_glob = [] if sys.platform == "linux" else ["*"]
