#!/bin/sh
# Installs the published clients that the tests compare with, each in a place of its own under target/clients.
# Safe to run again: what is there and right is left alone.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
place=$(cd "$here/../.." && pwd)/target/clients

python() { # NAME: a virtual environment with the pinned requirements of clients/NAME
    wanted=$here/$1/requirements.txt
    home=$place/$1
    if cmp -s "$wanted" "$home/installed.txt"; then
        echo "$1: already there"
        return
    fi
    echo "$1: installing into $home"
    rm -rf "$home"
    "${PYTHON:-python3}" -m venv "$home"
    "$home/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
    # Last, so that a broken installation is begun anew.
    cp "$wanted" "$home/installed.txt"
}

mkdir -p "$place"
python navien
python botocore
