#!/usr/bin/env bash
# Counts the public types that a user can name, per crate, from what rustdoc has made of them.
#
#   tests/public_types.sh [--limit CRATE N]... [CRATE...]
#
#   tests/public_types.sh                                   every package that users depend on
#   tests/public_types.sh --limit perennial-core 100        fails if it has more than 100
#
# The limit of perennial-core counts without the modules oauth, oauth2 and providers: there one type more is one service
# more to speak to. A type counts once, where rustdoc has its page: a re-export at the crate's root is no second type.
# What is `#[doc(hidden)]` does not count.
#
# PERENNIAL_DOC=DIR    reads this folder instead, and has nothing built
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0" >&2
    exit 2
}

crates=()
declare -A limits
while [ $# -gt 0 ]; do
    case $1 in
        --limit)
            [[ ${2:-} =~ ^[a-z] && ${3:-} =~ ^[0-9]+$ ]] || usage
            limits[$2]=$3
            shift 3
            ;;
        -*) usage ;;
        *)
            crates+=("$1")
            shift
            ;;
    esac
done
if [ ${#crates[@]} = 0 ]; then
    # The workspace's default members are what users depend on; the rest are tests.
    members=$(tr '\n' ' ' <Cargo.toml | sed -E 's/.*default-members *= *\[([^]]*)\].*/\1/' | tr -d '",')
    for folder in $members; do
        crates+=("$(sed -n 's/^name *= *"\(.*\)"/\1/p' "$folder/Cargo.toml" | head -n 1)")
    done
fi
for crate in "${!limits[@]}"; do
    [[ " ${crates[*]} " = *" $crate "* ]] || crates+=("$crate")
done

doc=${PERENNIAL_DOC:-}
if [ -z "$doc" ]; then
    doc=${CARGO_TARGET_DIR:-target}/doc
    packages=()
    for crate in "${crates[@]}"; do
        packages+=(-p "$crate")
        # Without its first page a crate is documented anew. What is there may have been made with other features, which
        # cargo does not notice.
        rm -f "$doc/${crate//-/_}/index.html"
    done
    RUSTDOCFLAGS='' cargo doc --quiet --no-deps --locked --all-features "${packages[@]}"
fi

# The kinds and paths of all types of a crate, `KIND PATH`, one a line.
types() {
    local all=$doc/${1//-/_}/all.html
    [ -f "$all" ] || { echo "there is no $all" >&2; return 1; }
    # Each item is a link to `MODULES/KIND.NAME.html`, with its path as the text.
    grep -oE '<a href="([^"]*/)?(struct|enum|union|trait|type)\.[^"/]*\.html">[^<]*</a>' "$all" |
        sed -E 's|^<a href="([^"]*/)?([a-z]+)\.[^"/]*">([^<]*)</a>$|\2 \3|' || true
}

# One row of the table, of such lines.
row() {
    awk -v name="$1" '
        { count[$1]++ }
        # A union is written like a struct, and used like one.
        END { printf "| %s | %d | %d | %d | %d | %d |\n", name, count["struct"] + count["union"], count["enum"],
            count["trait"], count["type"], NR }'
}

failed=0
printf '| crate | structs | enums | traits | types | sum |\n| --- | ---: | ---: | ---: | ---: | ---: |\n'
for crate in "${crates[@]}"; do
    found=$(types "$crate")
    printf '%s' "${found:+$found$'\n'}" | row "$crate"
    if [ "$crate" = perennial-core ]; then
        found=$(grep -vE '^[a-z]+ (oauth|oauth2|providers)(::|$)' <<<"$found" || true)
        printf '%s' "${found:+$found$'\n'}" | row "$crate without oauth2 and providers"
    fi
    number=$(grep -c . <<<"$found" || true)
    if [ -n "${limits[$crate]:-}" ] && [ "$number" -gt "${limits[$crate]}" ]; then
        echo "$crate has $number public types that count: its limit is ${limits[$crate]}" >&2
        failed=1
    fi
done
exit $failed
