#!/bin/bash
# Installs a .deb and a .run in Debian systems that hold nothing else, uses them as an ordinary user
# under Xvfb, removes them, and prints figures. Leaves pictures to be looked at.
#
#     sudo bash tests/installers/check_linux.sh DEB RUN WORK     (root: chroot, mount; some minutes)
#
# Needs debootstrap, Xvfb, xdotool, ImageMagick's import, and a network for apt. DEB or RUN may be
# "-": left out. WORK keeps the bare system for the next time; SUITE=trixie takes another one.
# NEWER=DEB, of a newer version, is installed over DEB while that one runs.
# shellcheck disable=SC2016,SC2317 # programs for another shell; functions that a trap or check calls
set -euo pipefail
[ $# -eq 3 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2; }
[ "$(id -u)" = 0 ] || { echo "This needs root: chroot and mount."; exit 2; }
deb=$1 run=$2
mkdir -p "$3"
work=$(cd "$3" && pwd)
display=:77
suite=${SUITE:-bookworm}
user=gans
failed=0

say() { printf '%s\n' "$*"; }
ok() { say "ok    $*"; }
wrong() { say "WRONG $*"; failed=1; }
check() { # words, command...
  local words=$1
  shift
  if "$@"; then ok "$words"; else wrong "$words"; fi
}
seconds_since() { awk -v a="$1" -v b="$(date +%s.%N)" 'BEGIN { printf "%.2f", b - a }'; }

mounted=()
root=
xvfb=
in_root() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"; }
as_user() { # command line, as the ordinary user on the display
  chroot "$root" /usr/bin/env -i PATH=/usr/bin:/bin LC_ALL=C.UTF-8 DISPLAY=$display \
    setpriv --reuid=$user --regid=$user --init-groups env HOME=/home/$user sh -c "cd; $1"
}
leave() {
  for place in "${mounted[@]}"; do umount "$place" || true; done
  mounted=()
}
end() {
  leave
  [ -z "$xvfb" ] || kill "$xvfb" 2>/dev/null || true
}
trap end EXIT

fresh() { # name: a system with nothing in it, at $root
  leave
  root=$work/$1
  rm -rf --one-file-system "$root"
  local base=$work/$suite
  [ -d "$base" ] || debootstrap --variant=minbase "$suite" "$base.part" >"$work/debootstrap.log"
  [ -d "$base" ] || mv "$base.part" "$base"
  cp -a "$base" "$root"
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  mount -t proc proc "$root/proc" && mounted+=("$root/proc")
  mkdir -p "$root/dev/shm"
  mount -t tmpfs tmpfs "$root/dev/shm" && mounted+=("$root/dev/shm")
  in_root useradd --create-home --shell /bin/sh $user
  in_root apt-get update -qq
}
packages() { in_root dpkg-query -W -f '${Package}\n' | wc -l; }
megabytes() { find "$1" -type f -printf '%s\n' | awk '{ s += $1 } END { printf "%.0f", s / 1e6 }'; }

picture() { import -display $display -window root "$work/$1.png" && say "      picture: $work/$1.png"; }
window() { xdotool search --onlyvisible --class Skein 2>/dev/null | head -n 1; }
wait_window() { # seconds
  local end=$((SECONDS + $1))
  while [ $SECONDS -lt $end ]; do
    [ -z "$(window)" ] || return 0
    sleep 0.05
  done
  return 1
}
wait_no_process() {
  for _ in $(seq 100); do
    pgrep -u "$(in_root id -u "$user")" -f '[-]m app' >/dev/null || return 0
    sleep 0.1
  done
  return 1
}

use() { # name, command that starts it: window, an answer, a state file, a polite end
  local name=$1 command=$2 started
  sync
  echo 3 >/proc/sys/vm/drop_caches || true
  for how in cold warm; do
    started=$(date +%s.%N)
    as_user "exec $command >$name-$how.txt 2>&1" &
    if wait_window 60; then
      ok "$name: a window, $how, after $(seconds_since "$started") s"
    else
      wrong "$name: no window after 60 s"
      cat "$root/home/$user/$name-$how.txt"
      picture "$name-none"
      return
    fi
    sleep 8
    if [ $how = cold ]; then
      picture "$name-start"
      xdotool key --clearmodifiers Escape
      sleep 1
      xdotool windowfocus "$(window)"
      xdotool type --delay 30 'My name is Ada. What is 12 plus 30?'
      xdotool key Return
      sleep 8
      picture "$name-answer"
    fi
    xdotool windowfocus "$(window)"
    xdotool key --clearmodifiers ctrl+q
    check "$name: Ctrl+Q ends it" wait_no_process
    check "$name: it wrote no error" test ! -s "$root/home/$user/$name-$how.txt"
    [ ! -s "$root/home/$user/$name-$how.txt" ] || cat "$root/home/$user/$name-$how.txt"
  done
  check "$name: the chat is kept" test -s "$root/home/$user/.local/share/Skein/chats.sqlite3"
  check "$name: its commands work" as_user "$command hardware >/dev/null"
}

upgrade_while_it_runs() { # it goes on, says so (a picture), and its button starts the new version
  local process
  cp "$NEWER" "$root/root/newer.deb"
  as_user 'exec skein >upgraded.txt 2>&1' &
  wait_window 60 || { wrong "deb: no window before the upgrade"; return; }
  sleep 8
  process=$(pgrep -u "$(in_root id -u "$user")" -f '[-]m app' | head -n 1)
  in_root apt-get install -y -qq --no-install-recommends /root/newer.deb >"$work/deb-upgrade.log" 2>&1 ||
    wrong "deb: upgrade"
  check "deb: the old version's files are gone" grep -q ' (deleted)$' <<<"$(readlink "/proc/$process/exe")"
  sleep 3
  picture deb-upgraded
  xdotool windowfocus "$(window)" mousemove --window "$(window)" 380 88 click 1 # "Start again now"
  sleep 10
  check "deb: the button starts the new version in its place" grep -q '/python3[.0-9]*$' <<<"$(readlink "/proc/$process/exe")"
  xdotool windowfocus "$(window)" key --clearmodifiers ctrl+q
  check "deb: Ctrl+Q ends it" wait_no_process
  check "deb: it wrote no error" test ! -s "$root/home/$user/upgraded.txt"
}

check_deb() {
  fresh deb
  cp "$deb" "$root/root/skein.deb"
  local before started
  before=$(packages)
  started=$(date +%s.%N)
  in_root apt-get install -y -qq --no-install-recommends /root/skein.deb >"$work/deb-install.log" 2>&1 ||
    { wrong "deb: apt"; tail -n 20 "$work/deb-install.log"; return; }
  ok "deb: installed in $(seconds_since "$started") s with $(($(packages) - before - 1)) other packages;" \
    "download $(megabytes "$deb") MB, on disk $(megabytes "$root/opt/skein") MB"
  check "deb: the menu entry is there" test -s "$root/usr/share/applications/skein.desktop"
  check "deb: an ordinary user cannot change it" as_user 'test ! -w /opt/skein/current'
  use deb skein
  [ -z "${NEWER:-}" ] || upgrade_while_it_runs
  started=$(date +%s.%N)
  in_root apt-get purge -y -qq skein >"$work/deb-remove.log" 2>&1 || wrong "deb: apt purge"
  ok "deb: removed in $(seconds_since "$started") s"
  check "deb: nothing is left of it" test ! -e "$root/opt/skein" -a ! -e "$root/usr/bin/skein"
  check "deb: the user's chats stay" test -s "$root/home/$user/.local/share/Skein/chats.sqlite3"
}

check_run() {
  fresh run
  cp "$run" "$root/home/$user/skein.run"
  chmod 644 "$root/home/$user/skein.run"
  check "run: neither Python nor xz is there" in_root sh -c '! command -v python3 && ! command -v xz'
  local folder="/home/$user/ünï 中 dir/skein" started answer
  # A disk that is too small, and one that fills up although there seemed to be room.
  mkdir "$root/home/$user/small"
  mount -t tmpfs -o size=300m,mode=1777 tmpfs "$root/home/$user/small" && mounted+=("$root/home/$user/small")
  answer=$(as_user 'sh skein.run --folder ~/small/skein 2>&1') && wrong "run: a small disk was not noticed"
  ok "run: small disk: $answer"
  answer=$(as_user 'mkdir -p first; printf "%s\n" "#!/bin/sh" "echo; echo d 9 9 9999999 1% /" >first/df; chmod +x first/df; PATH=$HOME/first:$PATH sh skein.run --folder ~/small/skein 2>&1') &&
    wrong "run: a full disk was not noticed"
  ok "run: full disk: ${answer##*$'\n'}"
  check "run: nothing is left on it" test -z "$(ls -A "$root/home/$user/small")"
  umount "$root/home/$user/small" && unset 'mounted[-1]'

  started=$(date +%s.%N)
  answer=$(as_user "sh skein.run --folder '$folder' 2>&1") || { wrong "run: $answer"; return; }
  ok "run: installed in $(seconds_since "$started") s; download $(megabytes "$run") MB," \
    "on disk $(megabytes "$root$folder") MB"
  say "$answer"
  # Without any library for displays, a sentence; then what it says is done.
  answer=$(as_user "'$folder/skein' 2>&1") && wrong "run: it started without libraries?"
  ok "run: says: $answer"
  for _ in 1 2 3; do
    answer=$(printf '%s\n' "$answer" | sed -n 's/.*“sudo apt-get install \(.*\)”.*/\1/p')
    [ -n "$answer" ] || break
    # shellcheck disable=SC2086 # a list of packages
    in_root apt-get install -y -qq --no-install-recommends $answer fonts-dejavu-core >"$work/run-libraries.log" 2>&1 ||
      wrong "run: apt-get install $answer"
    answer=$(as_user "timeout 5 '$folder/skein' 2>&1" || true)
    [ -z "$answer" ] || say "      then: $answer"
  done
  rm -rf "$root/home/$user/.local/share/Skein"
  use run "'$folder/skein'"
  started=$(date +%s.%N)
  answer=$(as_user "'$folder/uninstall' 2>&1") || wrong "run: uninstall"
  ok "run: removed in $(seconds_since "$started") s"
  say "$answer"
  check "run: its folder is gone" test ! -e "$root$folder"
  check "run: no menu entry is left" test ! -e "$root/home/$user/.local/share/applications/skein.desktop"
  check "run: the user's chats stay" test -s "$root/home/$user/.local/share/Skein/chats.sqlite3"
}

Xvfb $display -screen 0 1280x800x24 -ac -nolisten tcp >"$work/xvfb.log" 2>&1 &
xvfb=$!
export DISPLAY=$display
sleep 1
[ "$deb" = - ] || check_deb
[ "$run" = - ] || check_run
[ $failed = 0 ] && say "All of it is as it should be."
exit $failed
