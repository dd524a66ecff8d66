//! What another session on the same store does.

use std::time::Duration;

use super::{Call, Harness};
use crate::model::Told;
use crate::rule::Violation;
use crate::step::Lives;
use crate::subject::Subject;
use crate::toy::Toy;
use perennial_core::credentials::Credentials;
use perennial_core::store::{Record, RecordState};
use perennial_core::wire::Body;
use perennial_core::{Provider, SignOut, State};

impl<S: Subject> Harness<S> {
    pub(super) fn sign_in_again(&mut self) -> Result<(), Violation> {
        let begun = self.call(Call::SignInAgain);
        self.observe(&Told::SignInAgain { begun })
    }

    /// What another session reads under the lock, if it gets it.
    fn read_elsewhere(&self) -> Option<Record> {
        let cell = self.store.as_ref().filter(|cell| !cell.is_locked())?;
        Record::parse(cell.record()?.as_ref(), self.now).ok()
    }

    fn write_elsewhere(&mut self, record: &Body) -> Result<(), Violation> {
        if let Some(cell) = &mut self.store {
            cell.put(record.clone());
        }
        self.model.is_stored_elsewhere(record);
        self.tell(Call::StoreChanged, &Told::Nothing)
    }

    pub(super) fn sign_out_elsewhere(&mut self, choice: SignOut) -> Result<(), Violation> {
        let Some(record) = self.read_elsewhere().filter(|record| record.is_signed_in() || record.is_signed_out())
        else {
            return Ok(());
        };
        // No two at the same moment: they would be one.
        self.sign_outs_elsewhere += 1;
        let at = self.now.wall.saturating_add(Duration::from_millis(self.sign_outs_elsewhere));
        let login = record.login().filter(|_| choice == SignOut::KeepLogin).cloned();
        let next = follows(&record, RecordState::SignedOut { at: Some(at) });
        self.write_elsewhere(&next.with_login(login).to_body())
    }

    /// By the login that was kept there, or the account that this session is of, when it has heard of the sign-out.
    pub(super) fn sign_in_elsewhere(&mut self, lives: Lives) -> Result<(), Violation> {
        if self.session.state() != State::SignedOut {
            return Ok(());
        }
        let Some(record) = self.read_elsewhere().filter(Record::is_signed_out) else { return Ok(()) };
        let kept = record.login().and_then(|login| Toy.read_login(login.expose()));
        let user = kept.map_or_else(|| self.user.clone(), |login| login.user().to_owned());
        let logins = [self.login.as_ref(), self.model.login()];
        if logins.into_iter().flatten().any(|login| login.user() != user) {
            return Ok(());
        }
        self.user.clone_from(&user);
        let granted = self.service.grant(&user, lives, self.now).ok();
        let Some(credentials) = granted.and_then(|granted| Credentials::from_grant(granted.grant, None)) else {
            return Ok(());
        };
        let next = follows(&record, RecordState::SignedIn(Box::new(credentials)));
        let next = next.with_login(record.login().cloned()).with_sign_in_at(self.now);
        self.write_elsewhere(&next.to_body())
    }
}

/// The next revision of a record.
fn follows(record: &Record, state: RecordState) -> Record {
    let revision = record.revision().unwrap_or(0) + 1;
    Record::new(Toy.name(), &Toy.namespace(), state).with_revision(revision).with_failures_of(record)
}
