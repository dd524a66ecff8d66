//! What no log may show.

use perennial_core::{Policy, Provider, SavedSession, Session};

use super::odd;
use super::rig::{Replayed, shows, told};
use super::sessions::Driven;
use super::subject::ProviderUnderTest;

/// A text, once and with line breaks.
macro_rules! seen {
    ($value:expr) => {
        format!("{0:?} {0:#?}", $value)
    };
}

#[track_caller]
fn expect_hidden(what: &str, text: &str, secrets: &[String]) {
    let shown = secrets.iter().any(|secret| {
        let bytes = format!("{:?}", secret.as_bytes());
        shows(text, secret) || secret.len() >= 4 && text.contains(bytes.trim_matches(['[', ']']))
    });
    assert!(!shown, "{what} shows a secret: {text}");
}

pub(super) fn no_debug_shows_a_secret<P: Provider>(under_test: &mut ProviderUnderTest<P>) {
    let walks = under_test.walks();
    let secrets = &under_test.secrets;
    expect_hidden("the login", &seen!(under_test.login), secrets);
    let name = format!("{} {}", under_test.provider.name(), under_test.provider.namespace());
    expect_hidden("the name or the namespace", &name, secrets);
    for walk in &walks {
        let secrets = [secrets.clone(), walk.tokens()].concat();
        expect_hidden("a grant", &seen!(walk.grant), &secrets);
        let Some(held) = walk.held() else { continue };
        expect_hidden("what is held", &seen!(held), &secrets);
        let saved = SavedSession::new(under_test.provider.name(), under_test.provider.namespace(), held);
        expect_hidden("a saved session", &format!("{saved:?} {saved}"), &secrets);
    }
    let session = Session::new(under_test.provider.clone(), under_test.login.clone(), Policy::default(), 7);
    let mut driven = Driven::new(session, under_test);
    driven.signs_in();
    let known = [driven.secrets(), walks.iter().flat_map(super::rig::Walk::tokens).collect()].concat();
    expect_hidden("the session", &seen!(driven.session()), &known);
    for event in driven.events() {
        expect_hidden("an event", &format!("{event:?} {event}"), &known);
    }
}

pub(super) fn no_error_shows_what_the_service_repeats<P: Provider>(under_test: &mut ProviderUnderTest<P>) {
    let walks = under_test.walks();
    for walk in &walks {
        let sent = |secret: &String| walk.requests.iter().any(|request| request.shows(secret));
        let secrets: Vec<_> = [under_test.secrets.clone(), walk.tokens()].concat().into_iter().filter(sent).collect();
        for secret in &secrets {
            for at in 0..walk.answers.len() {
                for answer in odd::quoting(secret) {
                    let what = format!("a {} that repeats a secret", answer.status());
                    if let Replayed::Failed(error) = under_test.replay(walk, at, &what, &answer) {
                        expect_hidden(&format!("`{}` at {what}", walk.name), &told(&error), &secrets);
                    }
                }
            }
        }
    }
}
