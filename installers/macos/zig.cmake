# Builds for Macs with Apple's processors on a Linux machine, by zig, which brings Apple's headers
# and the stubs of its libraries: shows that the native library compiles and links there. Releases
# are built on a Mac by Apple's own compiler. Used by tests/installers/check_macos.sh.
set(CMAKE_SYSTEM_NAME Darwin)
set(CMAKE_SYSTEM_PROCESSOR arm64)
set(CMAKE_CXX_COMPILER "${CMAKE_CURRENT_LIST_DIR}/zig-c++")
set(CMAKE_INSTALL_NAME_TOOL true)  # CMake insists on one, and nothing is renamed
