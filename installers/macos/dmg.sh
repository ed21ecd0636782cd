#!/bin/sh
# Makes the disk image with Skein.app and a link to Applications; notarises it where there is a key.
#
#   sh installers/macos/dmg.sh build/Skein.app OUT.dmg
#
# SIGN_IDENTITY: as for sign.sh; the image is signed, too. NOTARY_KEY (a file, Apple's .p8),
# NOTARY_KEY_ID and NOTARY_ISSUER: sent to Apple, whose ticket is stapled to app and image.
# Runs on a Mac. Never executed where Skein is developed.
set -eu
app=$1
out=$2
identity=${SIGN_IDENTITY:--}

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

notarise() { # what is sent
    xcrun notarytool submit "$1" --key "$NOTARY_KEY" --key-id "$NOTARY_KEY_ID" \
        --issuer "$NOTARY_ISSUER" --wait --timeout 45m
}

if [ -n "${NOTARY_KEY:-}" ]; then
    ditto -c -k --keepParent "$app" "$stage/app.zip"
    notarise "$stage/app.zip"
    rm "$stage/app.zip"
    xcrun stapler staple "$app"
fi

mkdir "$stage/image"
cp -Rp "$app" "$stage/image/Skein.app"
ln -s /Applications "$stage/image/Applications"
rm -f "$out"
# ULMO: LZMA, which every macOS that Skein runs on can open, and the smallest.
# Something of the system's may look into what was only just copied: "Resource busy".
tries=1
until hdiutil create -ov -volname Skein -srcfolder "$stage/image" -fs APFS -format ULMO "$out"; do
    [ "$tries" -lt 5 ] || exit 1
    tries=$((tries + 1))
    sleep "${PAUSE_S:-10}"
done
[ "$identity" = - ] || codesign --force --sign "$identity" --timestamp "$out"

if [ -n "${NOTARY_KEY:-}" ]; then
    notarise "$out"
    xcrun stapler staple "$out"
fi
hdiutil verify "$out"
