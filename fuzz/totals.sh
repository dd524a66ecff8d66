#!/usr/bin/env bash
# Runs the fuzz targets and prints their totals as a table.
#
#   fuzz/totals.sh [RUNS [TARGET...]]      RUNS of each target (a million), of these targets (all)
#
# PERENNIAL_FUZZ_JOBS=2   so many targets at a time; one unless told
# PERENNIAL_FUZZ_SECONDS=10   so many seconds a target instead of RUNS, whichever ends first
# PERENNIAL_FUZZ_SEED=1   the same runs again; another seed each time unless told
#
# Needs the stable toolchain; installs cargo-fuzz. What is found goes into corpus/TARGET, where git does not see it:
# fuzz/minimise.sh makes seeds of it. Fails if any target fails, and shows how to run the input again.
set -euo pipefail
cd "$(dirname "$0")"

runs=${1:-1000000}
shift || true
jobs=${PERENNIAL_FUZZ_JOBS:-1}
seconds=${PERENNIAL_FUZZ_SECONDS:-0}
seed=${PERENNIAL_FUZZ_SEED:-0}

command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
cargo +stable fuzz build --sanitizer none
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cargo +stable fuzz list)
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# Long enough for what a parser has to say, short enough to be fast.
longest() {
    case $1 in
        session) echo 1500 ;;
        fleet) echo 64 ;;
        auth0_walk | oauth_device | saved | record | oauth_metadata) echo 1024 ;;
        moment | retry_after) echo 128 ;;
        provider_answers | provider_session) echo 4096 ;;
        *) echo 512 ;;
    esac
}

run() {
    local target=$1 options=(-runs="$runs" -max_len="$(longest "$1")" -timeout=30 -rss_limit_mb=2048 -print_final_stats=1)
    # 0 makes a seed of the time.
    options+=(-seed="$seed" -max_total_time="$seconds")
    [ -f "dict/$(dictionary "$target").dict" ] && options+=(-dict="dict/$(dictionary "$target").dict")
    # The binary itself: `cargo fuzz run` would lock the build for each.
    mkdir -p "artifacts/$target"
    if ! "target/$(rustc +stable -vV | sed -n 's/^host: //p')/release/$target" "${options[@]}" \
        -artifact_prefix="artifacts/$target/" "corpus/$target" >"$logs/$target" 2>&1; then
        touch "$logs/$target.failed"
    fi
}

dictionary() {
    case $1 in
        auth0_page | auth0_walk | auth0_location | auth0_cookies) echo auth0 ;;
        moment | retry_after) echo dates ;;
        oauth_redirect | form | address | presign) echo addresses ;;
        session | fleet) echo none ;;
        *) echo json ;;
    esac
}

export runs seconds seed logs
for target in "${targets[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n || true; done
    run "$target" &
done
wait

status=0
printf '%-16s %12s %9s %6s %7s %7s %7s\n' target executions 'per s' cov ft found corpus
for target in "${targets[@]}"; do
    # The last line of progress: `#10000 DONE cov: 1 ft: 2 corp: 3/4b ...`.
    last=$(grep -aE '^#[0-9]+.* cov: ' "$logs/$target" | tail -n 1)
    value() { sed -nE "s/.* $1: ([0-9]+).*/\1/p" <<<"$last"; }
    stat() { sed -nE "s/^stat::$1: +([0-9]+)/\1/p" "$logs/$target"; }
    printf '%-16s %12s %9s %6s %7s %7s %7s\n' "$target" "$(stat number_of_executed_units)" \
        "$(stat average_exec_per_sec)" "$(value cov)" "$(value ft)" "$(stat new_units_added)" "$(value corp)"
    if [ -e "$logs/$target.failed" ]; then
        status=1
        echo "$target FAILED:"
        grep -aE 'panicked|ERROR|^assertion|Test unit written|timeout|out-of-memory' -A 2 "$logs/$target" | head -n 20
        echo "again: cd fuzz && cargo +stable fuzz run --sanitizer none $target artifacts/$target/…"
    fi
done
exit $status
