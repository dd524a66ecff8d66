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

node_packages() { # NAME FROM: what the lock file in FROM pins
    wanted=$2/package-lock.json
    home=$place/$1
    if cmp -s "$wanted" "$home/installed.json"; then
        echo "$1: already there"
        return
    fi
    echo "$1: installing into $home"
    rm -rf "$home"
    mkdir -p "$home"
    cp "$2/package.json" "$wanted" "$home"
    npm --prefix "$home" ci --silent --ignore-scripts --no-audit --no-fund
    # Last, so that a broken installation is begun anew.
    cp "$wanted" "$home/installed.json"
}

mkdir -p "$place"
python navien
python botocore
python settrade
python mosaia
node_packages oidc "$here/../oidc"
