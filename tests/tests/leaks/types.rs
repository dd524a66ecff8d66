//! Every public type of the published crates, and what is known of it: that it holds no secret, or where it is shown
//! with one. A new public type fails the test until somebody has thought about it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::shown;

/// Folder and file of a crate's sources, and the type's name.
type Type = &'static str;

/// A reason, and the types that hold no secret because of it.
struct Innocent(&'static str, &'static [Type]);

const INNOCENT: &[Innocent] = &[
    Innocent(
        "names the possibilities, and carries numbers or words of this crate at most",
        &[
            "adapter-file/src/error.rs FileErrorKind",
            "adapter-redis/src/invalid_settings.rs InvalidSettings",
            "adapter/src/lib.rs SpawnError",
            "core/src/aws/mqtt.rs InvalidEndpoint",
            "core/src/credentials/lease.rs Generation",
            "core/src/credentials/lease.rs LeaseId",
            "core/src/error/import.rs ImportError",
            "core/src/session/work.rs Done",
            "core/src/session/work.rs Work",
            "core/src/wire/security.rs TransportSecurity",
            "core/src/credentials/secret.rs InvalidToken",
            "core/src/error/service.rs ServiceErrorKind",
            "core/src/error/transport.rs TransportErrorKind",
            "core/src/error/outcome.rs Outcome",
            "core/src/exchange.rs InvalidEnv",
            "core/src/exchange.rs LoginOwner",
            "core/src/exchange.rs Judgement",
            "core/src/wire/message.rs RequestId",
            "core/src/exchange.rs Consumes",
            "core/src/oauth2/grant_type.rs GrantType",
            "core/src/oauth2/authorize.rs AuthorizeError",
            "core/src/oauth2/es256.rs InvalidKey",
            "core/src/oauth2/pending.rs InvalidPending",
            "core/src/oauth2/pkce.rs InvalidVerifier",
            "core/src/oauth2/profile.rs ParameterTarget",
            "core/src/oauth2/profile.rs ResponseEncoding",
            "core/src/oauth2/profile.rs InvalidProfile",
            "core/src/oauth2/profile.rs IssuerInRedirect",
            "core/src/oauth2/profile.rs FieldCase",
            "core/src/oauth2/profile.rs Rotation",
            "core/src/oauth2/profile.rs ScopeSeparator",
            "core/src/oauth2/refusal.rs ErrorCode",
            "core/src/providers/auth0/jwt.rs JwtStatus",
            "core/src/providers/auth0/login.rs InvalidLogin",
            "core/src/providers/auth0/mod.rs Method",
            "core/src/providers/auth0/saved.rs InvalidJwt",
            "core/src/providers/auth0/settings.rs Authorization",
            "core/src/providers/auth0/settings.rs InvalidSettings",
            "core/src/providers/mosaia/method.rs SignInMethod",
            "core/src/providers/mosaia/settings.rs InvalidSettings",
            "core/src/providers/mosaia/consent.rs BeginError",
            "core/src/providers/mosaia/login.rs InvalidLogin",
            "core/src/providers/mosaia/mod.rs Method",
            "core/src/providers/navien/login.rs InvalidLogin",
            "core/src/providers/navien/settings.rs Authorization",
            "core/src/providers/navien/mod.rs Method",
            "core/src/providers/oauth2/login.rs InvalidLogin",
            "core/src/providers/oauth2/mod.rs Method",
            "core/src/providers/settrade/login.rs InvalidLogin",
            "core/src/providers/settrade/settings.rs InvalidAppCode",
            "core/src/providers/settrade/mod.rs Method",
            "core/src/session/io.rs State",
            "core/src/session/io.rs Timer",
            "core/src/session/policy.rs RefreshMode",
            "core/src/session/policy.rs SignOut",
            "core/src/error/store.rs StoreErrorKind",
            "core/src/store/mod.rs OpId",
            "core/src/wire/address.rs InvalidUrl",
        ],
    ),
    Innocent(
        "is times and numbers",
        &[
            "adapter/src/clock.rs ManualClock",
            "adapter/src/clock.rs SystemClock",
            "core/src/credentials/time.rs Deadline",
            "core/src/credentials/time.rs Now",
            "core/src/credentials/time.rs Validity",
            "core/src/credentials/time.rs Timestamp",
            "core/src/session/io.rs Stats",
            "core/src/session/io.rs Wake",
            "core/src/session/policy.rs Policy",
            "core/src/wire/json.rs Lifetime",
            "core/src/wire/lenient.rs Number",
        ],
    ),
    Innocent(
        "says where a service is and how it is spoken to, which is no secret: users and passwords in addresses are refused",
        &[
            "core/src/aws/mqtt.rs Mqtt",
            "core/src/oauth2/discovery.rs Discovery",
            "core/src/oauth2/discovery.rs Metadata",
            "core/src/providers/auth0/settings.rs Auth0",
            "core/src/providers/auth0/settings.rs Builder",
            "core/src/providers/mosaia/settings.rs Builder",
            "core/src/providers/mosaia/settings.rs Mosaia",
            "core/src/providers/navien/settings.rs Navien",
            "core/src/providers/settrade/settings.rs Settrade",
            "core/src/wire/url.rs BaseUrl",
        ],
    ),
    Innocent(
        "is the transport: what it carries passes through it and stays nowhere",
        &[
            "adapter-blocking/src/connector.rs Connector",
            "adapter-blocking/src/transport.rs HttpTransport",
            "adapter-blocking/src/transport/builder.rs HttpTransportBuilder",
            "adapter-blocking/src/transport/builder.rs InvalidRoots",
            "adapter-hyper/src/connector.rs Connector",
            "adapter-hyper/src/transport.rs HttpTransport",
            "adapter-hyper/src/transport/builder.rs HttpTransportBuilder",
            "adapter-hyper/src/transport/builder.rs InvalidRoots",
        ],
    ),
];

/// The types that are declared in the sources of the published crates, those only for tests left out.
fn declared() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    for published in ["core", "adapter", "adapter-hyper", "adapter-blocking", "adapter-file", "adapter-redis"] {
        collect(&root.join(published).join("src"), &mut files);
    }
    let mut found = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let place = file.strip_prefix(root).unwrap().display().to_string();
        for line in text.lines() {
            let rest =
                ["pub struct ", "pub enum ", "pub union "].iter().find_map(|word| line.trim().strip_prefix(word));
            let Some(rest) = rest else { continue };
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            found.insert(format!("{place} {name}"));
        }
    }
    found
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        // The reference model is for tests, and is never told a secret that is one.
        if path.is_dir() && !path.ends_with("core/src/testing") {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn every_public_type_is_shown_with_a_canary_or_known_to_hold_no_secret() {
    let declared = declared();
    let innocent: Vec<_> =
        INNOCENT.iter().flat_map(|Innocent(_, types)| *types).map(|name| (*name).to_owned()).collect();
    let shown: BTreeSet<_> = shown::all().into_iter().map(|shown| shown.of.to_owned()).collect();
    let known: BTreeSet<_> = innocent.iter().cloned().chain(shown.iter().cloned()).collect();
    let unknown: Vec<_> = declared.difference(&known).collect();
    let gone: Vec<_> = known.difference(&declared).collect();
    let both: Vec<_> = innocent.iter().filter(|name| shown.contains(*name)).collect();
    assert!(declared.len() > 100, "the sources are not found");
    assert!(unknown.is_empty(), "new public types, to be shown in shown.rs or listed here: {unknown:#?}");
    assert!(gone.is_empty(), "known types that are no more: {gone:#?}");
    assert!(both.is_empty() && INNOCENT.iter().all(|Innocent(reason, _)| !reason.is_empty()), "{both:?}");
}
