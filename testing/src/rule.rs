//! The rules of a session, by name.

use std::fmt;

use super::step::Step;

/// A rule that a session must never break. `Display` shows its [`title`](Self::title).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// At most one exchange is in flight, whatever is asked.
    OneAtATime,
    /// Credentials are served until their hard deadline.
    NoWaitingOnValid,
    /// A failed renewal leaves valid credentials as they are.
    FailureNeverDisplaces,
    /// Everyone who waits gets the same error at once, with `retry_at`; while somebody asks and the service is away,
    /// pauses are short.
    FailuresAreShared,
    /// No transient failure discards a token.
    TransientIsNotRefused,
    /// When the service limits the rate or asks to be left alone for a time (`Retry-After`), no lease and no process
    /// sends it a request before that time is over, and callers get the error at once. Only a sign-in by a person is
    /// tried.
    QuietIsTheServices,
    /// Pauses between attempts are short only if the service failed or could not be reached. If it answered, they grow
    /// to minutes, whoever asks.
    AnsweredNoIsNoOutage,
    /// A refused login is not tried again, by no process on the store.
    RefusedStops,
    /// A password to which the service answered with neither tokens nor a clear refusal is sent at most three times in
    /// the first hour and eight times in a day, by all processes on the store together. Meanwhile callers get an error
    /// that says that a person is needed, and when the next attempt is.
    PasswordIsNotRepeated,
    /// A missing endpoint is left out for a while, and only where it has never worked and another way is left.
    UnsupportedPasses,
    /// If the outcome of a method is unknown twice in a row, the next method is tried at once: if that one works, the
    /// callers that wait get credentials.
    SomeWayWorks,
    /// A method that the service refused is left out until something is granted.
    RefusedMethodIsLeftOut,
    /// A lease's failure is not another's.
    LeasesFailApart,
    /// A one-use token whose answer was lost is not blindly repeated.
    LostAnswer,
    /// A refresh token that came counts, whatever is wrong with the rest of the answer.
    WhatCameIsKept,
    /// A refusal of an old generation does nothing; refusals of the present one cause one renewal.
    NameWhatWasRefused,
    /// A caller that has reported a generation as refused by the API does not get it again: it waits for the next one,
    /// or gets an error that says when that is tried.
    RejectedStaysAway,
    /// AWS credentials are replaced together or not at all; an unknown deadline stays unknown.
    WholeSets,
    /// A renewal moves no deadline but its own lease's.
    AbsoluteDeadlines,
    /// A margin fits the lifetime; jitter never eats it.
    MarginsFitLifetimes,
    /// A minimum gap between attempts; a wake-up always lies ahead, and there is one when something is due.
    NoBusyLoop,
    /// Credentials have a deadline by the wall clock and one by the monotonic clock, and are not served after the
    /// earlier.
    ClocksMisbehave,
    /// After a sign-out, here or in another session on the store, nothing is published; everything is revoked.
    SignOutWins,
    /// A login is kept or forgotten as was said, in the store too; one that is kept signs in again, and a sign-in in
    /// another session on the store ends a sign-out here.
    SignedOutCanComeBack,
    /// A new login drops older answers, and another account's credentials.
    NewLoginIsANewEpoch,
    /// With a store, what is new is saved before it is announced.
    SaveThenTell,
    /// With a store, every attempt is decided on under its lock, and a one-use token is marked before it is sent.
    LockReadDecide,
    /// Whoever closes a session waits until nothing would be lost, and no longer; in a one-shot session nothing begins
    /// that nobody waits for.
    ProgramsEnd,
    /// Saved credentials whose age cannot be proven are renewed before they are served. If that fails they are served
    /// all the same, unless the service has refused.
    DoubtIsLookedInto,
    /// No error is permanent, except a refusal: when the service works again, so does the session, after a pause of
    /// limited length.
    NoErrorIsForever,
    /// No secret shows.
    NothingLeaks,
    /// Same inputs, same outputs, whenever they are taken.
    SameInputsSameOutputs,
}

impl Rule {
    /// All of them.
    pub const ALL: [Rule; 32] = [
        Rule::OneAtATime,
        Rule::NoWaitingOnValid,
        Rule::FailureNeverDisplaces,
        Rule::FailuresAreShared,
        Rule::TransientIsNotRefused,
        Rule::QuietIsTheServices,
        Rule::AnsweredNoIsNoOutage,
        Rule::RefusedStops,
        Rule::PasswordIsNotRepeated,
        Rule::UnsupportedPasses,
        Rule::SomeWayWorks,
        Rule::RefusedMethodIsLeftOut,
        Rule::LeasesFailApart,
        Rule::LostAnswer,
        Rule::WhatCameIsKept,
        Rule::NameWhatWasRefused,
        Rule::RejectedStaysAway,
        Rule::WholeSets,
        Rule::AbsoluteDeadlines,
        Rule::MarginsFitLifetimes,
        Rule::NoBusyLoop,
        Rule::ClocksMisbehave,
        Rule::SignOutWins,
        Rule::SignedOutCanComeBack,
        Rule::NewLoginIsANewEpoch,
        Rule::SaveThenTell,
        Rule::LockReadDecide,
        Rule::ProgramsEnd,
        Rule::DoubtIsLookedInto,
        Rule::NoErrorIsForever,
        Rule::NothingLeaks,
        Rule::SameInputsSameOutputs,
    ];

    /// The rule's title.
    pub const fn title(self) -> &'static str {
        match self {
            Rule::OneAtATime => "one at a time",
            Rule::NoWaitingOnValid => "no waiting on valid",
            Rule::FailureNeverDisplaces => "failure never displaces",
            Rule::FailuresAreShared => "failures are shared",
            Rule::TransientIsNotRefused => "transient is not refused",
            Rule::QuietIsTheServices => "quiet is the service's",
            Rule::AnsweredNoIsNoOutage => "an answered no is not an outage",
            Rule::RefusedStops => "refused stops",
            Rule::PasswordIsNotRepeated => "a password is not shown again and again",
            Rule::UnsupportedPasses => "unsupported passes",
            Rule::SomeWayWorks => "some way works, somebody is served",
            Rule::RefusedMethodIsLeftOut => "a refused method is left out",
            Rule::LeasesFailApart => "leases fail apart",
            Rule::LostAnswer => "lost answer",
            Rule::WhatCameIsKept => "what came is kept",
            Rule::NameWhatWasRefused => "name what was refused",
            Rule::RejectedStaysAway => "who named it does not get it back",
            Rule::WholeSets => "whole sets",
            Rule::AbsoluteDeadlines => "absolute deadlines",
            Rule::MarginsFitLifetimes => "margins fit lifetimes",
            Rule::NoBusyLoop => "no busy loop",
            Rule::ClocksMisbehave => "clocks misbehave",
            Rule::SignOutWins => "sign-out wins",
            Rule::SignedOutCanComeBack => "signed out can come back",
            Rule::NewLoginIsANewEpoch => "a new login is a new epoch",
            Rule::SaveThenTell => "save, then tell",
            Rule::LockReadDecide => "lock, read, decide",
            Rule::ProgramsEnd => "a program has an end",
            Rule::DoubtIsLookedInto => "what is in doubt is looked into",
            Rule::NoErrorIsForever => "no error is for ever but a refusal",
            Rule::NothingLeaks => "nothing leaks",
            Rule::SameInputsSameOutputs => "same inputs, same outputs",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

/// A rule that was broken, where and how.
#[derive(Clone, Debug, thiserror::Error)]
#[error("“{rule}” is broken at step {position} ({step:?}): {what}")]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// Which step it was, from zero.
    pub position: usize,
    /// The step; `None` after the last one, when everything is well again and the session should be too.
    pub step: Option<Step>,
    /// What was seen.
    pub what: String,
}
