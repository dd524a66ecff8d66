//! What is right at the services beside Navien, written down by hand: what a fault is at any service that answers
//! with JSON, where a service differs, and what each operation makes of it. The words are those of `expected.rs`.

use perennial_emulator::Fault;
use serde_json::json;

use crate::services::{Auth0, Before, Mosaia, OAuth, Service, Settrade};

/// What a service makes of the faults.
pub(crate) trait Expected: Service {
    /// The field that tells how long an access token lives; none where answers are pages.
    const LIFETIME: Option<&'static str>;

    /// Whether the tokens stand in `data`.
    const DATA: bool = false;

    /// What differs from [`usual`]; by operation.
    fn exception(fault: &str, operation: usize) -> Option<&'static str>;

    /// What callers get of a renewal that failed so.
    fn fallen(kind: &str) -> Vec<String>;
}

/// The rows: all that the emulator has and that means something at this service.
pub(crate) fn faults<S: Expected>() -> Vec<Fault> {
    let mut all: Vec<_> = Fault::all().into_iter().filter_map(translated::<S>).collect();
    if let Some(lifetime) = S::LIFETIME {
        let field = |json| Fault::Lifetime { field: lifetime.to_owned(), json };
        all.push(Fault::MissingField(lifetime.to_owned()));
        all.extend([field(json!(true)), field(json!("soon"))]);
    }
    all
}

/// The same with the service's own names; `None` where it has nothing like it.
fn translated<S: Expected>(fault: Fault) -> Option<Fault> {
    const ACCESS: &str = "authenticationExpiresIn";
    let lifetime = S::LIFETIME.map(str::to_owned);
    match fault {
        Fault::Lifetime { field, json } => (field == ACCESS).then_some(Fault::Lifetime { field: lifetime?, json }),
        Fault::LifetimeText { field, text } => {
            (field == ACCESS).then_some(Fault::LifetimeText { field: lifetime?, text })
        }
        Fault::MissingField(field) => match &*field {
            "accessToken" => lifetime.map(|_| Fault::MissingField("access_token".to_owned())),
            "refreshToken" => lifetime.map(|_| Fault::MissingField("refresh_token".to_owned())),
            _ => None,
        },
        Fault::WrongTypes => S::DATA.then_some(Fault::WrongTypes),
        fault @ (Fault::CodeInEnvelope(_)
        | Fault::NoData
        | Fault::EmptyTokens
        | Fault::ControlCharacters
        | Fault::DuplicateKeys
        | Fault::InvalidUtf8) => lifetime.map(|_| fault),
        fault => Some(fault),
    }
}

/// All that is right for a cell: over plain HTTP it is a race whether a request has left before the peer breaks off.
pub(crate) fn right<S: Expected>(fault: &str, operation: usize) -> Vec<String> {
    let kind = S::exception(fault, operation).unwrap_or_else(|| usual(fault));
    let renews = S::OPERATIONS[operation].session == Before::SignedIn;
    let one = |text: &str| vec![text.to_owned()];
    match (kind, renews) {
        ("breaks", false) => vec!["not sent".to_owned(), "maybe sent".to_owned()],
        ("breaks", true) => {
            let mut all = one("not sent");
            all.extend(S::fallen("maybe sent"));
            all.extend(["maybe sent > not sent", "maybe sent > maybe sent"].map(str::to_owned));
            all
        }
        ("over" | "kept", _) => one("Malformed"),
        ("Refused", false) => one("stops: InvalidCredentials"),
        ("Refused", true) => S::fallen("RefreshRefused"),
        (kind, true) if !is_unprocessed(kind) && !kind.starts_with("ok") => S::fallen(kind),
        (kind, _) => one(kind),
    }
}

/// Nothing has happened to the token: it is shown again, later.
fn is_unprocessed(kind: &str) -> bool {
    kind.starts_with("RateLimited") || kind.starts_with("Unavailable")
}

/// At any service.
fn usual(fault: &str) -> &'static str {
    match fault {
        // The connection breaks, or is silent.
        "close at once" | "reset before reading" => "breaks",
        "reset" | "not http" | "lost answer" | "torn body" | "torn chunk" | "endless head" => "maybe sent",
        "gzip" | "gzip garbage" => "maybe sent",
        "stall at once" | "stall" | "stall in head" | "stall in body" | "drip head" | "drip body" => "timed out",
        "huge" => "too large",
        // Somebody else answers.
        "captive portal" => "Malformed",
        "status 401" => "Refused",
        "status 404" | "status 405" => "Unsupported",
        // A gateway's page says nothing of the endpoint.
        "status 501" => "Malformed",
        "status 429" => "RateLimited",
        "status 503, Retry-After: 2" => "Unavailable 2s",
        "status 503, Retry-After: 99999999999999999999" => "Unavailable 86400s",
        "status 503, Retry-After: Wed, 21 Oct 2015 07:28:00 GMT" => "Unavailable 0ns",
        _ if fault.starts_with("status ") => "Service",
        _ if fault.starts_with("redirect ") || fault.starts_with("code ") => "Malformed",
        // The answer is late, or odd, and good.
        "latency" | "overlong body" | "bom" | "no date" | "date yesterday" | "no refresh_token" => "ok",
        // It is spoiled.
        "empty body" | "no data" | "wrong types" | "empty tokens" => "Malformed",
        // The refresh token beside it is kept: nothing is lost.
        "no access_token" => "kept",
        "control characters" | "duplicate keys" | "deep json" | "utf-16" | "invalid utf-8" => "Malformed",
        // In 1970: it has ended before it came. Nobody gets it, but the answer was heard: nothing is lost.
        "exp: \"3600\"" => "over",
        // No JSON.
        _ if fault.ends_with(": NaN (bare)") || fault.ends_with(": 1e400 (bare)") => "Malformed",
        _ => "a row in others.rs",
    }
}

/// Of a token that ends at a moment: what is none leaves the end unknown, a year is the most.
fn ends(fault: &str) -> Option<&'static str> {
    Some(match fault {
        "no exp" | "exp: 0" | "exp: -1" | "exp: null" | "exp: true" | "exp: \"soon\"" => "ok, access of unknown length",
        "exp: 1000000000000000000" | "exp: 1e+300" => "ok, access 31622400s",
        _ => return None,
    })
}

impl Expected for Mosaia {
    const LIFETIME: Option<&'static str> = Some("exp");
    const DATA: bool = true;

    fn exception(fault: &str, _operation: usize) -> Option<&'static str> {
        ends(fault)
    }

    /// Sign-ins and refreshes have one endpoint: the sign-in after a failed refresh is struck too.
    fn fallen(kind: &str) -> Vec<String> {
        vec![match kind {
            "RefreshRefused" => "stops: InvalidCredentials".to_owned(),
            kind => format!("{kind} > {kind}"),
        }]
    }
}

impl Expected for Settrade {
    const LIFETIME: Option<&'static str> = Some("expires_in");

    fn exception(fault: &str, operation: usize) -> Option<&'static str> {
        let refresh = Self::OPERATIONS[operation].session == Before::SignedIn;
        Some(match fault {
            // Every connection stalls, the one of the login too.
            "stall at once" if refresh => "both time out",
            // In the service's own words: this token will not do.
            "status 403" if refresh => "Refused",
            // No code is known: one that is no success is waited out.
            _ if fault.starts_with("code ") => "Service",
            // An hour where the service says nothing that makes sense, a year at most.
            "expires_in: 0" | "expires_in: -1" | "expires_in: null" | "expires_in: \"soon\"" => "ok",
            "expires_in: \"3600\"" | "no expires_in" => "ok",
            "expires_in: 1000000000000000000" | "expires_in: 1e+300" => "ok, access 31622400s",
            "expires_in: true" => "Malformed",
            _ => return None,
        })
    }

    fn fallen(kind: &str) -> Vec<String> {
        vec![match kind {
            "both time out" => "timed out > timed out".to_owned(),
            kind => format!("{kind} > sign-in"),
        }]
    }
}

impl Expected for Auth0 {
    const LIFETIME: Option<&'static str> = None;

    fn exception(fault: &str, operation: usize) -> Option<&'static str> {
        let page = Self::OPERATIONS[operation].name;
        // Cookies and a redirect are all that counts, so far as it goes.
        let redirects = matches!(page, "login" | "way back");
        Some(match fault {
            // A status alone is no word about the login, and a page that is missing may be back tomorrow.
            "status 401" | "status 404" | "status 405" | "status 501" => "Service",
            "empty body" | "deep json" | "utf-16" => match page {
                // The state is in a cookie too; the site does not take that one, and says so on the second page.
                "first page" => "Service",
                "second page" => "Malformed",
                _ => "ok",
            },
            // There is no body.
            "drip body" if redirects => "ok",
            _ => return None,
        })
    }

    /// Nothing is renewed here but by signing in.
    fn fallen(_kind: &str) -> Vec<String> {
        Vec::new()
    }
}

impl Expected for OAuth {
    const LIFETIME: Option<&'static str> = Some("exp");

    fn exception(fault: &str, _operation: usize) -> Option<&'static str> {
        Some(match fault {
            // Only `invalid_grant` refuses a refresh token.
            "status 401" => "Service",
            // No whole number: nothing is known.
            "exp: 1e+300" | "exp: 1e400 (bare)" => "ok, access of unknown length",
            _ => return ends(fault),
        })
    }

    /// Without a login the token is shown once more, later. If the service has spent it, a person has to sign in.
    fn fallen(kind: &str) -> Vec<String> {
        vec![match kind {
            "RefreshRefused" => format!("stops: SignInRequired, {kind}"),
            kind => kind.to_owned(),
        }]
    }
}
