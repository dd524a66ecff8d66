//! What a provider says of its methods.

use perennial_core::{Consumes, Credentials, Grant, LeaseId, Provider, Secret};

use super::rig::Walk;
use super::subject::ProviderUnderTest;
use crate::conformance::case::does_not_apply;

pub(super) fn every_method_has_a_name_of_its_own<P: Provider>(under_test: &mut ProviderUnderTest<P>) {
    let provider = &under_test.provider;
    assert!(!provider.name().trim().is_empty(), "the provider has no name");
    assert!(!provider.namespace().trim().is_empty(), "the provider has no namespace");
    let again = provider.clone();
    assert_eq!((provider.name(), provider.namespace()), (again.name(), again.namespace()), "name and namespace, again");
    assert!(LeaseId::ALL.iter().any(|lease_id| !provider.methods(*lease_id).is_empty()), "there is no method");
    for lease_id in LeaseId::ALL {
        let methods = provider.methods(lease_id);
        for (position, method) in methods.iter().enumerate() {
            let name = provider.method_name(*method);
            assert!(!name.trim().is_empty(), "{method:?} has no name");
            for other in &methods[..position] {
                assert!(other != method, "{method:?} stands twice among the methods of the {lease_id}");
                assert!(provider.method_name(*other) != name, "{method:?} and {other:?} are both called `{name}`");
            }
        }
    }
}

pub(super) fn methods_are_listed_cheapest_first<P: Provider>(under_test: &mut ProviderUnderTest<P>) {
    let provider = &under_test.provider;
    for lease_id in LeaseId::ALL {
        let mut dear = None;
        for method in provider.methods(lease_id) {
            match (provider.consumes(*method), dear) {
                (Consumes::LoginAttempt, _) => dear = Some(method),
                (_, Some(dear)) => {
                    panic!("`{dear:?}`, which shows the login, stands before `{method:?}` at the {lease_id}")
                }
                _ => {}
            }
            assert!(provider.requires(*method) != Some(lease_id), "`{method:?}` waits for what it renews");
        }
    }
}

pub(super) fn a_method_that_misses_what_it_needs_makes_no_exchange<P: Provider>(under_test: &mut ProviderUnderTest<P>) {
    let held = under_test.held();
    let ProviderUnderTest { provider, login, .. } = under_test;
    let without = without_refresh_token(&held);
    for method in LeaseId::ALL.into_iter().flat_map(|lease_id| provider.methods(lease_id)) {
        let begins = |login, have| provider.begin(*method, login, have).is_some();
        let name = provider.method_name(*method);
        assert!(!begins(None, None), "`{name}` makes an exchange of nothing");
        match provider.consumes(*method) {
            Consumes::RefreshToken => {
                assert!(!begins(Some(login), None), "`{name}` makes an exchange without a refresh token");
                assert!(!begins(Some(login), Some(&without)), "`{name}` makes an exchange without a refresh token");
            }
            Consumes::LoginAttempt => {
                assert!(!begins(None, Some(&held)), "`{name}` makes an exchange without a login");
            }
            Consumes::Nothing => {}
        }
    }
}

fn without_refresh_token(held: &Credentials) -> Credentials {
    let grant = Grant {
        access: Some(held.access().clone()),
        aws: held.aws().cloned(),
        account: Some(held.account().clone()),
        ..Grant::default()
    };
    Credentials::from_grant(grant, None).unwrap_or_else(|| held.clone())
}

pub(super) fn what_a_method_shows_is_what_it_consumes<P: Provider>(under_test: &mut ProviderUnderTest<P>) {
    let walks = under_test.walks();
    let ProviderUnderTest { provider, secrets, .. } = under_test;
    for walk in &walks {
        let consumes = provider.consumes(walk.method);
        let shows = |secret: &str| walk.requests.iter().any(|request| request.shows(secret));
        if secrets.iter().any(|secret| shows(secret)) {
            assert_eq!(consumes, Consumes::LoginAttempt, "`{}` shows the login, and says that it consumes", walk.name);
        }
        let rotated = walk.grant.refresh_token.as_ref().map(Secret::expose);
        if let Some(token) = walk.refresh_token()
            && shows(token)
            && rotated.is_some_and(|rotated| rotated != token)
        {
            assert_eq!(
                consumes,
                Consumes::RefreshToken,
                "`{}` shows a refresh token that the service rotates, and says that it consumes",
                walk.name
            );
        }
    }
}

pub(super) fn a_login_counts_as_shown_once_a_request_carries_it<P: Provider>(under_test: &mut ProviderUnderTest<P>) {
    let walks = under_test.walks();
    let ProviderUnderTest { provider, secrets, .. } = under_test;
    let asked = |walk: &&Walk<P>| provider.consumes(walk.method) == Consumes::LoginAttempt;
    for walk in walks.iter().filter(asked) {
        let mut shown = false;
        for (number, request) in walk.requests.iter().enumerate() {
            shown |= secrets.iter().any(|secret| request.shows(secret));
            let number = number + 1;
            assert!(!shown || request.has_shown_login, "`{}` has shown the login by request {number}", walk.name);
        }
    }
    if secrets.is_empty() {
        does_not_apply("no secrets of the login were named");
    }
}
