#!/usr/bin/env bash
# What Perennial weighs, as Markdown:
#
#   tests/bench/weight.sh crates           crates in each tree; fails where an aim is missed. Takes a second, builds nothing
#   tests/bench/weight.sh builds [NAME..]  builds a hello-world over each library from nothing: crates, seconds, bytes
#
# Crates are counted as names with their versions in the tree of normal dependencies on this machine's target; build and
# test dependencies are none of it. The library itself and perennial-core count, the hello-world does not.
# Seconds are for a release build (thin LTO, stripped) with an empty target folder and everything downloaded: as the clock
# on the wall goes, and of all cores together, which depends less on what else the machine does.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD

# Names and versions, each once.
tree() { cargo tree --edges normal --prefix none --format '{p}' "$@" | sed -E 's/ \(.*//' | sort -u; }

# A row of the table: what, the most that it may be ("-": no aim), and how cargo is asked.
missed=0
row() {
    local what=$1 aim=$2 count
    shift 2
    count=$(tree --locked "$@" | wc -l)
    echo "| $what | $count | $aim |"
    if [ "$aim" != - ] && [ "$count" -gt "$aim" ]; then
        echo "$what weighs $count crates: $aim are the most" >&2
        missed=1
    fi
}

crates() {
    echo "| tree | crates | at most |"
    echo "| --- | ---: | ---: |"
    row "perennial-core, Navien alone" 35 -p perennial-core --no-default-features --features navien
    row "perennial-core, all services" - -p perennial-core
    row "perennial-hyper" 75 -p perennial-hyper
    row "perennial-blocking" - -p perennial-blocking
    row "perennial-file" - -p perennial-file
    row "perennial-file, encrypted" - -p perennial-file --features encrypted
    row "perennial-redis" - -p perennial-redis
    row "perennial-redis, without TLS" - -p perennial-redis --no-default-features
    return "$missed"
}

# A hello-world: what it depends on from standard input, its lock file if it has one, and its program.
hello() {
    local folder=$root/target/weight/$1
    mkdir -p "$folder/src"
    rm -f "$folder/Cargo.lock"
    {
        printf '[package]\nname = "hello"\nversion = "0.0.0"\nedition = "2024"\n\n[workspace]\n\n'
        printf '[profile.release]\nlto = "thin"\nstrip = true\n\n[dependencies]\n'
        cat
    } >"$folder/Cargo.toml"
    if [ -n "$2" ]; then cp "$root/$2" "$folder/Cargo.lock"; fi
    cat >"$folder/src/main.rs" <<<"$3"
}

# Builds it from nothing, and writes its row.
build() {
    local folder=$root/target/weight/$1 count bytes real user system
    cargo fetch --quiet --manifest-path "$folder/Cargo.toml"
    count=$(tree --manifest-path "$folder/Cargo.toml" | grep -cv '^hello ')
    rm -rf "$folder/target"
    compile() { cargo build --release --manifest-path "$folder/Cargo.toml" --target-dir "$folder/target" &>"$folder/log"; }
    TIMEFORMAT='%0R %0U %0S'
    read -r real user system < <({ time compile || tail -n 30 "$folder/log" >&3; } 3>&2 2>&1)
    bytes=$(stat -c %s "$folder/target/release/hello")
    rm -rf "$folder/target"
    printf '| %s | %s | %s | %s | %s.%s |\n' "$2" "$count" "$real" $((user + system)) $((bytes / 1000000)) $((bytes / 100000 % 10))
}

perennial_hyper() {
    hello perennial-hyper Cargo.lock '
use perennial_core::providers::navien::{Login, Navien};
use perennial_hyper::{Client, Setup};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let login = Login::new("grower@example.com", "correct horse battery")?;
    let session = Client::new().connect(Setup::new(Navien::default()).login(login)).await?;
    println!("hello, {}", session.account().unwrap_or_default().name);
    Ok(())
}' <<END
perennial-core = { path = "$root/core", default-features = false, features = ["navien"] }
perennial-hyper = { path = "$root/adapter-hyper" }
tokio = { version = "1", default-features = false, features = ["macros", "rt-multi-thread"] }
END
    build perennial-hyper "perennial-hyper, Navien"
}

perennial_blocking() {
    hello perennial-blocking Cargo.lock '
use perennial_blocking::{Client, Setup};
use perennial_core::providers::navien::{Login, Navien};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let login = Login::new("grower@example.com", "correct horse battery")?;
    let session = Client::new().connect(Setup::new(Navien::default()).login(login))?;
    println!("hello, {}", session.account().unwrap_or_default().name);
    Ok(())
}' <<END
perennial-blocking = { path = "$root/adapter-blocking" }
perennial-core = { path = "$root/core", default-features = false, features = ["navien"] }
END
    build perennial-blocking "perennial-blocking, Navien"
}

yup_oauth2() {
    hello yup-oauth2 tests/bench/peers/Cargo.lock '
use yup_oauth2::{ApplicationSecret, DeviceFlowAuthenticator};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let authenticator = DeviceFlowAuthenticator::builder(ApplicationSecret::default()).build().await?;
    let token = authenticator.token(&["https://example.com/scope"]).await?;
    println!("hello, {}", token.token().unwrap_or_default());
    Ok(())
}' <<END
tokio = { version = "1", default-features = false, features = ["macros", "rt-multi-thread"] }
yup-oauth2 = "12.1"
END
    build yup-oauth2 "yup-oauth2"
}

oauth2_reqwest() {
    hello oauth2-reqwest "" '
use oauth2::basic::BasicClient;
use oauth2::{ClientId, TokenResponse, TokenUrl, reqwest};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = BasicClient::new(ClientId::new("me".into())).set_token_uri(TokenUrl::new("https://example.com".into())?);
    let http = reqwest::ClientBuilder::new().redirect(reqwest::redirect::Policy::none()).build()?;
    let token = client.exchange_client_credentials().request_async(&http).await?;
    println!("hello, {}", token.access_token().secret());
    Ok(())
}' <<END
oauth2 = "5"
tokio = { version = "1", default-features = false, features = ["macros", "rt-multi-thread"] }
END
    build oauth2-reqwest "oauth2 + reqwest"
}

builds() {
    local all=(perennial_hyper perennial_blocking yup_oauth2 oauth2_reqwest) names=("$@") name
    [ $# -gt 0 ] || names=("${all[@]}")
    for name in "${names[@]}"; do
        if [[ " ${all[*]} " != *" $name "* ]]; then
            echo "there is no hello-world $name; there are: ${all[*]}" >&2
            return 2
        fi
    done
    echo "| hello-world | crates | clean build, s | of all cores, s | stripped, MB |"
    echo "| --- | ---: | ---: | ---: | ---: |"
    for name in "${names[@]}"; do "$name"; done
}

case ${1:-} in
crates) crates ;;
builds) builds "${@:2}" ;;
*)
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
