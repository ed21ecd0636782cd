"""Every program of a setup can be signed before it goes in, the uninstaller, too."""

import datetime
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from installers.builder.failure import BuildFailed
from installers.windows.nsis import UNINSTALLER, look_at, main, make_setup
from tests.installers.windows.kit import Wine, make_root

FOLDER = "Signed ü 中"


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a key and a certificate for programs that nobody vouches for."""
    folder = tmp_path_factory.mktemp("signer")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Nobody")])
    now = datetime.datetime.now(datetime.UTC)
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(usage, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
    plain = serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(key.private_bytes(pem, plain, serialization.NoEncryption()))
    return folder


def sign(program: Path, signer: Path) -> None:
    """Sign in place, as the release's action does to all programs of a folder."""
    signed = program.with_suffix(".signed")
    key = ["-certs", str(signer / "certificate.pem"), "-key", str(signer / "key.pem")]
    files = ["-in", str(program), "-out", str(signed)]
    subprocess.run(["osslsigncode", "sign", *key, *files], check=True, capture_output=True)
    signed.replace(program)


def test_the_uninstaller_of_a_setup_is_the_one_that_was_signed(
    tmp_path: Path, wine: Wine, stand_ins: Path, signer: Path
) -> None:
    root = make_root(tmp_path / "root", "0.1.0", stand_ins)
    work, setup = tmp_path / "to be signed", tmp_path / "skein-setup.exe"
    assert main(["--version", "0.1.0", "--work", str(work)]) == 0
    programs = sorted(path for path in work.iterdir() if path.suffix in (".exe", ".com"))
    assert [path.name for path in programs] == ["Skein.exe", UNINSTALLER, "skein.com"]
    for program in programs:
        sign(program, signer)
    assert main(["--root", str(root), "--work", str(work), "--out", str(setup)]) == 0
    sign(setup, signer)
    try:
        assert wine.install(setup, FOLDER) == (0, "")
        for program in programs:
            installed = wine.drive / FOLDER / program.name
            assert installed.read_bytes() == program.read_bytes(), program.name
        assert wine.uninstall(FOLDER) == (0, "")
        assert [path.name for path in (wine.drive / FOLDER).iterdir()] == [UNINSTALLER]
    finally:
        shutil.rmtree(wine.drive / FOLDER, ignore_errors=True)


def test_an_uninstaller_that_cannot_be_put_in_stops_the_build(
    tmp_path: Path, work: Path, stand_ins: Path
) -> None:
    root = make_root(tmp_path / "root", "0.1.0", stand_ins)
    blocked = shutil.copytree(work, tmp_path / "work", ignore=shutil.ignore_patterns("*[0-9]*"))
    (blocked / UNINSTALLER).unlink()
    (blocked / UNINSTALLER).symlink_to("/proc/self/mem")
    with pytest.raises(BuildFailed, match="makensis failed"):
        make_setup(look_at(root), tmp_path / "skein-setup.exe", blocked, fast=True)
