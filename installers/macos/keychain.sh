#!/bin/sh
# Puts a certificate into a keychain of its own and prints the name of its identity; on a runner
# that is thrown away afterwards.
#
#   SIGN_IDENTITY=$(sh installers/macos/keychain.sh)
#
# CERTIFICATE: a .p12 file in base64. CERTIFICATE_PASSWORD: its password.
# Runs on a Mac. Never executed where Skein is developed.
set -eu
folder=$(mktemp -d)
chain=$folder/skein.keychain-db
word=$(uuidgen)
printf '%s' "$CERTIFICATE" | base64 --decode >"$folder/certificate.p12"
{
    security create-keychain -p "$word" "$chain"
    security set-keychain-settings -lut 21600 "$chain"
    security unlock-keychain -p "$word" "$chain"
    security import "$folder/certificate.p12" -k "$chain" -P "$CERTIFICATE_PASSWORD" -T /usr/bin/codesign
    security set-key-partition-list -S apple-tool:,apple: -s -k "$word" "$chain"
    # shellcheck disable=SC2046  # one word for each keychain that is there
    security list-keychains -d user -s "$chain" $(security list-keychains -d user | tr -d '"')
} >&2
rm "$folder/certificate.p12"
identity=$(security find-identity -v -p codesigning "$chain" |
    sed -n 's/.*"\(Developer ID Application.*\)"/\1/p' | head -n 1)
if [ -z "$identity" ]; then
    echo "CERTIFICATE holds no valid \"Developer ID Application\" certificate with its key." >&2
    exit 1
fi
printf '%s\n' "$identity"
