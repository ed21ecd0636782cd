#!/bin/sh
# Builds the CPU engine for 64-bit ARM with a cross compiler and runs the native checks under an
# emulator, on processors without dot products, with them, and with products of matrices: each has
# to choose its set, and to run it and all lesser ones without an instruction that it lacks.
#   tests/kernels/cpu/check_arm.sh [build folder]
# Needs cmake, aarch64-linux-gnu-g++ and qemu-aarch64 (Debian: g++-aarch64-linux-gnu, qemu-user).
set -eu

source=$(cd "$(dirname "$0")/../../.." && pwd)
build=${1:-$source/build/check-arm}

cmake -S "$source" -B "$build" -DSKEIN_CHECKS=ON -DCMAKE_SYSTEM_NAME=Linux \
    -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ >/dev/null
cmake --build "$build"

# processor, the set that it has to choose
run() {
    echo "-- $1"
    qemu-aarch64 -cpu "$1" -L /usr/aarch64-linux-gnu "$build/check_kernels" >"$build/checked" ||
        { cat "$build/checked"; exit 1; }
    cat "$build/checked"
    grep -qx "chosen here: $2" "$build/checked" || { echo "WRONG: $2 was to be chosen"; exit 1; }
}
run cortex-a72 neon
run neoverse-n1 neon-dotprod
run max neon-i8mm
echo "ARM: all right"
