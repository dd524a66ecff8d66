//! Any answers for the exchanges of a provider.

use perennial_core::exchange::MAX_STEPS;
use perennial_core::{Credentials, Error, Exchange, Grant, LeaseId, Now, Provider, Response, Step};

use super::check::{check_error, check_grant, shown, written};
use super::input::{Part, parts};

/// Gives the exchanges of a provider any answers, one after the other; what one is granted, the next one holds.
///
/// # Panics
///
/// Where the provider panics, or grants what [`check_grant`] finds wrong, or says in an error what [`check_error`] finds
/// wrong, or makes of the same answers something else the second time.
pub fn answers<P: Provider>(provider: &P, login: &P::Login, data: &[u8]) {
    let Some((now, parts)) = parts(data) else { return };
    let mut parts = parts.into_iter().peekable();
    let mut have: Option<Credentials> = None;
    while let Some(part) = parts.next() {
        // An answer to nothing.
        let Part::Do(method) = part else { continue };
        let mut given = Vec::new();
        while let Some(Part::Answer(answer)) = parts.next_if(|part| matches!(part, Part::Answer(_))) {
            given.push(answer);
        }
        let run = || {
            let (exchange, is_sign_out) = begin(provider, login, have.as_ref(), method)?;
            Some((carry_out(exchange, &given, now), is_sign_out))
        };
        let Some((outcome, is_sign_out)) = run() else { continue };
        let again = run().map(|(outcome, _)| told(&outcome));
        assert!(again == Some(told(&outcome)), "the same answers mean something else the second time");
        match outcome {
            Some(Ok(grant)) if !is_sign_out => {
                check_grant(&grant, now);
                have = Credentials::from_grant(grant, have.as_ref()).or(have);
            }
            Some(Err((Error::Service(error), body))) => check_error(&error, &body),
            Some(Err((error, _))) => assert!(shown(&error).len() < 2500, "an error as long as the body"),
            Some(Ok(_)) | None => {}
        }
    }
}

/// The exchange of the method of this number, and whether it is the sign-out.
fn begin<P: Provider>(
    provider: &P,
    login: &P::Login,
    have: Option<&Credentials>,
    method: &[u8],
) -> Option<(P::Exchange, bool)> {
    let methods = LeaseId::ALL.into_iter().flat_map(|lease_id| provider.methods(lease_id));
    let methods: Vec<_> = methods.collect();
    let number = usize::from(method.first()?.wrapping_sub(b'0')) % (methods.len() + 1);
    match methods.get(number) {
        Some(method) => Some((provider.begin(**method, Some(login), have)?, false)),
        None => Some((provider.sign_out(have?)?, true)),
    }
}

type Outcome = Option<Result<Grant, (Error, Vec<u8>)>>;

/// What an exchange comes to, with the body that an error is about. `None` where it asks for more.
fn carry_out<X: Exchange<Output = Grant>>(mut exchange: X, answers: &[Response], now: Now) -> Outcome {
    exchange.start(now);
    for answer in answers.iter().take(MAX_STEPS as usize) {
        match exchange.receive(answer.clone(), now) {
            Ok(Step::Send(_)) => {}
            Ok(Step::Done(grant)) => return Some(Ok(grant)),
            Err(error) => return Some(Err((error, answer.body().as_ref().to_vec()))),
        }
    }
    None
}

/// In a form that two runs can be compared by.
fn told(outcome: &Outcome) -> Option<String> {
    outcome.as_ref().map(|outcome| match outcome {
        Ok(grant) => written(grant),
        Err((error, _)) => shown(error),
    })
}
