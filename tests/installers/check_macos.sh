#!/bin/sh
# Builds the native library, its checks and the program of Skein.app for Apple's processors, on any
# machine, and looks at what they say of themselves. Nothing of it can be run here.
#   tests/installers/check_macos.sh [build folder]
# Needs cmake and zig (pip install ziglang, 100 MB; then ZIG="python -m ziglang"). Three to five
# minutes the first time, in which zig builds its C++ library.
set -eu
source=$(cd "$(dirname "$0")/../.." && pwd)
build=${1:-$source/build/check-macos}

cmake -S "$source" -B "$build" -DSKEIN_CHECKS=ON \
    -DCMAKE_TOOLCHAIN_FILE="$source/installers/macos/zig.cmake" >/dev/null
cmake --build "$build"
grep -q 'SKN_HAS_I8MM.*=1' "$build/CMakeCache.txt" || { echo "WRONG: one set is missing"; exit 1; }
# shellcheck disable=SC2086  # ZIG may be words
${ZIG:-zig} cc -target aarch64-macos.14.0 -O2 -Wall -Wextra -Werror \
    "$source/installers/macos/launcher.c" -o "$build/Skein"

cd "$source"
python3 - "$build" <<'PYTHON'
import sys
from pathlib import Path

from installers.macos import macho

build = Path(sys.argv[1])
for name, kind in (("libskein_cpu.dylib", "library"), ("check_kernels", "program"), ("Skein", "program")):
    (found,) = macho.read(build / name)
    print(f"{name}: {found}, {(build / name).stat().st_size:,} bytes")
    assert (found.kind, found.processor, found.minimum) == (kind, macho.ARM64, (14, 0))
    # zig 0.17 writes where it found our library into the checks, which stay here.
    ours = ("@rpath/libskein", f"{build}/libskein") if name == "check_kernels" else ()
    others = [one for one in found.libraries if not one.startswith(("/usr/lib/", *ours))]
    assert not others, others
PYTHON
echo "macOS: all right"
