#!/usr/bin/env bash
# Runs the tests again and again while all cores of the machine are busy with something else, and prints which failed,
# how often, and how each of them began to say why.
#
#   tests/flakes.sh RUNS [ARGUMENTS OF CARGO TEST...]
#
#   tests/flakes.sh 10                                         the whole suite, ten times
#   tests/flakes.sh 30 -p perennial-redis                      one package
#   tests/flakes.sh 30 -p perennial-tests --test behaviour     one program of it
#   tests/flakes.sh 50 -p perennial-tests --test auth0 -- validate_session    some tests of it, by name
#
# PERENNIAL_BUSY=8       so many busy loops; one for each core unless told
# PERENNIAL_MINUTES=20   a run that takes longer is stopped, and counts as a failure
#
# Exits with 1 if anything failed, in any run. What a failed run said is kept in target/flakes.
set -euo pipefail
cd "$(dirname "$0")/.."

runs=${1:-}
if ! [[ $runs =~ ^[1-9][0-9]*$ ]]; then
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0" >&2
    exit 2
fi
shift
arguments=("$@")
[ ${#arguments[@]} -gt 0 ] || arguments=(--workspace)
busy=${PERENNIAL_BUSY:-$(nproc)}
minutes=${PERENNIAL_MINUTES:-20}
export CARGO_TERM_COLOR=never
unset RUST_BACKTRACE

# What stands before `--` is cargo's, what stands behind it is the tests'.
cargo_arguments=()
for argument in "${arguments[@]}"; do
    [ "$argument" != -- ] || break
    cargo_arguments+=("$argument")
done
cargo test --quiet --no-run "${cargo_arguments[@]}"

logs=target/flakes
rm -rf "$logs"
mkdir -p "$logs"

# A loop that does nothing, until this script has ended, however it ends.
spin() {
    local parent=$1 n
    while kill -0 "$parent" 2>/dev/null; do
        for ((n = 0; n < 200000; n++)); do :; done
    done
}

loops=()
running=
stop() {
    kill "${loops[@]}" 2>/dev/null || true
    # A group of its own: cargo, and what it runs.
    [ -z "$running" ] || kill -- "-$running" 2>/dev/null || true
}
trap stop EXIT
trap 'exit 130' INT TERM
for ((loop = 0; loop < busy; loop++)); do
    spin $$ &
    loops+=($!)
done

# Of what `cargo test` printed: one line for each test that failed, `PROGRAM<tab>TEST<tab>how it began to say why`.
failures() {
    awk '
        function finish() {
            if (test != "") print program "\t" test "\t" why
            test = ""
        }
        function begin(name) { finish(); test = name; why = ""; lines = panicked = 0 }
        /^ +Running / { finish(); program = $0; sub(/^ +Running (unittests )?/, "", program); sub(/-[0-9a-f]+\)$/, "", program)
            file = program; sub(/ \(.*/, "", file); sub(/.*\//, "", program); program = program " " file; next }
        /^ +Doc-tests / { finish(); program = "doctests " $2; next }
        /^---- .* stdout ----$/ { name = $0; sub(/^---- /, "", name); sub(/ stdout ----$/, "", name); begin(name); next }
        /^failures:$/ || /^test result: / { finish(); next }
        /process didn.t exit successfully/ && /signal:/ { begin("(the whole program)"); why = $0; sub(/.*\(signal/, "signal", why); finish(); next }
        test != "" && /panicked at/ && !panicked { panicked = 1; why = ""; lines = 0; sub(/.*panicked at /, "") }
        test != "" && lines < 4 && !/^$/ && !/^note: / { why = why (lines ? " | " : "") substr($0, 1, 160); lines++ }
        END { finish() }
    ' "$1"
}

printf '%s runs of `cargo test %s`, beside %s busy loops\n' "$runs" "${arguments[*]}" "$busy"
found=$logs/found.txt
: >"$found"
failed_runs=0
for ((run = 1; run <= runs; run++)); do
    log=$logs/run-$run.log
    began=$SECONDS
    status=0
    timeout --kill-after=10 "${minutes}m" cargo test --no-fail-fast "${arguments[@]}" >"$log" 2>&1 &
    running=$!
    wait "$running" || status=$?
    running=
    if [ "$status" = 0 ]; then
        printf 'run %s: clean, %s s\n' "$run" $((SECONDS - began))
        rm "$log"
        continue
    fi
    failed_runs=$((failed_runs + 1))
    failures "$log" >"$log.failures"
    if [ "$status" = 124 ] || [ "$status" = 137 ]; then
        # The last program did not come to its end.
        printf '%s\t(the whole run)\tdid not end in %s minutes: %s\n' \
            "$(grep -E '^ +(Running|Doc-tests) ' "$log" | tail -n 1 | sed -E 's/^ +(Running )?//')" "$minutes" \
            "$(grep 'has been running for over' "$log" | tail -n 3 | tr '\n' ' ')" >>"$log.failures"
    elif [ ! -s "$log.failures" ]; then
        printf 'cargo\t(no test)\t%s\n' "$(grep -m 1 -E '^error' "$log" || tail -n 1 "$log")" >>"$log.failures"
    fi
    cat "$log.failures" >>"$found"
    printf 'run %s: %s failed, %s s, %s\n' "$run" "$(wc -l <"$log.failures")" $((SECONDS - began)) "$log"
done

if [ "$failed_runs" = 0 ]; then
    printf '\nAll %s runs were clean.\n' "$runs"
    exit 0
fi
printf '\n%s of %s runs failed.\n\n| failed | program | test | how it began to say why |\n| ---: | --- | --- | --- |\n' "$failed_runs" "$runs"
awk -F '\t' '
    { key = $1 "\t" $2; count[key]++; if (!(key in why)) why[key] = $3 }
    END { for (key in count) { split(key, part, "\t"); text = why[key]; gsub(/\|/, "/", text)
        printf "| %d of '"$runs"' | %s | %s | %s |\n", count[key], part[1], part[2], text } }
' "$found" | sort -t '|' -k 2 -rn
exit 1
