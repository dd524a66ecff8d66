//! One service: rotates refresh tokens, and ends every session of the user when one comes twice.

use std::time::Duration;

use perennial_testing::Asked;
use perennial_testing::{CANARY, ToyAnswer as Answer, ToyLogin, ToyMethod};

/// The only user.
pub(crate) const USER: &str = "ann@toy.example";

/// A grant is known by its number, which all its tokens carry.
pub(crate) type Serial = u64;

pub(crate) struct Service {
    lifetime: Duration,
    grants: Vec<Issue>,
    /// Each sign-in begins one: whether it is still good.
    families: Vec<bool>,
    tickets: Vec<Option<Pending>>,
    password: u32,
}

struct Issue {
    family: usize,
    spent: bool,
    access_until: Duration,
}

#[derive(Clone, Copy)]
struct Pending {
    method: ToyMethod,
    /// `None`: a new one.
    family: Option<usize>,
}

/// What the service made of a request.
pub(crate) enum Work {
    Granted {
        serial: Serial,
        answer: Box<Answer>,
    },
    Half(Box<Answer>),
    SignedOut,
    Refused,
    /// A refresh token came for the second time.
    Reuse,
}

/// Whether an answer brings all, or asks for another request first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Steps {
    One,
    Two,
}

impl Service {
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self { lifetime, grants: Vec::new(), families: Vec::new(), tickets: Vec::new(), password: 0 }
    }

    pub(crate) fn login(&self) -> ToyLogin {
        Self::login_of(self.password)
    }

    /// The login as it was after so many changes of the password.
    fn login_of(password: u32) -> ToyLogin {
        ToyLogin::new(USER, &format!("{CANARY}-password-{password}"))
    }

    pub(crate) fn wrong_login(&self) -> ToyLogin {
        Self::login_of(u32::MAX)
    }

    pub(crate) fn is_right(&self, login: &ToyLogin) -> bool {
        login.password().expose() == self.login().password().expose()
    }

    /// Forgets an access token before its time. The rest of its sign-in goes on.
    pub(crate) fn end_access(&mut self, serial: Serial) {
        if let Some(issue) = index(serial).and_then(|index| self.grants.get_mut(index)) {
            issue.access_until = Duration::ZERO;
        }
    }

    /// Ends every session of the user.
    pub(crate) fn end_sessions(&mut self) {
        self.families.fill(false);
    }

    pub(crate) fn change_password(&mut self) {
        self.password += 1;
    }

    /// Whether the API takes this access token.
    pub(crate) fn takes(&self, serial: Serial, now: Duration) -> bool {
        self.grant(serial).is_some_and(|issue| self.families[issue.family] && now < issue.access_until)
    }

    /// Whether it would still renew.
    pub(crate) fn renews(&self, serial: Serial) -> bool {
        self.grant(serial).is_some_and(|issue| self.families[issue.family] && !issue.spent)
    }

    pub(crate) fn family(&self, serial: Serial) -> Option<usize> {
        self.grant(serial).map(|issue| issue.family)
    }

    pub(crate) fn newest(&self) -> Serial {
        self.grants.len() as Serial
    }

    /// A grant as an interactive sign-in brings it.
    pub(crate) fn grant_to_person(&mut self, now: Duration) -> Answer {
        self.issue(Pending { method: ToyMethod::SignIn, family: None }, now).1
    }

    pub(crate) fn work(&mut self, asked: &Asked, steps: Steps, now: Duration) -> Work {
        let pending = match self.admit(asked, now) {
            Ok(pending) => pending,
            Err(work) => return work,
        };
        if steps == Steps::Two && !matches!(asked, Asked::Ticket { .. }) {
            self.tickets.push(Some(pending));
            let ticket = format!("{CANARY}-ticket-{}", self.tickets.len());
            return Work::Half(Box::new(Answer { ticket: Some(ticket), ..Answer::default() }));
        }
        let (serial, answer) = self.issue(pending, now);
        Work::Granted { serial, answer: Box::new(answer) }
    }

    fn admit(&mut self, asked: &Asked, now: Duration) -> Result<Pending, Work> {
        match asked {
            Asked::Refresh { token } => {
                let index = index(serial_of(token)).filter(|index| *index < self.grants.len()).ok_or(Work::Refused)?;
                let family = self.grants[index].family;
                if std::mem::replace(&mut self.grants[index].spent, true) {
                    // Somebody stole it, for all that a service knows.
                    self.end_sessions();
                    return Err(Work::Reuse);
                }
                if !self.families[family] {
                    return Err(Work::Refused);
                }
                Ok(Pending { method: ToyMethod::Refresh, family: Some(family) })
            }
            Asked::AwsRefresh { token } => {
                let serial = serial_of(token);
                let family = self.family(serial).filter(|_| self.takes(serial, now)).ok_or(Work::Refused)?;
                Ok(Pending { method: ToyMethod::AwsRefresh, family: Some(family) })
            }
            Asked::SignIn { password, .. } => {
                if *password != *self.login().password().expose() {
                    return Err(Work::Refused);
                }
                Ok(Pending { method: ToyMethod::SignIn, family: None })
            }
            Asked::Ticket { ticket } => {
                let index = index(serial_of(ticket)).ok_or(Work::Refused)?;
                let pending = self.tickets.get_mut(index).and_then(Option::take).ok_or(Work::Refused)?;
                match pending.family {
                    Some(family) if !self.families[family] => Err(Work::Refused),
                    _ => Ok(pending),
                }
            }
            Asked::SignOut { token } => {
                if let Some(family) = self.family(serial_of(token)) {
                    self.families[family] = false;
                }
                Err(Work::SignedOut)
            }
        }
    }

    fn issue(&mut self, pending: Pending, now: Duration) -> (Serial, Answer) {
        let family = pending.family.unwrap_or(self.families.len());
        if pending.family.is_none() {
            self.families.push(true);
        }
        let brings_access = pending.method != ToyMethod::AwsRefresh;
        let access_until = if brings_access { now.saturating_add(self.lifetime) } else { Duration::ZERO };
        self.grants.push(Issue { family, spent: !brings_access, access_until });
        let serial = self.newest();
        let token = |kind: &str| format!("{CANARY}-{kind}-{serial}");
        let millis = u64::try_from(self.lifetime.as_millis()).ok();
        let brings_aws = pending.method != ToyMethod::Refresh;
        let answer = Answer {
            access: brings_access.then(|| token("access")),
            access_ms: millis,
            refresh: brings_access.then(|| token("refresh")),
            aws: brings_aws.then(|| ["key", "secret", "session"].map(token)),
            aws_ms: millis,
            user: (pending.method == ToyMethod::SignIn).then(|| USER.into()),
            ticket: None,
        };
        (serial, answer)
    }

    fn grant(&self, serial: Serial) -> Option<&Issue> {
        self.grants.get(index(serial)?)
    }
}

fn index(serial: Serial) -> Option<usize> {
    usize::try_from(serial.checked_sub(1)?).ok()
}

/// The number of the grant that a token is of; zero where it has none.
pub(crate) fn serial_of(token: &str) -> Serial {
    token.rsplit_once('-').and_then(|(_, number)| number.parse().ok()).unwrap_or(0)
}
