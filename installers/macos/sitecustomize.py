"""The first thing that a macOS tree's Python runs: no byte code is written into a signed bundle."""

import sys

sys.dont_write_bytecode = True
