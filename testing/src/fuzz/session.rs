//! Any history of a session.

use std::time::Duration;

use perennial_core::{
    Credentials, Error, Input, LeaseId, Now, Output, Policy, Provider, RequestId, Response, SavedSession, Secret,
    Session, SignOut, State, TransportError, TransportErrorKind,
};

use super::check::{check_hidden, check_saved, check_validity, shown};
use super::input::{Part, parts};

/// More than a session may ask for at one moment.
const MOST_OUTPUTS: usize = 1000;

/// Lets a session with this provider live through any history.
///
/// # Panics
///
/// Where the session is given credentials that are over or show in `Debug`, asks for two things at once, does not end
/// to ask, holds something after a sign-out, cannot read back what it saved, or does something else when the same
/// happens again. The rules of [`Rule`](crate::Rule) are tested by [`run`](crate::run), with a provider of this crate's.
///
/// A panic of the provider's own code is a failed attempt in a session: [`answers`](super::answers) finds it.
pub fn session<P: Provider>(provider: &P, login: &P::Login, data: &[u8]) {
    let Some((now, parts)) = parts(data) else { return };
    let first = live(provider, login, now, &parts);
    assert!(first == live(provider, login, now, &parts), "the same history comes to something else the second time");
}

/// What came of it, as text.
fn live<P: Provider>(provider: &P, login: &P::Login, now: Now, parts: &[Part<'_>]) -> Vec<String> {
    let session = Session::new(provider.clone(), login.clone(), Policy::default(), 7);
    let mut life = Life { provider, login, session, now, out: None, told: Vec::new() };
    life.settle();
    for part in parts {
        match part {
            Part::Answer(answer) => life.answered(answer),
            Part::Do(acts) => acts.iter().take(50).for_each(|act| life.act(*act)),
        }
    }
    life.told
}

struct Life<'a, P: Provider> {
    provider: &'a P,
    login: &'a P::Login,
    session: Session<P>,
    now: Now,
    out: Option<RequestId>,
    told: Vec<String>,
}

impl<P: Provider> Life<'_, P> {
    fn act(&mut self, act: u8) {
        let now = self.now;
        let lease_id = if act.is_ascii_uppercase() { LeaseId::Aws } else { LeaseId::Access };
        let session = &mut self.session;
        match act {
            b'd' | b'D' => session.demand(lease_id, now),
            b'r' | b'R' => session.renew(lease_id, now),
            b'x' | b'X' => {
                let generation = session.held().map(|held| held.generation(lease_id));
                if let Some(generation) = generation {
                    session.rejected(lease_id, generation, now);
                }
            }
            b'w' => {
                let at = session.next_wake().map_or(now.monotonic, |wake| wake.at);
                return self.passes(at.saturating_sub(now.monotonic));
            }
            b't' => return self.passes(Duration::from_secs(60)),
            b'T' => return self.passes(Duration::from_secs(24 * 3600)),
            b'l' => return self.fails(TransportErrorKind::MaybeSent),
            b'n' => return self.fails(TransportErrorKind::NotSent),
            b'o' => session.sign_out(SignOut::KeepLogin, now),
            b'O' => session.sign_out(SignOut::ForgetLogin, now),
            b'i' => session.sign_in(self.login.clone(), now),
            b'a' => {
                let refused = session.sign_in_again(now).err();
                self.told.extend(refused.map(|error| shown(&error)));
            }
            b'f' => session.forget_login(now),
            b'e' | b'E' => return self.goes_on(act == b'e'),
            b'c' => session.close(now),
            _ => return,
        }
        self.settle();
        if matches!(act, b'o' | b'O') {
            assert!(self.session.held().is_none(), "something is held after a sign-out");
            assert_eq!(self.session.state(), State::SignedOut);
        }
    }

    fn passes(&mut self, by: Duration) {
        let monotonic = self.now.monotonic.saturating_add(by);
        self.now = Now::new(self.now.wall.saturating_add(by), monotonic);
        self.session.handle_input(Input::Wake, self.now);
        self.settle();
    }

    fn answered(&mut self, answer: &Response) {
        // Without a request it is one that comes twice, which does no harm.
        let id = self.out.take().unwrap_or_default();
        self.session.handle_input(Input::Response(id, answer.clone()), self.now);
        self.settle();
    }

    fn fails(&mut self, kind: TransportErrorKind) {
        let id = self.out.take().unwrap_or_default();
        self.session.handle_input(Input::Failed(id, TransportError::new(kind)), self.now);
        self.settle();
    }

    /// In another process, with what was saved.
    fn goes_on(&mut self, with_login: bool) {
        let saved = self.session.export();
        let login = with_login.then(|| self.login.clone());
        self.session = Session::new(self.provider.clone(), login, Policy::default(), 8);
        self.out = None;
        if let Some(saved) = saved {
            check_saved(&saved, self.now);
            let json = saved.to_json();
            let read: Result<SavedSession, _> = self.provider.read_saved_session(json.expose().as_bytes(), self.now);
            let read = read.unwrap_or_else(|error| panic!("what a session exports is not read back: {error}"));
            // Another account than the login's is not taken up.
            let taken = self.session.import(read, self.now);
            self.told.push(format!("{taken:?}"));
        }
        self.settle();
    }

    fn settle(&mut self) {
        for _ in 0..MOST_OUTPUTS {
            match self.session.poll_output() {
                Output::Send(request) => {
                    assert!(self.out.is_none(), "two requests at once");
                    self.out = Some(request.id);
                    self.told.push(format!("{request:?}"));
                }
                Output::Cancel(id) => self.out = self.out.filter(|out| *out != id),
                Output::Event(event) => self.told.push(event.to_string()),
                Output::Store(op) => panic!("{op:?}: this session has no store"),
                Output::Sleep(wake) => {
                    self.told.push(format!("{wake:?} {}", self.session.state()));
                    return self.look();
                }
            }
        }
        panic!("the session does not end to ask");
    }

    fn look(&self) {
        for lease_id in LeaseId::ALL {
            let Some(held) = self.session.credentials(lease_id, self.now) else { continue };
            let validity = held.validity(lease_id);
            assert!(validity.is_some_and(|validity| !validity.is_expired(self.now)), "what is over is handed out");
            validity.into_iter().for_each(|validity| check_validity(validity, self.now));
            check_hidden(&format!("{:?} {held:?}", self.session), &secrets(held), &[]);
        }
        let obstacle: Option<Error> = self.session.obstacle(LeaseId::Access);
        assert!(obstacle.is_none_or(|error| shown(&error).len() < 5000), "an error as long as the body");
    }
}

fn secrets(held: &Credentials) -> Vec<&str> {
    let refresh = held.refresh_token().map(Secret::expose);
    std::iter::once(held.access().expose()).chain(refresh).collect()
}
