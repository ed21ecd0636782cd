#!/bin/sh
# Builds the CPU engine for 64-bit Windows with a cross compiler and runs the native checks under
# wine, on every instruction set of this machine; then looks at what the library asks of a system.
#   tests/kernels/cpu/check_windows.sh [build folder]
# Needs cmake, a posix mingw and wine (Debian: g++-mingw-w64-x86-64-posix, wine).
set -eu

source=$(cd "$(dirname "$0")/../../.." && pwd)
build=${1:-$source/build/check-windows}

cmake -S "$source" -B "$build" -DSKEIN_CHECKS=ON \
    -DCMAKE_TOOLCHAIN_FILE="$source/installers/windows/mingw.cmake" >/dev/null
cmake --build "$build"

# Nothing but what every Windows has: no library of the compiler's, so none to forget.
needs=$(x86_64-w64-mingw32-objdump -p "$build/skein_cpu.dll" | sed -n 's/.*DLL Name: //p')
for name in $needs; do
    case $name in
    KERNEL32.dll | msvcrt.dll | api-ms-win-crt-*.dll) ;;
    *) echo "WRONG: the library needs $name"; exit 1 ;;
    esac
done

# Stacks are aligned to 16 bytes there: a longer register must not be spilled as if to more.
if x86_64-w64-mingw32-objdump -d "$build/skein_cpu.dll" |
    grep -E 'vmov(aps|apd|dqa|dqa32|dqa64) .*%[yz]mm' | grep -E '\(%r(sp|bp)'; then
    echo "WRONG: an aligned move of 32 or 64 bytes to a stack of 16"
    exit 1
fi

export WINEPREFIX="${WINEPREFIX:-$build/wine}" WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml="
wine "$build/check_kernels.exe"
# What a user asks for is read from the system, not from a C library's early copy.
SKEIN_CPU=portable wine "$build/check_kernels.exe" portable | tr -d '\r' |
    grep -qx "chosen here: portable" || { echo "WRONG: SKEIN_CPU is not heard"; exit 1; }
echo "Windows: all right"
