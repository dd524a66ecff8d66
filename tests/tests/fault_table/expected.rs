//! What is right, written down by hand: from the design's verdicts and the service's description.
//!
//! | a cell | |
//! | --- | --- |
//! | `ok` | the right credentials, by the method that the fault struck; what is unusual about their lifetimes behind it |
//! | `A > R` | the method failed with A; the right credentials by method R, at once |
//! | `A > B` | the method failed with A and the next one with B, which is what callers get |
//! | `A` | callers get A; the session tries again by itself, after a pause that A tells |
//! | `stops: A` | callers get A, and only a new sign-in helps |
//!
//! Small letters: what the transport did. Capitals: what the service said, or what stands in the session's way.

/// One row.
pub(crate) struct Row {
    pub(crate) fault: &'static str,
    /// Sign-in, refresh, AWS renewal.
    pub(crate) cells: [&'static str; 3],
}

const fn row(fault: &'static str, sign_in: &'static str, refresh: &'static str, aws_renewal: &'static str) -> Row {
    Row { fault, cells: [sign_in, refresh, aws_renewal] }
}

/// Without TLS it is a race whether the request has left when the peer breaks a connection that it has accepted.
/// Where it has left, the refresh falls to a sign-in, which strikes the same.
pub(crate) fn over_plain_http(row: &Row, operation: usize) -> Vec<&'static str> {
    const REFRESH: usize = 1;
    match row.fault {
        "close at once" | "reset before reading" if operation == REFRESH => {
            vec!["not sent", "maybe sent > not sent", "maybe sent > maybe sent"]
        }
        "close at once" | "reset before reading" => vec!["not sent", "maybe sent"],
        _ => vec![row.cells[operation]],
    }
}

/// Over TLS.
pub(crate) const TABLE: &[Row] = &[
    // The connection breaks before anything was performed. Over TLS the handshake proves that nothing was sent.
    row("close at once", "not sent", "not sent", "not sent"),
    row("reset before reading", "not sent", "not sent", "not sent"),
    // Every connection stalls, the one of the fallback too.
    row("stall at once", "timed out", "timed out > timed out", "timed out"),
    row("reset", "maybe sent", "maybe sent > sign-in", "maybe sent"),
    row("stall", "timed out", "timed out > sign-in", "timed out"),
    row("not http", "maybe sent", "maybe sent > sign-in", "maybe sent"),
    // Somebody else answers.
    row("captive portal", "Malformed", "Malformed > sign-in", "Malformed"),
    row("status 400", "Service", "Service > sign-in", "Service"),
    row("status 401", "stops: InvalidCredentials", "RefreshRefused > sign-in", "RefreshRefused > secured sign-in"),
    // Gateways answer so too: it says nothing about the password. In the service's own envelope it refuses a token.
    row("status 403", "Service", "RefreshRefused > sign-in", "RefreshRefused > secured sign-in"),
    row("status 404", "Unsupported", "Unsupported > sign-in", "Unsupported > secured sign-in"),
    row("status 405", "Unsupported", "Unsupported > sign-in", "Unsupported > secured sign-in"),
    row("status 408", "Service", "Service > sign-in", "Service"),
    // The service has not looked at the refresh token: no reason to spend a sign-in.
    row("status 429", "RateLimited", "RateLimited", "RateLimited"),
    row("status 500", "Service", "Service > sign-in", "Service"),
    // A gateway's page says nothing of the endpoint.
    row("status 501", "Malformed", "Malformed > sign-in", "Malformed"),
    row("status 502", "Service", "Service > sign-in", "Service"),
    row("status 503", "Service", "Service > sign-in", "Service"),
    row("status 504", "Service", "Service > sign-in", "Service"),
    row("status 503, Retry-After: 2", "Unavailable 2s", "Unavailable 2s", "Unavailable 2s"),
    // No number by RFC 9110: as if it were not there.
    row("status 503, Retry-After: 1e18", "Service", "Service > sign-in", "Service"),
    row("status 503, Retry-After: -5", "Service", "Service > sign-in", "Service"),
    row(
        "status 503, Retry-After: 99999999999999999999",
        "Unavailable 86400s",
        "Unavailable 86400s",
        "Unavailable 86400s",
    ),
    row("status 503, Retry-After: soon", "Service", "Service > sign-in", "Service"),
    // In the past: our own pause remains.
    row(
        "status 503, Retry-After: Wed, 21 Oct 2015 07:28:00 GMT",
        "Unavailable 0ns",
        "Unavailable 0ns",
        "Unavailable 0ns",
    ),
    row(
        "code 401 under status 200",
        "stops: InvalidCredentials",
        "RefreshRefused > sign-in",
        "RefreshRefused > secured sign-in",
    ),
    row("code 404 under status 200", "Unsupported", "Unsupported > sign-in", "Unsupported > secured sign-in"),
    row("code 429 under status 200", "RateLimited", "RateLimited", "RateLimited"),
    row("code 500 under status 200", "Service", "Service > sign-in", "Service"),
    row("redirect 301", "Malformed", "Malformed > sign-in", "Malformed"),
    row("redirect 302", "Malformed", "Malformed > sign-in", "Malformed"),
    row("redirect 303", "Malformed", "Malformed > sign-in", "Malformed"),
    row("redirect 307", "Malformed", "Malformed > sign-in", "Malformed"),
    row("redirect 308", "Malformed", "Malformed > sign-in", "Malformed"),
    row("status 500 that says invalid user", "Service", "Service > sign-in", "Service"),
    // Performed, but the answer is late, torn or without an end.
    row("latency", "ok", "ok", "ok"),
    row("lost answer", "maybe sent", "maybe sent > sign-in", "maybe sent"),
    row("stall in head", "timed out", "timed out > sign-in", "timed out"),
    row("stall in body", "timed out", "timed out > sign-in", "timed out"),
    row("torn body", "maybe sent", "maybe sent > sign-in", "maybe sent"),
    row("torn chunk", "maybe sent", "maybe sent > sign-in", "maybe sent"),
    // The length says where the answer ends; the connection is not used again.
    row("overlong body", "ok", "ok", "ok"),
    row("drip head", "timed out", "timed out > sign-in", "timed out"),
    row("drip body", "timed out", "timed out > sign-in", "timed out"),
    row("endless head", "maybe sent", "maybe sent > sign-in", "maybe sent"),
    row("huge", "too large", "too large > sign-in", "too large"),
    // Performed, but the answer is spoiled.
    row("empty body", "Malformed", "Malformed > sign-in", "Malformed"),
    row("no data", "Malformed", "Malformed > sign-in", "Malformed"),
    row("wrong types", "Malformed", "Malformed > sign-in", "Malformed"),
    // The refresh token beside it is kept: nothing is lost.
    row("no accessToken", "Malformed", "Malformed", "ok"),
    row("no refreshToken", "ok", "ok", "ok"),
    // Half an AWS set is none; the access token beside it is good.
    row("no secretKey", "ok, no AWS", "ok", "Malformed"),
    row("no token", "Malformed", "ok", "ok"),
    row("empty tokens", "Malformed", "Malformed > sign-in", "NotGranted > secured sign-in"),
    row("control characters", "Malformed", "Malformed > sign-in", "Malformed"),
    row("duplicate keys", "Malformed", "Malformed > sign-in", "Malformed"),
    row("deep json", "Malformed", "Malformed > sign-in", "Malformed"),
    row("gzip", "maybe sent", "maybe sent > sign-in", "maybe sent"),
    row("gzip garbage", "maybe sent", "maybe sent > sign-in", "maybe sent"),
    row("utf-16", "Malformed", "Malformed > sign-in", "Malformed"),
    row("bom", "ok", "ok", "ok"),
    row("invalid utf-8", "Malformed", "Malformed > sign-in", "Malformed"),
    row("no date", "ok", "ok", "ok"),
    row("date yesterday", "ok", "ok", "ok"),
    // Lifetimes of the access token: an hour where the service says nothing that makes sense, a year at most.
    row("no authenticationExpiresIn", "ok", "ok", "ok"),
    row("authenticationExpiresIn: 0", "ok", "ok", "ok"),
    row("authenticationExpiresIn: -1", "ok", "ok", "ok"),
    row("authenticationExpiresIn: null", "ok", "ok", "ok"),
    row("authenticationExpiresIn: \"\"", "ok", "ok", "ok"),
    row("authenticationExpiresIn: \"NaN\"", "ok", "ok", "ok"),
    row("authenticationExpiresIn: \"soon\"", "ok", "ok", "ok"),
    row("authenticationExpiresIn: \"3600\"", "ok", "ok", "ok"),
    row("authenticationExpiresIn: 10", "ok, access 10s", "ok, access 10s", "ok"),
    row("authenticationExpiresIn: 3600.75", "ok, access 3600.75s", "ok, access 3600.75s", "ok"),
    row("authenticationExpiresIn: 1000000000000000000", "ok, access 31622400s", "ok, access 31622400s", "ok"),
    row("authenticationExpiresIn: 1e+300", "ok, access 31622400s", "ok, access 31622400s", "ok"),
    row(
        "authenticationExpiresIn: 9999999999999999999999999999999999999999 (bare)",
        "ok, access 31622400s",
        "ok, access 31622400s",
        "ok",
    ),
    row("authenticationExpiresIn: true", "Malformed", "Malformed > sign-in", "Malformed"),
    row("authenticationExpiresIn: [3600]", "Malformed", "Malformed > sign-in", "Malformed"),
    row("authenticationExpiresIn: NaN (bare)", "Malformed", "Malformed > sign-in", "Malformed"),
    row("authenticationExpiresIn: 1e400 (bare)", "Malformed", "Malformed > sign-in", "Malformed"),
    // Lifetimes of the AWS credentials: unknown stays unknown. A refresh brings none of them.
    row("no authorizationExpiresIn", "ok, AWS of unknown length", "ok", "ok, AWS of unknown length"),
    row("authorizationExpiresIn: 0", "ok, AWS of unknown length", "ok", "ok, AWS of unknown length"),
    row("authorizationExpiresIn: -1", "ok, AWS of unknown length", "ok", "ok, AWS of unknown length"),
    row("authorizationExpiresIn: null", "ok, AWS of unknown length", "ok", "ok, AWS of unknown length"),
    row("authorizationExpiresIn: \"\"", "ok, AWS of unknown length", "ok", "ok, AWS of unknown length"),
    row("authorizationExpiresIn: \"NaN\"", "ok, AWS of unknown length", "ok", "ok, AWS of unknown length"),
    row("authorizationExpiresIn: \"soon\"", "ok, AWS of unknown length", "ok", "ok, AWS of unknown length"),
    row("authorizationExpiresIn: \"3600\"", "ok", "ok", "ok"),
    row("authorizationExpiresIn: 10", "ok, AWS 10s", "ok", "ok, AWS 10s"),
    row("authorizationExpiresIn: 3600.75", "ok, AWS 3600.75s", "ok", "ok, AWS 3600.75s"),
    row("authorizationExpiresIn: 1000000000000000000", "ok, AWS 31622400s", "ok", "ok, AWS 31622400s"),
    row("authorizationExpiresIn: 1e+300", "ok, AWS 31622400s", "ok", "ok, AWS 31622400s"),
    row(
        "authorizationExpiresIn: 9999999999999999999999999999999999999999 (bare)",
        "ok, AWS 31622400s",
        "ok",
        "ok, AWS 31622400s",
    ),
    row("authorizationExpiresIn: true", "Malformed", "Malformed > sign-in", "Malformed"),
    row("authorizationExpiresIn: [3600]", "Malformed", "Malformed > sign-in", "Malformed"),
    row("authorizationExpiresIn: NaN (bare)", "Malformed", "Malformed > sign-in", "Malformed"),
    row("authorizationExpiresIn: 1e400 (bare)", "Malformed", "Malformed > sign-in", "Malformed"),
    row("authorizationExpiresIn: -1e400 (bare)", "Malformed", "Malformed > sign-in", "Malformed"),
];
