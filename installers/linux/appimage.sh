#!/bin/sh
# Makes the AppImage out of an AppDir:  sh appimage.sh DIR/Skein.AppDir OUT.AppImage RUNTIME
#
# RUNTIME is the static type-2 runtime of the AppImage project for the same processor (it needs no
# libfuse2, which Ubuntu 24.04 and Fedora no longer bring); the release workflow downloads it and
# checks its SHA-256. A type-2 AppImage is that program with a squashfs behind it.
# Never executed as a whole where Skein is developed: the runtime cannot be had there.
set -eu
[ $# -eq 3 ] || { printf '%s\n' "Usage: sh $0 APPDIR OUT.AppImage RUNTIME" >&2; exit 2; }
appdir=$1
out=$2
runtime=$3
[ -x "$appdir/AppRun" ] || { printf '%s\n' "$appdir has no AppRun: make it with appdir.py." >&2; exit 1; }
[ -s "$runtime" ] || { printf '%s\n' "$runtime, the AppImage runtime, is missing." >&2; exit 1; }
command -v mksquashfs >/dev/null || { printf '%s\n' "mksquashfs is missing: install squashfs-tools." >&2; exit 1; }
files=$out.squashfs
rm -f -- "$files"
mksquashfs "$appdir" "$files" -root-owned -noappend -no-progress -quiet -b 1M -comp zstd -Xcompression-level 19
cat -- "$runtime" "$files" >"$out.part"
rm -f -- "$files"
chmod 755 "$out.part"
mv -f -- "$out.part" "$out"
