//! What the cases share: an exchange that is carried out, and carried out again with another answer.

use std::error::Error as _;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use http::HeaderMap;
use perennial_core::credentials::Secret;
use perennial_core::exchange::MAX_STEPS;
use perennial_core::{
    Credentials, Error, Exchange, Grant, LeaseId, Now, Provider, Request, Response, ServiceError, Step,
};

use super::subject::{ProviderUnderTest, START};

/// How many more requests are answered after an odd answer.
const MORE: usize = 3;

/// An exchange that went well.
pub(crate) struct Walk<P: Provider> {
    pub(crate) method: P::Method,
    pub(crate) name: &'static str,
    /// What was held when it began.
    pub(super) have: Option<Credentials>,
    pub(super) requests: Vec<Sent>,
    pub(crate) answers: Vec<Response>,
    pub(super) grant: Grant,
}

/// A request that was made.
pub(super) struct Sent {
    pub(super) uri: http::Uri,
    /// All of it as text, as it is and decoded.
    pub(super) text: String,
    /// Whether the exchange says that it has shown the login by then.
    pub(super) has_shown_login: bool,
}

/// What came of an odd answer.
pub(super) enum Replayed {
    /// A grant, which this answer has a part in.
    Granted(Box<Grant>),
    /// What had come before is enough.
    GrantedBefore,
    Failed(Error),
    /// It asks for more, and more again.
    Asks,
}

impl Sent {
    pub(super) fn new(request: &Request, has_shown_login: bool) -> Self {
        let http = &request.http;
        let mut text = format!("{} {}", http.method(), http.uri());
        text.push_str(&written(http.headers()));
        text.push_str(&String::from_utf8_lossy(http.body().as_ref()));
        let decoded = decoded(&text);
        Self { uri: http.uri().clone(), text: text + "\n" + &decoded, has_shown_login }
    }

    pub(super) fn shows(&self, secret: &str) -> bool {
        shows(&self.text, secret)
    }
}

/// Headers as text.
fn written(headers: &HeaderMap) -> String {
    headers.iter().fold(String::new(), |mut text, (name, value)| {
        // Into memory: it cannot fail.
        let _ = write!(text, "\n{name}: {}", String::from_utf8_lossy(value.as_bytes()));
        text
    })
}

/// The text with `%XX` and `+` decoded.
pub(super) fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match (first, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether a text shows this secret. One of a few letters would be there by chance.
pub(super) fn shows(text: &str, secret: &str) -> bool {
    secret.len() >= 4 && text.contains(secret)
}

/// Every token of a grant.
pub(super) fn tokens(grant: &Grant) -> Vec<String> {
    let aws = grant.aws.iter().flat_map(|aws| [aws.access_key_id(), aws.secret_access_key(), aws.session_token()]);
    let others = [&grant.refresh_token, &grant.id_token].into_iter().flatten();
    let access = grant.access.iter().map(|access| access.expose().to_owned());
    access.chain(aws.chain(others).map(|secret| secret.expose().to_owned())).collect()
}

/// Every token that is held.
pub(super) fn tokens_held(have: &Credentials) -> Vec<String> {
    let aws =
        have.aws().into_iter().flat_map(|aws| [aws.access_key_id(), aws.secret_access_key(), aws.session_token()]);
    let others = [have.refresh_token(), have.id_token()].into_iter().flatten();
    let access = std::iter::once(have.access().expose().to_owned());
    access.chain(aws.chain(others).map(|secret| secret.expose().to_owned())).collect()
}

/// All that an error says, its sources included.
pub(super) fn told(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut next = error.source();
    while let Some(cause) = next {
        let _ = write!(text, ": {cause} {cause:?}");
        next = cause.source();
    }
    text
}

impl<P: Provider> Walk<P> {
    /// What is held after it.
    pub(super) fn held(&self) -> Option<Credentials> {
        Credentials::from_grant(self.grant.clone(), self.have.as_ref())
    }

    /// Every token that was held before it or came by it.
    pub(super) fn tokens(&self) -> Vec<String> {
        let held = self.have.iter().flat_map(tokens_held);
        held.chain(tokens(&self.grant)).collect()
    }

    /// Whether all that is granted has come in the answers before this one: what that one says does not matter then.
    pub(super) fn had_come(&self, grant: &Grant, at: usize) -> bool {
        let text = |answer: &Response| {
            let text = written(answer.headers()) + &String::from_utf8_lossy(answer.body().as_ref());
            decoded(&text) + &text
        };
        let earlier: String = self.answers[..at].iter().map(text).collect();
        tokens(grant).iter().all(|token| shows(&earlier, token))
    }

    pub(super) fn refresh_token(&self) -> Option<&str> {
        self.have.as_ref()?.refresh_token().map(Secret::expose)
    }
}

impl<P: Provider> ProviderUnderTest<P> {
    /// An exchange of each method that the service answers with a grant, those that sign in first.
    pub(crate) fn walks(&mut self) -> Vec<Walk<P>> {
        let mut walks: Vec<Walk<P>> = Vec::new();
        let mut have: Option<Credentials> = None;
        for lease_id in LeaseId::ALL {
            for method in self.provider.methods(lease_id).iter().rev() {
                if walks.iter().any(|walk| walk.method == *method) {
                    continue;
                }
                let Some(exchange) = self.provider.begin(*method, Some(&self.login), have.as_ref()) else { continue };
                let name = self.provider.method_name(*method);
                let (requests, answers, outcome) = self.carry_out(exchange, START);
                let grant = outcome.unwrap_or_else(|error| panic!("`{name}` at the service: {}", told(&error)));
                assert!(grant.flaw.is_none(), "`{name}` at the service: {:?}", grant.flaw);
                let walk = Walk { method: *method, name, have: have.clone(), requests, answers, grant };
                have = walk.held().or(have);
                walks.push(walk);
            }
        }
        assert!(have.is_some(), "no method makes an exchange that brings an access token for this login");
        walks
    }

    /// What is held after all of them.
    pub(super) fn held(&mut self) -> Credentials {
        let held = self.walks().iter().rev().find_map(Walk::held);
        held.unwrap_or_else(|| panic!("the service grants no access token"))
    }

    /// Carries an exchange out at the service.
    pub(super) fn carry_out(
        &mut self,
        mut exchange: P::Exchange,
        now: Now,
    ) -> (Vec<Sent>, Vec<Response>, Result<Grant, Error>) {
        let (mut requests, mut answers) = (Vec::new(), Vec::new());
        let mut request = exchange.start(now);
        for _ in 0..MAX_STEPS {
            requests.push(Sent::new(&request, exchange.has_shown_login()));
            let answer = (self.service)(&request, now);
            answers.push(answer.clone());
            match exchange.receive(answer, now) {
                Ok(Step::Send(next)) => request = next,
                Ok(Step::Done(grant)) => return (requests, answers, Ok(grant)),
                Err(error) => return (requests, answers, Err(error)),
            }
        }
        (requests, answers, Err(ServiceError::endless().into()))
    }

    /// The same exchange again, with this answer in place of that one, and to what it asks then. A panic is told with
    /// what was answered.
    pub(super) fn replay(&self, walk: &Walk<P>, at: usize, what: &str, odd: &Response) -> Replayed {
        let replayed = catch_unwind(AssertUnwindSafe(|| {
            let exchange = self.provider.begin(walk.method, Some(&self.login), walk.have.as_ref());
            let mut exchange = exchange.unwrap_or_else(|| panic!("`{}` makes an exchange once only", walk.name));
            exchange.start(START);
            let answers = walk.answers[..at].iter().chain(std::iter::repeat_n(odd, 1 + MORE));
            for answer in answers {
                match exchange.receive(answer.clone(), START) {
                    Ok(Step::Send(_)) => {}
                    Ok(Step::Done(grant)) if at > 0 && walk.had_come(&grant, at) => return Replayed::GrantedBefore,
                    Ok(Step::Done(grant)) => return Replayed::Granted(Box::new(grant)),
                    Err(error) => return Replayed::Failed(error),
                }
            }
            Replayed::Asks
        }));
        replayed.unwrap_or_else(|_| panic!("`{}` panics at {what}, as answer {}", walk.name, at + 1))
    }
}
