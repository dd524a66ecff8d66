#!/usr/bin/env bash
# Builds and runs programs that have TLS of their own, each with Perennial added to it, and one that wants none of ours:
#
#   tests/neighbours/run.sh [NAME..]
#
# Features of rustls' add up over all that a program is built of, so no test inside the workspace can see this. Each is
# built apart, with the versions of the workspace's lock file.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
programs=("$@")
[ $# -gt 0 ] || programs=(on-rustls-defaults on-ring on-aws-lc on-its-own without-tls)

cp "$root/Cargo.lock" Cargo.lock
failed=0
for program in "${programs[@]}"; do
    if cargo run --quiet --target-dir "$root/target" -p "$program"; then
        echo "$program: as it should be"
    else
        echo "$program: FAILED" >&2
        failed=1
    fi
done

if cargo tree -p without-tls -e normal --prefix none | grep -E '^(rustls|tokio-rustls|webpki|ring|aws-lc)'; then
    echo "without-tls: FAILED: a TLS stack is compiled in" >&2
    failed=1
fi
exit "$failed"
