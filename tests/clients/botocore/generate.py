"""Pre-signed MQTT addresses as botocore makes them: what `core/tests/aws_sigv4.rs` compares with.

    python generate.py           writes core/tests/data/aws_sigv4.tsv
    python generate.py --check   fails where the file differs from what botocore makes today

The inputs are random, from a fixed seed, and cover every printable character; the same seed makes the same file.
"""

import datetime
import hashlib
import pathlib
import random
import sys
import urllib.parse

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

CASES = 1200
DATA = pathlib.Path(__file__).resolve().parents[3] / "core/tests/data/aws_sigv4.tsv"
HEADER = """\
# Pre-signed MQTT addresses by botocore, from tests/clients/botocore/generate.py. One a line, between tabs: endpoint,
# region, Unix seconds, validity in seconds, access key id, secret key, session token, signature, SHA-256 of the URL.
"""

PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
WORD = "abcdefghijklmnopqrstuvwxyz0123456789"
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
AWKWARD = " %+/=&?#~-._*'()!\"<>\\|^`{}[]@:;,$"


def text(rng, alphabet, shortest, longest):
    """A token: of these characters, no blank at its ends."""
    while True:
        token = "".join(rng.choices(alphabet, k=rng.randint(shortest, longest)))
        if token == token.strip():
            return token


def case(rng):
    def label():
        return text(rng, WORD, 1, 20)

    endpoint = f"{label()}-{label()}.iot.{label()}.amazonaws.com"
    region = rng.choice(["us-east-1", "eu-central-1", "ap-southeast-2", "us-gov-west-1", label()])
    moment = rng.choice(
        [rng.randrange(0, 2**31), rng.randrange(1_500_000_000, 2_000_000_000), rng.randrange(0, 253402300800)]
    )
    validity = rng.choice([300, 1, 604800, rng.randint(1, 604800)])
    key_id = rng.choice([text(rng, WORD.upper(), 16, 20), text(rng, PRINTABLE, 1, 30)])
    secret = rng.choice([text(rng, BASE64, 40, 40), text(rng, PRINTABLE, 1, 100)])
    token = rng.choice(
        [
            text(rng, BASE64, 20, 120),
            text(rng, PRINTABLE, 1, 120),
            text(rng, AWKWARD, 1, 40),
            text(rng, AWKWARD + WORD, 1, 60),
        ]
    )
    # Real session tokens are long.
    if rng.randrange(100) == 0:
        token = text(rng, BASE64, 700, 1500)
    return endpoint, region, moment, validity, key_id, secret, token


def presign(endpoint, region, moment, validity, key_id, secret, token):
    """botocore's signature over a query without the token, and the token behind it, as AWS IoT wants it."""
    when = datetime.datetime.fromtimestamp(0, datetime.timezone.utc) + datetime.timedelta(seconds=moment)
    botocore.auth.get_current_datetime = lambda: when
    request = AWSRequest(method="GET", url=f"wss://{endpoint}/mqtt")
    signer = botocore.auth.SigV4QueryAuth(Credentials(key_id, secret), "iotdevicegateway", region, expires=validity)
    signer.add_auth(request)
    return request.url + "&X-Amz-Security-Token=" + urllib.parse.quote(token, safe="-_.~")


def lines():
    rng = random.Random(20150830)
    for _ in range(CASES):
        inputs = case(rng)
        url = presign(*inputs)
        signature = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["X-Amz-Signature"][0]
        yield "\t".join([*map(str, inputs), signature, hashlib.sha256(url.encode()).hexdigest()]) + "\n"


def main():
    made = HEADER + "".join(lines())
    if "--check" in sys.argv[1:]:
        if DATA.read_text(encoding="ascii") != made:
            sys.exit(f"{DATA} differs from what botocore makes")
        print(f"{CASES} addresses are the same as botocore's")
    else:
        DATA.write_text(made, encoding="ascii")
        print(f"{CASES} addresses written to {DATA}")


if __name__ == "__main__":
    main()
