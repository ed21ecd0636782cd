#!/bin/sh
# Builds the CPU engine and its native checks with sanitizers and runs them: memory and undefined
# behaviour in one build, threads in another. The first thing that is found ends it.
#   tests/kernels/cpu/check_sanitizers.sh [build folder]
set -eu

source=$(cd "$(dirname "$0")/../../.." && pwd)
build=${1:-$source/build/check-sanitizers}

# folder, sanitizers
run() {
    echo "-- $2"
    cmake -S "$source" -B "$build/$1" -DSKEIN_CHECKS=ON -DSKEIN_SANITIZE="$2" \
        -DCMAKE_BUILD_TYPE=RelWithDebInfo >/dev/null
    cmake --build "$build/$1"
    "$build/$1/check_kernels"
}
run memory address,undefined
run threads thread
echo "Sanitizers: all right"
