"""Compares signatures of the published Python client with another's.

    python signature.py APP_SECRET TEXT SIGNATURE

The client signs with a random nonce: its signature of TEXT is verified with the key of SIGNATURE's maker, and
SIGNATURE with the client's. Then the client's key signs TEXT as RFC 6979 prescribes, which must give SIGNATURE to
the byte.
"""

import base64
import sys

import loopback  # noqa: F401
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from settrade_v2.util import create_sha256_with_ecdsa_signature


def main():
    secret, text, signature = sys.argv[1:]
    # The client's own way to a key.
    number = int.from_bytes(base64.b64decode(secret), "big")
    key = ec.derive_private_key(number, ec.SECP256R1())
    theirs = create_sha256_with_ecdsa_signature(secret, text)
    for each in (signature, theirs):
        assert each == each.lower(), each
        key.public_key().verify(bytes.fromhex(each), text.encode(), ec.ECDSA(hashes.SHA256()))
    deterministic = key.sign(text.encode(), ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    assert deterministic.hex() == signature, f"{deterministic.hex()} is not {signature}"
    print("ok  the signature is the same, to the byte")


if __name__ == "__main__":
    main()
