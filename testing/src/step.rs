//! Everything that can happen to a session, as data.

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use proptest::prelude::{Just, Strategy, any, prop_oneof};

use super::toy::ToyMethod;
use perennial_core::{LeaseId, SignOut};

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Arbitrary)]
pub enum Step {
    /// Time passes by both clocks.
    Pass(Span),
    /// The machine is suspended: the monotonic clock stops, the wall clock goes on.
    Suspend(Span),
    /// The wall clock is set back.
    WallBack(Span),
    /// Time passes until the session wants to be woken, and it is.
    NextWake,
    /// A wake-up that nobody asked for.
    Wake,
    /// A wake-up with a monotonic clock that has gone back: a driver's mistake.
    StaleWake(Span),
    /// Somebody wants credentials.
    Demand(#[arbitrary(with = any_need)] LeaseId),
    /// Somebody wants new credentials.
    Renew(#[arbitrary(with = any_need)] LeaseId),
    /// The service's API refused credentials.
    Reject(#[arbitrary(with = any_need)] LeaseId, Which),
    /// A login is given.
    SignIn(Who),
    /// An interactive sign-in brought a grant.
    Accept(Who, Lives),
    /// The last save is taken up by the running session.
    Restore,
    /// The session is saved and goes on.
    Save,
    /// The process ends and another one goes on from what the old one held.
    Restart,
    /// The program ends in order, and another one goes on.
    Close,
    /// Signs in with the login that is there.
    SignInAgain,
    /// Sign out.
    SignOut(#[arbitrary(with = any_sign_out)] SignOut),
    /// Another session on the same store signs out, where it can lock it.
    SignOutElsewhere(#[arbitrary(with = any_sign_out)] SignOut),
    /// After a sign-out, a person signs in on another session on the same store.
    SignInElsewhere(Lives),
    /// The login is forgotten.
    ForgetLogin,
    /// The request that is under way ends with this reply.
    Answer(ScriptedReply),
    /// An answer that the session no longer waits for, or never did.
    Stray(Stray),
    /// From now on the service gives this reply to each request of this method, whatever [`Answer`](Self::Answer) says.
    /// `None` ends that.
    Weather(ToyMethod, Option<ScriptedReply>),
    /// Somebody asks again and again until he gets credentials. Each request is answered at once: as
    /// [`Weather`](Self::Weather) says, and if that says nothing, it works.
    Insist(#[arbitrary(with = any_need)] LeaseId, Often),
}

/// How often somebody asks who is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Arbitrary)]
pub enum Often {
    /// Each second, so many times.
    EachSecond(u8),
    /// Each minute, so many times.
    EachMinute(u8),
    /// At the time that the error named (its `retry_at`), so many times.
    WhenTold(u8),
}

/// A length of time, in a unit that makes odd ones likely and small ones simple.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Arbitrary)]
pub enum Span {
    /// Milliseconds.
    Millis(u16),
    /// Seconds.
    Seconds(u16),
    /// Hours.
    Hours(u8),
    /// Years.
    Years(u8),
}

/// Which generation a refusal names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Arbitrary)]
pub enum Which {
    /// The one that is held.
    Current,
    /// The one before.
    Old,
    /// The first that this harness ever saw.
    First,
}

/// Whose login, or whose grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Arbitrary)]
pub enum Who {
    /// Ann, with her password.
    Ann,
    /// Bob, with his.
    Bob,
    /// Ann, with a wrong password.
    AnnMistyped,
}

/// How a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Arbitrary)]
pub enum ScriptedReply {
    /// The service does its work: it grants what was asked for, or refuses a wrong login or token.
    Works(Lives),
    /// The service does half of its work, and wants another request for the other half.
    Continues,
    /// Provably nothing was sent.
    NotSent,
    /// The connection broke before the service saw the request.
    LostBefore,
    /// The connection broke after the service did its work.
    LostAfter,
    /// No answer in time; the service did its work.
    TimedOut,
    /// The answer was too large; the service did its work.
    TooLarge,
    /// HTTP 500.
    ServerError,
    /// HTTP 429.
    RateLimited(After),
    /// HTTP 503.
    Unavailable(After),
    /// HTTP 404, from a machine.
    Missing,
    /// HTTP 404, with a web page.
    MissingPage,
    /// HTTP 400, without a word why.
    BadRequest,
    /// HTTP 412.
    Precondition,
    /// HTTP 200, without a token that could be used; the service did its work.
    NoToken,
    /// HTTP 200, with a new refresh token beside an access token that no header can carry; the service did its work. To
    /// anything but a refresh as [`NoToken`](Self::NoToken).
    Unusable,
    /// HTTP 401, however right the login or token is.
    Refuses,
    /// HTTP 200 with a web page; the service did its work.
    WebPage,
    /// HTTP 200 with half of an answer; the service did its work.
    Torn,
}

/// A `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Arbitrary)]
pub enum After {
    /// None.
    Absent,
    /// So many seconds.
    Seconds(u16),
    /// More than anybody should wait.
    Huge,
    /// Nonsense.
    Negative,
}

/// How long granted credentials live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Arbitrary)]
pub struct Lives {
    /// The access token.
    pub access: Life,
    /// The AWS credentials; `None`: the service gives none.
    pub aws: Option<Life>,
}

/// How long one lease lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Arbitrary)]
pub enum Life {
    /// An hour.
    Hour,
    /// Milliseconds. Zero: it has expired when it arrives.
    Millis(u16),
    /// Seconds.
    Seconds(u16),
    /// More than anybody believes.
    Huge,
    /// The service does not say.
    Unknown,
}

/// An answer that is not waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Arbitrary)]
pub enum Stray {
    /// To a request that was cancelled: the service works on it only now.
    Late,
    /// The last answer once more.
    Again,
    /// To a request that never was.
    Foreign,
}

impl Lives {
    /// An hour each.
    pub const HOUR: Self = Self::both(Life::Hour);

    /// The same for both.
    pub const fn both(life: Life) -> Self {
        Self { access: life, aws: Some(life) }
    }

    /// So many seconds each.
    pub const fn seconds(seconds: u16) -> Self {
        Self::both(Life::Seconds(seconds))
    }
}

impl Life {
    /// The lifetime in milliseconds; `None` where unknown.
    pub fn millis(self) -> Option<u64> {
        match self {
            Life::Hour => Some(3_600_000),
            Life::Millis(ms) => Some(ms.into()),
            Life::Seconds(seconds) => Some(u64::from(seconds) * 1000),
            Life::Huge => Some(u64::MAX),
            Life::Unknown => None,
        }
    }
}

impl After {
    /// The header's value.
    pub fn header(self) -> Option<String> {
        match self {
            After::Absent => None,
            After::Seconds(seconds) => Some(seconds.to_string()),
            After::Huge => Some("99999999999999999999".into()),
            After::Negative => Some("-5".into()),
        }
    }
}

impl Span {
    /// As a duration.
    pub fn duration(self) -> Duration {
        match self {
            Span::Millis(ms) => Duration::from_millis(ms.into()),
            Span::Seconds(seconds) => Duration::from_secs(seconds.into()),
            Span::Hours(hours) => Duration::from_secs(u64::from(hours) * 3600),
            Span::Years(years) => Duration::from_secs(u64::from(years) * 365 * 86_400),
        }
    }
}

fn any_need(bytes: &mut Unstructured<'_>) -> arbitrary::Result<LeaseId> {
    bytes.choose(&LeaseId::ALL).copied()
}

fn any_sign_out(bytes: &mut Unstructured<'_>) -> arbitrary::Result<SignOut> {
    bytes.choose(&[SignOut::KeepLogin, SignOut::ForgetLogin]).copied()
}

/// Histories of up to `most` steps, mostly of the kind that real sessions have. They shrink to few, small steps.
pub fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(step(), 1..=most)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => outcome().prop_map(Step::Answer),
        6 => Just(Step::NextWake),
        5 => lease_id().prop_map(Step::Demand),
        4 => span().prop_map(Step::Pass),
        1 => span().prop_map(Step::Suspend),
        1 => span().prop_map(Step::WallBack),
        1 => Just(Step::Wake),
        1 => span().prop_map(Step::StaleWake),
        1 => lease_id().prop_map(Step::Renew),
        3 => (lease_id(), which()).prop_map(|(lease_id, which)| Step::Reject(lease_id, which)),
        2 => who().prop_map(Step::SignIn),
        1 => (who(), lives()).prop_map(|(who, lives)| Step::Accept(who, lives)),
        1 => Just(Step::Save),
        1 => Just(Step::Restore),
        1 => Just(Step::Restart),
        1 => Just(Step::Close),
        1 => sign_out().prop_map(Step::SignOut),
        1 => sign_out().prop_map(Step::SignOutElsewhere),
        1 => lives().prop_map(Step::SignInElsewhere),
        1 => Just(Step::SignInAgain),
        1 => Just(Step::ForgetLogin),
        2 => prop_oneof![Just(Stray::Late), Just(Stray::Again), Just(Stray::Foreign)].prop_map(Step::Stray),
        2 => (method(), weather()).prop_map(|(method, weather)| Step::Weather(method, weather)),
        2 => (lease_id(), often()).prop_map(|(lease_id, often)| Step::Insist(lease_id, often)),
    ]
}

fn method() -> impl Strategy<Value = ToyMethod> {
    prop_oneof![2 => Just(ToyMethod::SignIn), 1 => Just(ToyMethod::Refresh), 1 => Just(ToyMethod::AwsRefresh)]
}

fn weather() -> impl Strategy<Value = Option<ScriptedReply>> {
    prop_oneof![1 => Just(None), 3 => outcome().prop_map(Some)]
}

fn often() -> impl Strategy<Value = Often> {
    prop_oneof![
        2 => (1..80u8).prop_map(Often::EachSecond),
        1 => (1..80u8).prop_map(Often::EachMinute),
        2 => (1..20u8).prop_map(Often::WhenTold),
    ]
}

fn lease_id() -> impl Strategy<Value = LeaseId> {
    prop_oneof![3 => Just(LeaseId::Access), 2 => Just(LeaseId::Aws)]
}

fn sign_out() -> impl Strategy<Value = SignOut> {
    prop_oneof![3 => Just(SignOut::KeepLogin), 1 => Just(SignOut::ForgetLogin)]
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![3 => Just(Who::Ann), 1 => Just(Who::Bob), 1 => Just(Who::AnnMistyped)]
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![4 => Just(Which::Current), 1 => Just(Which::Old), 1 => Just(Which::First)]
}

fn span() -> impl Strategy<Value = Span> {
    prop_oneof![
        2 => (0..3000u16).prop_map(Span::Millis),
        4 => (1..4000u16).prop_map(Span::Seconds),
        1 => (1..100u8).prop_map(Span::Hours),
        1 => (1..60u8).prop_map(Span::Years),
    ]
}

fn outcome() -> impl Strategy<Value = ScriptedReply> {
    prop_oneof![
        16 => lives().prop_map(ScriptedReply::Works),
        2 => Just(ScriptedReply::Continues),
        1 => Just(ScriptedReply::NotSent),
        1 => Just(ScriptedReply::LostBefore),
        1 => Just(ScriptedReply::LostAfter),
        1 => Just(ScriptedReply::TimedOut),
        1 => Just(ScriptedReply::TooLarge),
        2 => Just(ScriptedReply::ServerError),
        1 => after().prop_map(ScriptedReply::RateLimited),
        1 => after().prop_map(ScriptedReply::Unavailable),
        1 => Just(ScriptedReply::Missing),
        1 => Just(ScriptedReply::MissingPage),
        1 => Just(ScriptedReply::BadRequest),
        1 => Just(ScriptedReply::Precondition),
        1 => Just(ScriptedReply::NoToken),
        1 => Just(ScriptedReply::Unusable),
        2 => Just(ScriptedReply::Refuses),
        1 => Just(ScriptedReply::WebPage),
        1 => Just(ScriptedReply::Torn),
    ]
}

fn after() -> impl Strategy<Value = After> {
    prop_oneof![Just(After::Absent), (0..5000u16).prop_map(After::Seconds), Just(After::Huge), Just(After::Negative),]
}

fn lives() -> impl Strategy<Value = Lives> {
    let aws = prop_oneof![4 => life().prop_map(Some), 1 => Just(None)];
    prop_oneof![
        2 => Just(Lives::HOUR),
        3 => (life(), aws).prop_map(|(access, aws)| Lives { access, aws }),
    ]
}

fn life() -> impl Strategy<Value = Life> {
    prop_oneof![
        3 => Just(Life::Hour),
        1 => Just(Life::Millis(0)),
        1 => any::<u16>().prop_map(Life::Millis),
        3 => (1..4000u16).prop_map(Life::Seconds),
        1 => Just(Life::Huge),
        1 => Just(Life::Unknown),
    ]
}
