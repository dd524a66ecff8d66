#!/usr/bin/env bash
# Makes seeds of what runs have found: the fewest small inputs that reach all that the corpus reaches.
#
#   fuzz/minimise.sh [TARGET...]
#
# Seeds with a name that somebody gave them stay; what was found earlier is chosen anew.
set -euo pipefail
cd "$(dirname "$0")"

most_files=150
most_bytes=16384

cargo +stable fuzz build --sanitizer none
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cargo +stable fuzz list)
host=$(rustc +stable -vV | sed -n 's/^host: //p')
for target in "${targets[@]}"; do
    named=$(mktemp -d)
    merged=$(mktemp -d)
    find "corpus/$target" -name '*.seed' ! -name 'found-*' -exec cp {} "$named" \;
    cp "$named"/* "$merged" 2>/dev/null || true
    "target/$host/release/$target" -set_cover_merge=1 -max_len=$most_bytes "$merged" "corpus/$target" >/dev/null 2>&1
    find "corpus/$target" -type f ! -name '*.seed' -delete
    find "corpus/$target" -name 'found-*.seed' -delete
    # Of too many, some of each size: the smallest alone reach nothing deep.
    find "$merged" -type f ! -name '*.seed' -size "-$((most_bytes + 1))c" -printf '%s %p\n' | sort -n |
        awk -v most=$most_files '{ all[NR] = $0 } END { step = NR > most ? NR / most : 1
            for (at = NR; at >= 1; at -= step) print all[int(at + 0.5)] }' |
        while read -r _ path; do cp "$path" "corpus/$target/found-$(sha256sum <"$path" | head -c 12).seed"; done
    rm -rf "$named" "$merged"
    printf '%-16s %4s seeds %8s bytes\n' "$target" "$(find "corpus/$target" -type f | wc -l)" \
        "$(find "corpus/$target" -type f -printf '%s\n' | awk '{sum += $1} END {print sum + 0}')"
done
