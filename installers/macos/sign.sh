#!/bin/sh
# Signs Skein.app, inside out: every library, every program, the manifest anew, then the whole.
#
#   sh installers/macos/sign.sh build/Skein.app
#
# SIGN_IDENTITY names a "Developer ID Application" certificate of the keychain; without it the
# signature is an "ad hoc" one, which Apple's processors insist on and which vouches for nobody.
# Runs on a Mac. Never executed where Skein is developed.
set -eu
app=$1
here=$(cd "$(dirname "$0")" && pwd)
identity=${SIGN_IDENTITY:--}
python=${PYTHON:-python3}

set -- --force --sign "$identity"
if [ "$identity" != - ]; then
    set -- "$@" --timestamp --options runtime
fi

# A file of a framework without the links of one cannot be signed where it lies (codesign takes its
# folder for a damaged bundle), so each is signed under its name in a folder of its own.
aside=$(mktemp -d)
trap 'rm -rf "$aside"' EXIT
sign() { # file, more options
    file=$1
    shift
    cp -p "$file" "$aside/${file##*/}"
    codesign "$@" "$aside/${file##*/}"
    mv -f "$aside/${file##*/}" "$file"
}

"$python" "$here/app.py" --sign-list "$app" >"$aside/list"
tab=$(printf '\t')
while IFS="$tab" read -r kind file; do
    case "$kind" in
        program) sign "$file" "$@" --entitlements "$here/entitlements.plist" ;;
        *) sign "$file" "$@" ;;
    esac
done <"$aside/list"
"$python" "$here/app.py" --manifest "$app"

# Extended attributes (quarantine, Finder's) are "detritus" that a signature refuses.
xattr -cr "$app"
codesign "$@" --entitlements "$here/entitlements.plist" "$app"
codesign --verify --strict --verbose=2 "$app"
