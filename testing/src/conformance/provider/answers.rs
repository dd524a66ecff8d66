//! What a provider makes of answers.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use perennial_core::credentials::check_token;
use perennial_core::wire::{Body, MAX_RETRY_AFTER};
use perennial_core::{Error, Grant, Provider, Response, ServiceErrorKind};

use super::odd::{self, Odd, SILENT};
use super::rig::{Replayed, Walk, tokens, told};
use super::subject::ProviderUnderTest;
use crate::conformance::case::does_not_apply;

/// Every answer of every exchange: which it is, and the right one.
fn each_answer<P: Provider>(walks: &[Walk<P>]) -> impl Iterator<Item = (&Walk<P>, usize, &Response)> {
    walks.iter().flat_map(|walk| walk.answers.iter().enumerate().map(move |(at, right)| (walk, at, right)))
}

pub(super) fn a_torn_answer_is_no_grant<P: Provider>(under_test: &mut ProviderUnderTest<P>) {
    let walks = under_test.walks();
    for (walk, at, right) in each_answer(&walks) {
        // Of the last one the grant is made; what comes before it may be a page that is looked through.
        let is_last = at + 1 == walk.answers.len();
        // A body that says nothing does not matter: what counts is in the headers.
        let matters = is_grant(&under_test.replay(walk, at, "the right answer", right))
            && !is_grant(&under_test.replay(walk, at, "an empty body", &emptied(right)));
        for (what, torn) in odd::torn(right) {
            let replayed = under_test.replay(walk, at, &what, &torn);
            let granted = is_last && matters && is_grant(&replayed);
            assert!(!granted, "`{}` takes {what} of answer {} for a grant", walk.name, at + 1);
        }
    }
}

fn emptied(right: &Response) -> Response {
    let mut response = right.clone();
    *response.body_mut() = Body::empty();
    response
}

fn is_grant(replayed: &Replayed) -> bool {
    matches!(replayed, Replayed::Granted(_))
}

pub(super) fn an_odd_answer_is_no_grant<P: Provider>(under_test: &mut ProviderUnderTest<P>) {
    let walks = under_test.walks();
    let bodies = odd::bodies();
    for (walk, at, right) in each_answer(&walks) {
        let statuses = odd::statuses(right);
        for (what, odd) in bodies.iter().chain(&statuses) {
            let granted = is_grant(&under_test.replay(walk, at, what, odd));
            assert!(!granted, "`{}` takes {what}, as answer {}, for a grant", walk.name, at + 1);
        }
        // A value that does not matter may be anything; what is granted all the same has to be whole.
        for (what, odd) in odd::values(right) {
            if let Replayed::Granted(grant) = under_test.replay(walk, at, &what, &odd) {
                check(walk, &what, &grant);
            }
        }
    }
}

fn check<P: Provider>(walk: &Walk<P>, what: &str, grant: &Grant) {
    for token in tokens(grant) {
        let usable = check_token(&token);
        assert!(usable.is_ok(), "with {what}, `{}` grants a token that no request can carry", walk.name);
    }
}

pub(super) fn an_odd_answer_refuses_nothing<P: Provider>(under_test: &mut ProviderUnderTest<P>) {
    let walks = under_test.walks();
    let bodies = odd::bodies();
    for (walk, at, right) in each_answer(&walks) {
        let silent = |(what, _): &Odd| SILENT.iter().any(|status| what.starts_with(&status.to_string()));
        let statuses: Vec<_> = odd::statuses(right).into_iter().filter(silent).collect();
        for (what, odd) in bodies.iter().chain(&statuses) {
            let Replayed::Failed(error) = under_test.replay(walk, at, what, odd) else { continue };
            let at = at + 1;
            assert!(
                !error.refuses_login(),
                "`{}` takes {what}, as answer {at}, for a refused login: {error}",
                walk.name
            );
            let refused = matches!(&error, Error::Service(error) if error.kind() == ServiceErrorKind::RefreshRefused);
            assert!(!refused, "`{}` takes {what}, as answer {at}, for a refused token: {error}", walk.name);
        }
    }
}

/// 77 s after [`START`](super::START).
const DATE: &str = "Tue, 14 Nov 2023 22:14:37 GMT";

pub(super) fn retry_after_is_heard<P: Provider>(under_test: &mut ProviderUnderTest<P>) {
    let walks = under_test.walks();
    for (walk, at, _) in each_answer(&walks) {
        for status in [429, 503] {
            for body in ["", "{}", "{\"error\":\"temporarily_unavailable\"}", "<html>busy</html>"] {
                for (value, expected) in [("77", 77), (DATE, 77), ("0", 0), ("864000", MAX_RETRY_AFTER.as_secs())] {
                    let what = format!("{status} with `Retry-After: {value}` and {body:?}");
                    let error = match under_test.replay(walk, at, &what, &odd::pause(status, value, body)) {
                        Replayed::Failed(error) => error,
                        Replayed::GrantedBefore => continue,
                        Replayed::Granted(_) | Replayed::Asks => {
                            panic!("`{}` takes {what} for something else than a failure", walk.name)
                        }
                    };
                    let heard = error.retry_after();
                    let expected = Duration::from_secs(expected);
                    assert!(heard == Some(expected), "`{}` hears {heard:?} of {what}: {error}", walk.name);
                }
            }
        }
        // A date that nobody can read is no reason to panic.
        let mut odd = odd::pause(503, "0", "");
        odd.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("Fri, 99 Foo 99999 25:61:61 GMT"));
        under_test.replay(walk, at, "503 with a `Retry-After` that is none", &odd);
    }
}

pub(super) fn a_refresh_token_is_kept_whatever_comes_beside_it<P: Provider>(under_test: &mut ProviderUnderTest<P>) {
    let walks = under_test.walks();
    let mut applies = false;
    for walk in &walks {
        let (Some(access), Some(refresh)) = (&walk.grant.access, &walk.grant.refresh_token) else { continue };
        let at = walk.answers.len() - 1;
        let right = &walk.answers[at];
        let Ok(body) = std::str::from_utf8(right.body().as_ref()) else { continue };
        if !body.contains(refresh.expose()) || !body.contains(access.expose()) {
            continue;
        }
        applies = true;
        // Another value of the same text may be beside it: whatever is left of the answer, the token is there.
        for bad in ["", " ", "a\\u0000b", "a\\r\\nb", "\\u00e9", &"a".repeat(70_000)] {
            let damaged = body.replace(access.expose(), bad);
            if !damaged.contains(refresh.expose()) || damaged.len() > perennial_core::wire::BODY_CAP {
                continue;
            }
            let mut answer = right.clone();
            *answer.body_mut() = Body::from(damaged.into_bytes());
            assert_eq!(answer.status(), StatusCode::OK, "`{}` is answered well", walk.name);
            let brief: String = bad.chars().take(12).collect();
            match under_test.replay(walk, at, "an access token that cannot be used", &answer) {
                Replayed::Granted(grant) => {
                    let kept = grant.refresh_token.is_some_and(|kept| kept.expose() == refresh.expose());
                    assert!(kept, "`{}` drops the refresh token beside the access token \"{brief}\"", walk.name);
                    let said = grant.access.is_some() || grant.flaw.is_some();
                    assert!(said, "`{}` does not say what is wrong with the access token \"{brief}\"", walk.name);
                }
                Replayed::Failed(error) => panic!(
                    "`{}` drops the refresh token beside the access token \"{brief}\": {}",
                    walk.name,
                    told(&error)
                ),
                Replayed::GrantedBefore | Replayed::Asks => {}
            }
        }
    }
    if !applies {
        does_not_apply("no answer has a refresh token");
    }
}
