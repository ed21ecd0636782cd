"""The first thing that a Linux tree's Python runs: where this system keeps its certificates.

The OpenSSL in the tree was built for one distribution and looks nowhere else. Must cost nothing:
every start and every child process passes here.
"""

import os

_PLACES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Gentoo
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # Alpine's place, and others'
)

if "SSL_CERT_FILE" not in os.environ and "SSL_CERT_DIR" not in os.environ:
    for _place in _PLACES:
        if os.path.exists(_place):
            os.environ["SSL_CERT_FILE"] = _place
            break
    else:
        from importlib.util import find_spec

        if (_found := find_spec("certifi")) is not None and _found.origin:
            os.environ["SSL_CERT_FILE"] = os.path.join(os.path.dirname(_found.origin), "cacert.pem")
