//! Sessions and the tokens that were issued in them: who has which, until when, and which were used up.
//!
//! Every token service keeps these books. What differs (names of fields, words of a refusal) is the service's.

use crate::clock::Clock;
use crate::tokens::Mint;
use std::collections::HashMap;
use std::time::Duration;

/// What a refresh does to the refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Each refresh brings a new one and spends the old; a spent one used again revokes the whole session.
    Rotating,
    /// The same, but a spent one used again is only refused.
    RotatingLenient,
    /// One refresh token for the whole session.
    Fixed,
}

/// A session's place in the ledger, from 0.
pub(crate) type SessionId = usize;

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invalid {
    /// Nobody knows it, it has expired, or it was revoked alone or with its session.
    Dead,
    /// It was spent before.
    Reused,
}

/// The books of one service. `K` tells its kinds of tokens apart.
pub(crate) struct Ledger<K> {
    clock: Clock,
    mint: Mint,
    sessions: Vec<Session>,
    /// In the order of their issue.
    tokens: Vec<Token<K>>,
    /// The place of each token in that list.
    places: HashMap<String, usize>,
}

struct Session {
    owner: String,
    ended: bool,
}

struct Token<K> {
    kind: K,
    text: String,
    session: SessionId,
    /// By the clock's [`elapsed`](Clock::elapsed).
    expires_at: Duration,
    state: TokenState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TokenState {
    Good,
    Spent,
    Revoked,
}

impl<K: PartialEq> Ledger<K> {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, mint: Mint::default(), sessions: Vec::new(), tokens: Vec::new(), places: HashMap::new() }
    }

    /// What makes tokens that are not kept here.
    pub(crate) fn mint(&self) -> &Mint {
        &self.mint
    }

    // -- Sessions.

    /// Opens a session of this owner: an e-mail address, or the id of a program.
    pub(crate) fn open_session(&mut self, owner: &str) -> SessionId {
        self.sessions.push(Session { owner: owner.to_owned(), ended: false });
        self.sessions.len() - 1
    }

    /// Ends a session: none of its tokens is good any more.
    pub(crate) fn end_session(&mut self, session: SessionId) {
        self.sessions[session].ended = true;
    }

    /// Ends all sessions of this owner.
    pub(crate) fn end_sessions_of(&mut self, owner: &str) {
        for session in self.sessions.iter_mut().filter(|session| session.owner == owner) {
            session.ended = true;
        }
    }

    pub(crate) fn owner(&self, session: SessionId) -> &str {
        &self.sessions[session].owner
    }

    /// How many sessions of this owner have not been ended.
    pub(crate) fn live_sessions(&self, owner: &str) -> usize {
        self.sessions.iter().filter(|session| !session.ended && session.owner == owner).count()
    }

    // -- Issuing.

    /// Issues a new JWT that expires after `lifetime`, and says so.
    pub(crate) fn issue_jwt(&mut self, kind: K, session: SessionId, subject: &str, lifetime: Duration) -> String {
        let (issued_at, expires_at) = self.validity(lifetime);
        self.issue(kind, session, self.mint.jwt(subject, "access", issued_at, expires_at), lifetime)
    }

    /// Issues a new token that says nothing.
    pub(crate) fn issue_opaque(&mut self, kind: K, session: SessionId, lifetime: Duration) -> String {
        self.issue(kind, session, self.mint.opaque(), lifetime)
    }

    /// Issues this token, which nobody may have had before.
    pub(crate) fn issue(&mut self, kind: K, session: SessionId, text: String, lifetime: Duration) -> String {
        self.issue_until(kind, session, text, self.clock.elapsed().saturating_add(lifetime))
    }

    /// Issues a new token that says nothing and expires when this other one does.
    pub(crate) fn issue_beside(&mut self, kind: K, other: &str) -> Option<String> {
        let Token { session, expires_at, .. } = *self.find(other)?;
        Some(self.issue_until(kind, session, self.mint.opaque(), expires_at))
    }

    /// From when to when something issued now is valid, in seconds since 1970 by the server's wall clock.
    pub(crate) fn validity(&self, lifetime: Duration) -> (u64, u64) {
        let now = self.clock.server_unix_seconds();
        (now, now.saturating_add(lifetime.as_secs()))
    }

    fn issue_until(&mut self, kind: K, session: SessionId, text: String, expires_at: Duration) -> String {
        self.places.insert(text.clone(), self.tokens.len());
        self.tokens.push(Token { kind, text: text.clone(), session, expires_at, state: TokenState::Good });
        text
    }

    // -- Taking tokens.

    /// The session that this token stands for: it is good, and of this kind.
    pub(crate) fn session_of(&self, kind: &K, text: &str) -> Option<SessionId> {
        self.session_of_any(text).filter(|_| self.is_of(kind, text))
    }

    /// The same for a token of whatever kind.
    pub(crate) fn session_of_any(&self, text: &str) -> Option<SessionId> {
        let token = self.find(text).filter(|token| token.state == TokenState::Good);
        token.filter(|token| self.goes_on(token)).map(|token| token.session)
    }

    /// The session in which a token of this kind was issued, good or not.
    pub(crate) fn issued_in(&self, kind: &K, text: &str) -> Option<SessionId> {
        self.find(text).filter(|token| token.kind == *kind).map(|token| token.session)
    }

    /// Whether this token has neither expired nor ended with its session. A spent one may go on.
    pub(crate) fn outlives_its_use(&self, kind: &K, text: &str) -> bool {
        self.find(text).is_some_and(|token| token.kind == *kind && self.goes_on(token))
    }

    /// Takes a refresh token, or another that may be good for one use only. One that comes a second time ends its
    /// session, if the rotation is strict. [`Ledger::spend`] says that this was its use.
    pub(crate) fn take(&mut self, kind: &K, text: &str, rotation: Rotation) -> Result<SessionId, Invalid> {
        let token = self.find(text).filter(|token| token.kind == *kind).ok_or(Invalid::Dead)?;
        let session = token.session;
        match token.state {
            TokenState::Good if self.goes_on(token) => Ok(session),
            TokenState::Good | TokenState::Revoked => Err(Invalid::Dead),
            TokenState::Spent => {
                if rotation == Rotation::Rotating {
                    self.end_session(session);
                }
                Err(Invalid::Reused)
            }
        }
    }

    /// This token was good for one use, which was now.
    pub(crate) fn spend(&mut self, text: &str) {
        if let Some(place) = self.places.get(text) {
            self.tokens[*place].state = TokenState::Spent;
        }
    }

    /// Refuses all tokens for which the condition holds, of their owner and their kind, from now on.
    pub(crate) fn revoke(&mut self, condition: impl Fn(&str, &K) -> bool) {
        for token in &mut self.tokens {
            if condition(&self.sessions[token.session].owner, &token.kind) {
                token.state = TokenState::Revoked;
            }
        }
    }

    // -- Looking.

    /// The token of this kind that was issued last to this owner, good or not.
    pub(crate) fn newest(&self, kind: &K, owner: &str) -> Option<String> {
        self.last(kind, |session| self.sessions[session].owner == owner)
    }

    /// The token of this kind that was issued last in this session, good or not.
    pub(crate) fn newest_in(&self, kind: &K, session: SessionId) -> Option<String> {
        self.last(kind, |issued_in| issued_in == session)
    }

    fn last(&self, kind: &K, fits: impl Fn(SessionId) -> bool) -> Option<String> {
        let mut tokens = self.tokens.iter().rev();
        tokens.find(|token| token.kind == *kind && fits(token.session)).map(|token| token.text.clone())
    }

    fn find(&self, text: &str) -> Option<&Token<K>> {
        self.places.get(text).map(|place| &self.tokens[*place])
    }

    fn is_of(&self, kind: &K, text: &str) -> bool {
        self.find(text).is_some_and(|token| token.kind == *kind)
    }

    fn goes_on(&self, token: &Token<K>) -> bool {
        self.clock.elapsed() < token.expires_at && !self.sessions[token.session].ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn ledger() -> (Ledger<&'static str>, Clock) {
        let clock = Clock::still();
        (Ledger::new(clock.clone()), clock)
    }

    #[test]
    fn a_token_is_good_for_its_kind_until_it_expires_or_its_session_ends() {
        let (mut ledger, clock) = ledger();
        let (first, second) = (ledger.open_session("ann"), ledger.open_session("ann"));
        let (short, long) =
            (ledger.issue_jwt("access", first, "ann", HOUR), ledger.issue_opaque("access", second, 2 * HOUR));
        assert_eq!((ledger.session_of(&"access", &short), ledger.session_of(&"refresh", &short)), (Some(first), None));
        clock.advance(HOUR);
        assert_eq!((ledger.session_of(&"access", &short), ledger.session_of_any(&long)), (None, Some(second)));
        ledger.end_session(second);
        assert_eq!((ledger.session_of_any(&long), ledger.live_sessions("ann")), (None, 1));
        assert_eq!((ledger.newest(&"access", "ann"), ledger.newest_in(&"access", first)), (Some(long), Some(short)));
    }

    #[test]
    fn a_spent_token_used_again_ends_its_session_where_the_rotation_is_strict() {
        for (rotation, left) in [(Rotation::Rotating, 0), (Rotation::RotatingLenient, 1), (Rotation::Fixed, 1)] {
            let (mut ledger, _) = ledger();
            let session = ledger.open_session("ann");
            let token = ledger.issue_opaque("refresh", session, HOUR);
            for _ in 0..2 {
                assert_eq!(ledger.take(&"refresh", &token, rotation), Ok(session), "only spending spends");
            }
            ledger.spend(&token);
            assert_eq!(ledger.take(&"refresh", &token, rotation), Err(Invalid::Reused));
            assert_eq!(ledger.live_sessions("ann"), left, "{rotation:?}");
        }
    }

    #[test]
    fn a_revoked_token_is_dead_and_those_of_others_are_not() {
        let (mut ledger, _) = ledger();
        let [ann, ben] = ["ann", "ben"].map(|owner| ledger.open_session(owner));
        let [hers, his] = [ann, ben].map(|session| ledger.issue_opaque("refresh", session, HOUR));
        ledger.spend(&hers);
        ledger.revoke(|owner, kind| owner == "ann" && *kind == "refresh");
        assert_eq!(ledger.take(&"refresh", &hers, Rotation::Rotating), Err(Invalid::Dead), "not even reused");
        assert_eq!(ledger.take(&"refresh", &his, Rotation::Rotating), Ok(ben));
        assert_eq!(ledger.take(&"refresh", "unknown", Rotation::Rotating), Err(Invalid::Dead));
    }
}
