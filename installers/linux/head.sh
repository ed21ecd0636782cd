#!/bin/sh
# Skein for one user, on any Linux with a C library that is new enough: sh FILE [--folder DIR].
#
# This file is a shell script with two archives behind it: a tar.gz with Python alone, which any
# system can unpack, and a tar.xz with the rest, which that Python unpacks. Needs sh, tar, gzip.
# Everything is unpacked into a hidden folder beside, checked, and only then gets its name.
set -u
umask 022
version='@VERSION@'
machine='@MACHINE@'
glibc='@GLIBC@'
head_bytes=@HEAD@
first_bytes=@FIRST@
rest_bytes=@REST@
need_kb=@NEED@

tell() { # English, 中文, 日本語
  case "${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}" in
    zh*) printf '%s\n' "$2" ;;
    ja*) printf '%s\n' "$3" ;;
    *) printf '%s\n' "$1" ;;
  esac
}

fail() {
  tell "$@" >&2
  exit 1
}

usage() {
  tell "Skein $version. Usage: sh $0 [--folder DIR] [--downgrade] [--uninstall [--with-data]] [--yes]
  --folder DIR   where the program goes (~/.local/opt/skein)
  --downgrade    also over a newer version
  --uninstall    remove the program; models, chats and states stay
  --with-data    remove them, too, after showing their sizes
  --yes          ask nothing" \
    "Skein $version。用法:sh $0 [--folder 目录] [--downgrade] [--uninstall [--with-data]] [--yes]
  --folder 目录  程序安装位置(~/.local/opt/skein)
  --downgrade    允许覆盖更新的版本
  --uninstall    卸载程序;保留模型、对话和状态
  --with-data    同时删除它们(先显示大小)
  --yes          不再询问" \
    "Skein $version。使い方:sh $0 [--folder フォルダー] [--downgrade] [--uninstall [--with-data]] [--yes]
  --folder フォルダー  インストール先(~/.local/opt/skein)
  --downgrade    新しい版の上にも入れる
  --uninstall    プログラムを削除(モデル、チャット、ステートは残す)
  --with-data    それらも削除(大きさを表示してから)
  --yes          確認しない"
}

folder=
remove=
with_data=
yes=
downgrade=
while [ $# -gt 0 ]; do
  case "$1" in
    --folder) [ $# -gt 1 ] || { usage >&2; exit 2; }; folder=$2; shift ;;
    --folder=*) folder=${1#*=} ;;
    --uninstall) remove=yes ;;
    --with-data) with_data=--with-data ;;
    --yes) yes=--yes ;;
    --downgrade) downgrade=--downgrade ;;
    --help | -h) usage; exit 0 ;;
    --version) printf '%s\n' "$version"; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done
case "${HOME:-}" in
  /*) ;;
  *) fail "There is no home folder: the variable HOME is empty. Set it and start again." \
    "没有主目录:变量 HOME 为空。请设置后重试。" \
    "ホームフォルダーがありません(変数 HOME が空)。設定してやり直してください。" ;;
esac
by_sudo=${SUDO_USER:-${DOAS_USER:-${PKEXEC_UID:-}}}
[ -z "$folder" ] || by_sudo= # then root knows where it is to go
folder=${folder:-$HOME/.local/opt/skein}
case "$folder" in /*) ;; *) folder=$PWD/$folder ;; esac

if [ -n "$remove" ]; then
  [ -f "$folder/uninstall" ] || fail "There is no Skein in $folder. Say with --folder where it is." \
    "$folder 中没有 Skein。请用 --folder 指明它的位置。" \
    "$folder に Skein はありません。--folder で場所を指定してください。"
  exec sh "$folder/uninstall" $with_data $yes
fi

# ---- what this system must have ---------------------------------------------------------------

{ [ "$(uname -s)" = Linux ] && [ "$(uname -m)" = "$machine" ]; } || fail \
  "This Skein is for Linux on $machine, and this is $(uname -s) on $(uname -m). Download the other one." \
  "此安装包适用于 $machine 的 Linux,而本机是 $(uname -m) 的 $(uname -s)。请下载对应的版本。" \
  "これは $machine の Linux 用で、このコンピューターは $(uname -m) の $(uname -s) です。別の版をダウンロードしてください。"
for program in tar gzip tail head df dirname mkdir wc id; do
  command -v "$program" >/dev/null 2>&1 || fail "The program $program is missing. Install it first." \
    "缺少程序 $program。请先安装它。" "プログラム $program がありません。先に入れてください。"
done

newer() { # is version $1 (major.minor) at least $2?
  [ "${1%%.*}" -gt "${2%%.*}" ] && return 0
  [ "${1%%.*}" -eq "${2%%.*}" ] && [ "${1#*.}" -ge "${2#*.}" ]
}
have=$(getconf GNU_LIBC_VERSION 2>/dev/null) || have=
have=${have##* }
case "$have" in
  [0-9]*.[0-9]*) ;;
  *) fail "This Linux does not have the GNU C library, which Skein needs (glibc $glibc or newer)." \
    "此 Linux 没有 GNU C 库,而 Skein 需要它(glibc $glibc 或更新)。" \
    "この Linux には Skein に必要な GNU C ライブラリ(glibc $glibc 以上)がありません。" ;;
esac
minor=${have#*.}
have=${have%%.*}.${minor%%[!0-9]*}
newer "$have" "$glibc" || fail \
  "This Linux is too old: its C library is glibc $have, and Skein needs $glibc. Update the system." \
  "此 Linux 太旧:C 库为 glibc $have,而 Skein 需要 $glibc。请升级系统。" \
  "この Linux は古すぎます。C ライブラリは glibc $have ですが、Skein には $glibc が必要です。更新してください。"

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) && here=$here/${0##*/}
{ [ -r "$here" ] && [ "$(wc -c <"$here")" -eq $((head_bytes + first_bytes + rest_bytes)) ]; } || fail \
  "This installer's file is damaged or not whole. Download it again; nothing was installed." \
  "安装文件已损坏或不完整。请重新下载;没有安装任何内容。" \
  "インストーラーのファイルが壊れているか不完全です。もう一度ダウンロードしてください。何も入れていません。"

others_home() { # sudo leaves HOME as it was, or makes it root's: then nobody would find Skein
  { [ -d "$HOME" ] && [ ! -O "$HOME" ]; } || { [ -n "$by_sudo" ] && [ "$by_sudo" != root ]; }
}
if [ "$(id -u)" = 0 ] && others_home; then
  fail "This is for one user: start it without sudo. (For everybody there is the .deb.)" \
    "这是为单个用户安装的:请不要使用 sudo。(为所有用户安装请用 .deb。)" \
    "これは一人のユーザー用です。sudo なしで始めてください。(全員用には .deb があります。)"
fi

# ---- where it goes ----------------------------------------------------------------------------

for left in "$folder"/versions/.partial-*-*; do # of installers that were killed: it takes up room
  [ ! -d "$left" ] || [ -d "/proc/${left##*-}" ] || rm -rf -- "$left"
done
above=$folder
while [ ! -d "$above" ]; do above=$(dirname -- "$above"); done
free=
set -f # words, no names of files
for word in $(df -Pk -- "$above" 2>/dev/null | tail -n 1); do
  case "$word" in *%) break ;; esac
  free=$word # the last one before the share in per cent
done
set +f
case "$free" in
  '' | *[!0-9]*) ;;
  *) [ "$free" -ge "$need_kb" ] || fail \
    "$above has $((free / 1000)) MB free, and Skein needs $((need_kb / 1000)) MB. Free some, or say --folder DIR." \
    "$above 剩余 $((free / 1000)) MB,而 Skein 需要 $((need_kb / 1000)) MB。请腾出空间,或使用 --folder 目录。" \
    "$above の空きは $((free / 1000)) MB で、Skein には $((need_kb / 1000)) MB 必要です。空けるか、--folder を付けてください。" ;;
esac

part=$folder/versions/.partial-$version-$$
clean() {
  [ -z "${part:-}" ] || rm -rf -- "$part"
  [ -f "$folder/current" ] || rmdir -- "$folder/versions" "$folder" 2>/dev/null
}
trap clean EXIT
trap 'exit 130' HUP INT TERM
{ mkdir -p -- "$folder/versions" && mkdir -- "$part"; } 2>/dev/null || fail \
  "Nothing can be written to $folder. Make it writable, or say --folder DIR." \
  "无法写入 $folder。请使其可写,或使用 --folder 目录。" \
  "$folder に書き込めません。書き込めるようにするか、--folder を付けてください。"

tell "Skein $version -> $folder" "Skein $version -> $folder" "Skein $version -> $folder"
tail -c +$((head_bytes + 1)) "$here" | head -c "$first_bytes" | gzip -dc 2>/dev/null |
  (cd "$part" && tar -xf - 2>/dev/null) || fail \
  "$folder has no room for Skein, or this file is damaged. Free some space, or download it again; nothing was installed." \
  "$folder 空间不足,或安装文件已损坏。请腾出空间或重新下载;没有安装任何内容。" \
  "$folder の空きが足りないか、ファイルが壊れています。空けるか、もう一度ダウンロードしてください。何も入れていません。"
python=$part/python/bin/python3
"$python" -I -B -c 'import lzma, tarfile' 2>/dev/null || fail \
  "Programs in $folder cannot be started (mounted with noexec?). Say --folder DIR with another place." \
  "$folder 中的程序无法运行(挂载时带有 noexec?)。请用 --folder 指定其他位置。" \
  "$folder のプログラムを起動できません(noexec でマウント?)。--folder で別の場所を指定してください。"
trap - EXIT HUP INT TERM
# shellcheck disable=SC2086 # each of the last two is one word or none
exec "$python" -I -B -X utf8 -c \
  'import sys; sys.path.insert(0, sys.argv.pop(1)); from install.cli import main; sys.exit(main())' \
  "$part/installer" install --folder "$folder" --partial "$part" --file "$here" \
  --offset $((head_bytes + first_bytes)) --size "$rest_bytes" $downgrade $yes
