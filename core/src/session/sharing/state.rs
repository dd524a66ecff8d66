//! What a session knows of its store.

use std::sync::Arc;
use std::time::Duration;

use crate::credentials::{Credentials, Deadline, Fingerprint, Now, Secret, Timestamp};
use crate::error::{ImportError, StoreError};
use crate::session::flight::Mode;
use crate::session::policy::SignOut;
use crate::store::{Failures, OpId, Record};

/// What a session knows of its store.
#[derive(Default)]
pub(in crate::session) struct StoreSync {
    pub(super) op: Option<PendingOp>,
    pub(super) last_op: OpId,
    pub(super) held_lock: Option<HeldLock>,
    pub(super) look: Look,
    pub(super) known: Known,
    pub(super) unsaved: Unsaved,
    pub(super) claim: Claim,
}

/// The looks into it without the lock.
#[derive(Default)]
pub(super) struct Look {
    /// Whether anybody has looked into it at all.
    pub(super) is_done: bool,
    /// Somebody may have written.
    pub(super) is_wanted: bool,
    /// Not before this.
    pub(super) at: Duration,
}

/// What stands there, as it was last read or written.
#[derive(Default)]
pub(super) struct Known {
    /// The revision that what is held is based on.
    pub(super) revision: Option<u64>,
    /// The issue that stood there; `None` after a sign-out.
    pub(super) fingerprint: Option<Fingerprint>,
    /// When the store was last asked and had nothing newer than that.
    pub(super) at: Option<Now>,
    /// The login beside it, whether or not it is kept.
    pub(super) login: Option<Secret>,
    /// The failures beside it that were taken up already, or are not to be.
    pub(super) failures: Failures,
    /// The refresh token is marked as sent: it stays so, whether or not that means anything here.
    pub(super) is_marked: bool,
    /// When somebody last signed in: a sign-out of before that is over.
    pub(super) signed_in_at: Option<Timestamp>,
    /// When somebody last signed out.
    pub(super) signed_out_at: Option<Timestamp>,
}

/// What is to be written there.
#[derive(Default)]
pub(super) struct Unsaved {
    /// Counts what has changed here; what of that is saved.
    pub(super) changes: u64,
    pub(super) saved: u64,
    /// The change that is none: the store has forgotten what is held, and gets it again.
    pub(super) restores: u64,
    pub(super) note: Note,
    /// From this revision on, what is there may go back to a save of ours that failed.
    pub(super) maybe_written_from: Option<u64>,
    pub(super) failures: u32,
    /// No attempt to save before this.
    pub(super) retry_at: Duration,
    pub(super) error: Option<StoreError>,
}

/// Whose session the store's is to be.
#[derive(Default)]
pub(super) struct Claim {
    pub(super) decided: Decided,
    /// Whose session it is, since a person said so.
    pub(super) account: Option<String>,
    /// The login of others that is kept there.
    pub(super) kept_login: Option<Secret>,
    /// What is held was brought as a save: it fills an empty store.
    pub(super) imports: bool,
}

/// What a person has decided here and the store does not hold yet.
#[derive(Default)]
pub(super) enum Decided {
    /// Nothing: the store counts.
    #[default]
    Nothing,
    /// To sign in, or to go on with a grant that was brought: what the store holds does not count.
    SignIn {
        at: Now,
        /// The revision that the first look after it found.
        found: Option<u64>,
        over: Over,
        /// The store holds something else than what is held here.
        differs: bool,
    },
    SignOut(PendingSignOut),
}

/// What a sign-in is put over.
pub(super) enum Over {
    /// A session, or nothing: should the login be no good, that goes on.
    Session,
    /// A session of another account, which does not.
    AnotherAccount,
    /// A sign-out, which stands where the login is no good, and the login beside it.
    SignOut { revision: u64, login: LoginBeside },
    /// The same, of which the store does not know.
    UnwrittenSignOut(PendingSignOut),
}

/// The login that stands beside a sign-out in the store.
pub(super) enum LoginBeside {
    /// It stays there, where there is one.
    Kept(Option<Secret>),
    /// It was forgotten here since, and is to go.
    Forgotten,
}

/// A sign-out that is not yet written.
pub(super) struct PendingSignOut {
    pub(super) login: SignOut,
    pub(super) at: Timestamp,
    /// Whose session it was, where that was known.
    pub(super) account: Option<String>,
}

/// An operation that is out.
pub(super) struct PendingOp {
    pub(super) id: OpId,
    pub(super) what: Operation,
    pub(super) since: Now,
    pub(super) deadline: Duration,
}

#[derive(Clone, Copy)]
pub(super) enum Operation {
    Poll,
    Lock,
    /// Save the state after so many changes.
    Save(Saving),
    Quarantine(ImportError),
}

#[derive(Clone, Copy)]
pub(super) struct Saving {
    pub(super) revision: u64,
    pub(super) fingerprint: Option<Fingerprint>,
    pub(super) change: u64,
    pub(super) purpose: Purpose,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The one-use token is about to be sent.
    Mark,
    Keep,
    /// What the service made of a new login that has not brought anything yet, beside what is there.
    Note,
}

/// The lock.
pub(super) struct HeldLock {
    pub(super) op: OpId,
    pub(super) expires: Option<Deadline>,
    /// The newest revision known.
    pub(super) revision: u64,
    /// The one-use token that is held is marked as sent.
    pub(super) marked: bool,
    /// Another program's file is set aside before it is written over.
    pub(super) file: FileOf,
    /// What was found and not taken up, because a person signed in here.
    pub(super) displaced: Option<Arc<Credentials>>,
    /// Nothing was done under it yet.
    pub(super) untouched: bool,
    /// What stands there: what a person who signs in here leaves as it is until the login has brought something. `None`:
    /// it is not known, or of another account.
    pub(super) stored: Option<Record>,
}

/// Whether a new login met something that the store is not yet told of.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Note {
    #[default]
    None,
    Due,
}

/// What a program that ends would leave half done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::session) enum Busy {
    No,
    Unsaved,
    /// It is locked, or being locked.
    AtWork,
}

/// Whose file is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FileOf {
    Perennial,
    /// Another program's, which was taken up here: nobody needs it when somebody signs out.
    Predecessor,
    /// Another program's, which was not.
    Stranger,
}

/// Whether what was read can change behind our back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadUnder {
    Lock,
    Nothing,
}

impl StoreSync {
    /// Whether a person signs in here, or has brought a grant.
    pub(super) fn takes_over(&self) -> bool {
        matches!(self.claim.decided, Decided::SignIn { .. })
    }

    /// Whether the token that is held is marked as sent: by others, or because it will be.
    pub(super) fn is_marked(&self) -> bool {
        self.known.is_marked || self.held_lock.as_ref().is_some_and(|hold| hold.marked)
    }

    /// What stands under the lock: not known where a save failed, which others may never see.
    pub(super) fn revision_there(&self) -> Option<u64> {
        self.held_lock.as_ref().filter(|_| self.unsaved.failures == 0).map(|hold| hold.revision)
    }

    /// Somebody signs in. Should a sign-out of before that come late, it is known; failures of before do not count.
    pub(super) fn begin_sign_in(&mut self, at: Now, was: Mode) {
        let over = match std::mem::take(&mut self.claim.decided) {
            Decided::SignOut(leaving) => {
                self.known.signed_out_at = Some(leaving.at);
                Over::UnwrittenSignOut(leaving)
            }
            Decided::SignIn { over, .. } if was == Mode::SignedIn => over,
            Decided::SignIn { .. } | Decided::Nothing => match was {
                Mode::SignedIn => Over::Session,
                Mode::SignedOut => {
                    let login = LoginBeside::Kept(self.claim.kept_login.clone());
                    Over::SignOut { revision: self.known.revision.unwrap_or(0), login }
                }
            },
        };
        // A sign-out that comes later than what is there now ends it.
        (self.look.is_wanted, self.look.at) = (true, Duration::ZERO);
        self.claim.decided = Decided::SignIn { at, found: self.revision_there(), over, differs: false };
        self.unsaved.failures = 0;
    }
}

impl Decided {
    /// Whether the login that stands beside a sign-out is to go.
    pub(super) fn forgets_login(&self) -> bool {
        match self {
            Self::SignOut(leaving) | Self::SignIn { over: Over::UnwrittenSignOut(leaving), .. } => {
                leaving.login == SignOut::ForgetLogin
            }
            Self::SignIn { over: Over::SignOut { login, .. }, .. } => matches!(login, LoginBeside::Forgotten),
            Self::SignIn { .. } | Self::Nothing => false,
        }
    }

    /// What was read is known: under the lock it stays, else it was there at least until this moment.
    pub(super) fn has_found(&mut self, revision: u64, under: ReadUnder, since: Now) {
        if let Self::SignIn { at, found, .. } = self
            && (under == ReadUnder::Lock || at.monotonic <= since.monotonic)
        {
            found.get_or_insert(revision);
        }
    }
}

impl HeldLock {
    pub(super) fn new(by: OpId, until: Option<Deadline>) -> Self {
        Self {
            op: by,
            expires: until,
            revision: 0,
            marked: false,
            file: FileOf::Perennial,
            displaced: None,
            untouched: true,
            stored: None,
        }
    }

    pub(super) fn left(&self, now: Now) -> Duration {
        self.expires.map_or(Duration::MAX, |until| until.remaining(now))
    }
}
