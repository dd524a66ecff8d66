//! What outlives a process: logins and grants.

use std::time::Duration;

use perennial_core::credentials::{Secret, same_account};
use perennial_core::{Credentials, LeaseId, Now, Provider, SavedSession, Validity};

use super::subject::{ProviderUnderTest, START};
use crate::conformance::case::does_not_apply;

/// What is neither a login nor a saved session.
const NONSENSE: &[&str] = &[
    "",
    " ",
    "{}",
    "[]",
    "null",
    "0",
    "\"\"",
    "{",
    "\u{0}",
    "\u{feff}{}",
    r#"{"kind":"another","login":{}}"#,
    r#"{"kind":"","login":null}"#,
    r#"{"perennial":1}"#,
    r#"{"perennial":1,"provider":"another","namespace":"x","credentials":{}}"#,
    "<!doctype html><title>Not here</title>",
];

pub(super) fn a_login_is_read_back_as_it_was_written<P: Provider>(under_test: &mut ProviderUnderTest<P>) {
    let ProviderUnderTest { provider, login, .. } = under_test;
    for text in NONSENSE {
        assert!(provider.read_login(text).is_none(), "{text:?} is read as a login");
    }
    let Some(text) = provider.write_login(login) else {
        return does_not_apply("its logins are not kept");
    };
    let read = provider.read_login(text.expose()).unwrap_or_else(|| panic!("a login that was written is not read"));
    assert_eq!(provider.account_id(&read), provider.account_id(login), "the account of the login that was read");
    assert_eq!(provider.login_owner(&read), provider.login_owner(login), "the owner of the login that was read");
    let again = provider.write_login(&read);
    assert!(again.is_some_and(|again| again.expose() == text.expose()), "a login that was read is written otherwise");
    // Whatever these are read as: nothing panics.
    for (end, _) in text.expose().char_indices() {
        let _ = provider.read_login(&text.expose()[..end]);
    }
    under_test.login = read;
    under_test.walks();
}

pub(super) fn the_account_of_a_grant_is_that_of_its_login<P: Provider>(under_test: &mut ProviderUnderTest<P>) {
    let walks = under_test.walks();
    let Some(user) = under_test.provider.account_id(&under_test.login) else {
        return does_not_apply("its logins do not tell whose they are");
    };
    for walk in walks {
        let account = walk.held().map(|held| held.account().id.clone()).unwrap_or_default();
        let same = account.is_empty() || same_account(&account, user);
        assert!(same, "`{}` brings another account than the login's", walk.name);
    }
}

pub(super) fn a_grant_survives_being_saved<P: Provider>(under_test: &mut ProviderUnderTest<P>) {
    let walks = under_test.walks();
    let ProviderUnderTest { provider, login, .. } = under_test;
    for walk in &walks {
        let Some(held) = walk.held() else { continue };
        let json = SavedSession::new(provider.name(), provider.namespace(), held.clone()).to_json();
        let later = Now::new(START.wall.saturating_add(Duration::from_secs(60)), Duration::from_secs(5));
        let read = provider.read_saved_session(json.expose().as_bytes(), later);
        let read = read.unwrap_or_else(|error| panic!("what `{}` brought is not read back: {error}", walk.name));
        let fits = read.check(provider.name(), &provider.namespace(), provider.account_id(login));
        assert!(fits.is_ok(), "what `{}` brought is another's when it is read back: {fits:?}", walk.name);
        let read = read.credentials();
        assert!(
            texts(read) == texts(&held),
            "a token that `{}` brought is another one when it is read back",
            walk.name
        );
        for lease_id in LeaseId::ALL {
            let ends = |held: &Credentials| held.validity(lease_id).map(ends_at);
            assert_eq!(ends(read), ends(&held), "the end of the {lease_id} that `{}` brought", walk.name);
        }
        assert_eq!(read.account(), held.account(), "the account that `{}` brought", walk.name);
        assert_eq!(read.grant_type(), held.grant_type(), "how the session of `{}` was begun", walk.name);
    }
}

fn ends_at(validity: &Validity) -> Option<perennial_core::Timestamp> {
    validity.deadline().map(|deadline| deadline.wall)
}

fn texts(held: &Credentials) -> Vec<Option<&str>> {
    let aws = held.aws().map(|aws| [aws.access_key_id(), aws.secret_access_key(), aws.session_token()]);
    let aws = aws.into_iter().flatten().map(|secret| Some(secret.expose()));
    let others = [held.refresh_token().map(Secret::expose), held.id_token().map(Secret::expose)];
    [Some(held.access().expose()), Some(held.access().token_type())].into_iter().chain(others).chain(aws).collect()
}

pub(super) fn what_is_no_saved_session_is_refused<P: Provider>(under_test: &mut ProviderUnderTest<P>) {
    let held = under_test.held();
    let provider = &under_test.provider;
    let deep = "[".repeat(100_000);
    for text in NONSENSE.iter().copied().chain([deep.as_str()]) {
        let read = provider.read_saved_session(text.as_bytes(), START);
        let brief: String = text.chars().take(40).collect();
        assert!(read.is_err(), "{brief:?} is read as a saved session");
    }
    assert!(provider.read_saved_session(b"\xff\xfe\x00{", START).is_err(), "bytes that are no text are read as one");
    let json = SavedSession::new(provider.name(), provider.namespace(), held).to_json();
    let json = json.expose().as_bytes();
    for end in (0..json.len()).step_by(1 + json.len() / 300) {
        let torn = provider.read_saved_session(&json[..end], START);
        assert!(torn.is_err(), "the first {end} of {} bytes are read as a saved session", json.len());
    }
}
