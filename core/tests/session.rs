//! Scenarios of a session with the toy provider, on a virtual clock.

use std::time::Duration;

use perennial_core::session::{MAX_BACKOFF_FOREGROUND, MIN_RETRY_INTERVAL};
use perennial_core::{Error, Event, LeaseId, Policy, ServiceErrorKind, SessionError, SignOut, State};
use perennial_testing::{
    After, Asked, Harness, Life, Lives, ScriptedReply, Span, Step, Stray, ToyMethod, Violation, Which, Who,
};

type Told = Result<(), Violation>;

const HOUR: ScriptedReply = ScriptedReply::Works(Lives::HOUR);

/// A session of Ann's, a minute after its sign-in. Its access token expires before its AWS credentials.
fn signed_in(policy: Policy) -> Result<Harness, Violation> {
    let mut harness = Harness::new(1).with(policy, Some(Who::Ann));
    let lives = Lives { access: Life::Hour, aws: Some(Life::Seconds(7200)) };
    harness.run_steps(&[
        Step::Demand(LeaseId::Access),
        Step::Answer(ScriptedReply::Works(lives)),
        Step::Pass(Span::Seconds(60)),
    ])?;
    assert_eq!(harness.session().state(), State::Live);
    Ok(harness)
}

fn is_served(harness: &Harness, lease_id: LeaseId) -> bool {
    harness.session().credentials(lease_id, harness.now()).is_some()
}

fn token(harness: &Harness) -> String {
    let credentials = harness.session().credentials(LeaseId::Access, harness.now());
    credentials.map(|held| held.access().expose().to_owned()).unwrap_or_default()
}

fn kinds(harness: &Harness) -> Vec<&'static str> {
    let kind = |asked: &Asked| match asked {
        Asked::Refresh { .. } => ToyMethod::Refresh.name(),
        Asked::AwsRefresh { .. } => ToyMethod::AwsRefresh.name(),
        Asked::SignIn { .. } => ToyMethod::SignIn.name(),
        Asked::Ticket { .. } => "ticket",
        Asked::SignOut { .. } => "sign-out",
    };
    harness.sent().iter().map(kind).collect()
}

fn kind(error: Option<Error>) -> Option<ServiceErrorKind> {
    match error {
        Some(Error::Service(error)) => Some(error.kind()),
        _ => None,
    }
}

#[test]
fn a_thousand_demands_at_expiry_are_one_request() -> Told {
    let mut harness = signed_in(Policy::default().on_demand())?;
    harness.run_step(Step::Pass(Span::Hours(2)))?;
    assert!(!is_served(&harness, LeaseId::Access));
    for _ in 0..1000 {
        harness.run_step(Step::Demand(LeaseId::Access))?;
    }
    assert_eq!(kinds(&harness), ["sign-in", "refresh"]);
    harness.run_step(Step::Answer(HOUR))?;
    assert!(is_served(&harness, LeaseId::Access));
    Ok(())
}

#[test]
fn a_refused_refresh_signs_in_when_there_is_a_login() -> Told {
    let mut harness = signed_in(Policy::default())?;
    harness.run_steps(&[Step::Renew(LeaseId::Access), Step::Answer(ScriptedReply::Refuses), Step::Answer(HOUR)])?;
    assert_eq!(kinds(&harness), ["sign-in", "refresh", "sign-in"]);
    assert_eq!(harness.session().state(), State::Live);
    Ok(())
}

#[test]
fn a_refresh_token_beside_an_expired_access_token_is_tried_although_the_old_one_was_rejected() -> Told {
    let mut harness = signed_in(Policy::default())?;
    let dead = ScriptedReply::Works(Lives { access: Life::Millis(0), aws: Some(Life::Hour) });
    harness.run_steps(&[Step::Renew(LeaseId::Access), Step::Answer(ScriptedReply::Refuses), Step::Answer(dead)])?;
    assert_eq!(kinds(&harness), ["sign-in", "refresh", "sign-in"]);
    harness.run_steps(&[Step::NextWake, Step::Answer(HOUR)])?;
    assert_eq!(kinds(&harness), ["sign-in", "refresh", "sign-in", "refresh"]);
    assert!(is_served(&harness, LeaseId::Access));
    Ok(())
}

#[test]
fn after_a_rejected_refresh_without_a_login_the_token_serves_until_it_expires() -> Told {
    let mut harness = signed_in(Policy::default())?;
    harness.run_steps(&[Step::ForgetLogin, Step::Renew(LeaseId::Access), Step::Answer(ScriptedReply::Refuses)])?;
    assert!(is_served(&harness, LeaseId::Access), "a refusal displaces nothing");
    harness.run_step(Step::Pass(Span::Hours(1)))?;
    assert_eq!(harness.session().state(), State::SignInRequired);
    let obstacle = harness.session().obstacle(LeaseId::Access);
    assert!(matches!(obstacle, Some(Error::Session(SessionError::SignInRequired { source: Some(_), retry_at: None }))));
    Ok(())
}

#[test]
fn a_wrong_password_stops_and_a_new_sign_in_resumes() -> Told {
    let mut harness = Harness::new(1).with(Policy::default(), Some(Who::AnnMistyped));
    harness.run_steps(&[Step::Demand(LeaseId::Access), Step::Answer(HOUR)])?;
    assert_eq!(harness.session().state(), State::SignInRequired);
    assert_eq!(kind(harness.session().obstacle(LeaseId::Access)), Some(ServiceErrorKind::InvalidCredentials));
    for _ in 0..100 {
        harness.run_steps(&[Step::Demand(LeaseId::Access), Step::Demand(LeaseId::Aws), Step::Pass(Span::Hours(1))])?;
    }
    assert_eq!(harness.service().wrong_sign_ins(), 1, "accounts get locked");
    harness.run_steps(&[Step::SignIn(Who::Ann), Step::Answer(HOUR)])?;
    assert_eq!(harness.session().state(), State::Live);
    Ok(())
}

#[test]
fn a_hundred_refusals_of_one_token_cause_one_renewal() -> Told {
    let mut harness = signed_in(Policy::default())?;
    harness.run_step(Step::Pass(Span::Seconds(600)))?;
    for _ in 0..100 {
        harness.run_step(Step::Reject(LeaseId::Access, Which::Current))?;
    }
    assert!(!is_served(&harness, LeaseId::Access));
    harness.run_step(Step::Answer(HOUR))?;
    let renewed = token(&harness);
    for _ in 0..100 {
        harness.run_step(Step::Reject(LeaseId::Access, Which::Old))?;
    }
    assert_eq!(token(&harness), renewed);
    assert_eq!(kinds(&harness), ["sign-in", "refresh"]);
    Ok(())
}

#[test]
fn tokens_that_are_rejected_right_after_they_were_issued_are_renewed_ever_slower() -> Told {
    let mut harness = signed_in(Policy::default())?;
    let start = harness.now().monotonic;
    for _ in 0..8 {
        harness.run_steps(&[Step::Reject(LeaseId::Access, Which::Current), Step::NextWake, Step::Answer(HOUR)])?;
        while harness.in_flight().is_none() && !is_served(&harness, LeaseId::Access) {
            harness.run_steps(&[Step::NextWake, Step::Answer(HOUR)])?;
        }
    }
    assert!(harness.now().monotonic - start > Duration::from_secs(60));
    assert!(is_served(&harness, LeaseId::Access), "the token is not at fault");
    Ok(())
}

#[test]
fn a_token_as_short_as_the_margin_is_used_before_it_is_renewed() -> Told {
    let policy = Policy::default().margin(Duration::from_secs(300));
    let mut harness = Harness::new(1).with(policy, Some(Who::Ann));
    harness.run_steps(&[
        Step::Demand(LeaseId::Access),
        Step::Answer(ScriptedReply::Works(Lives::seconds(300))),
        Step::Pass(Span::Seconds(200)),
    ])?;
    assert!(is_served(&harness, LeaseId::Access));
    assert_eq!(kinds(&harness), ["sign-in"]);
    harness.run_step(Step::Pass(Span::Seconds(30)))?;
    assert_eq!(kinds(&harness), ["sign-in", "refresh"]);
    Ok(())
}

#[test]
fn a_lost_answer_to_a_rotating_refresh_leads_to_a_sign_in() -> Told {
    let mut harness = signed_in(Policy::default())?;
    harness.run_steps(&[Step::Renew(LeaseId::Access), Step::Answer(ScriptedReply::LostAfter), Step::Answer(HOUR)])?;
    assert_eq!(kinds(&harness), ["sign-in", "refresh", "sign-in"]);
    assert_eq!(harness.service().reuses(), 0);
    Ok(())
}

#[test]
fn after_a_lost_answer_without_a_login_the_refresh_is_repeated_once() -> Told {
    let mut harness = signed_in(Policy::default())?;
    harness.run_steps(&[
        Step::ForgetLogin,
        Step::Pass(Span::Hours(1)),
        Step::Demand(LeaseId::Access),
        Step::Answer(ScriptedReply::LostBefore),
    ])?;
    let obstacle = harness.session().obstacle(LeaseId::Access);
    let again = obstacle.and_then(|error| error.retry_at());
    assert!(again.is_some_and(|at| at.since(harness.now().wall) >= MIN_RETRY_INTERVAL));
    harness.run_steps(&[Step::NextWake, Step::Answer(HOUR)])?;
    assert_eq!(kinds(&harness), ["sign-in", "refresh", "refresh"]);
    assert!(is_served(&harness, LeaseId::Access), "the first one never arrived");
    Ok(())
}

#[test]
fn an_interrupted_exchange_is_a_lost_answer_even_if_its_second_request_was_not_sent() -> Told {
    let mut harness = signed_in(Policy::default())?;
    harness.run_steps(&[
        Step::Renew(LeaseId::Access),
        Step::Answer(ScriptedReply::Continues),
        Step::Answer(ScriptedReply::NotSent),
    ])?;
    assert_eq!(kinds(&harness), ["sign-in", "refresh", "ticket", "sign-in"]);
    Ok(())
}

#[test]
fn an_exchange_of_several_requests_ends_in_one_grant() -> Told {
    let mut harness = Harness::new(1).with(Policy::default(), Some(Who::Ann));
    harness.run_steps(&[Step::Demand(LeaseId::Access), Step::Answer(ScriptedReply::Continues)])?;
    assert!(!is_served(&harness, LeaseId::Access));
    harness.run_step(Step::Answer(HOUR))?;
    assert!(is_served(&harness, LeaseId::Access) && is_served(&harness, LeaseId::Aws));
    Ok(())
}

#[test]
fn a_sign_out_during_a_refresh_wins() -> Told {
    let mut harness = signed_in(Policy::default())?;
    harness.run_steps(&[Step::Renew(LeaseId::Access), Step::SignOut(SignOut::KeepLogin)])?;
    assert_eq!(harness.session().state(), State::SignedOut);
    assert!(harness.session().held().is_none());
    harness.run_steps(&[Step::Answer(HOUR), Step::Answer(HOUR), Step::Answer(HOUR)])?;
    assert_eq!(kinds(&harness), ["sign-in", "refresh", "sign-out", "sign-out"]);
    assert_eq!(harness.service().signed_out().len(), 2, "the late grant is revoked, too");
    harness.run_steps(&[Step::Demand(LeaseId::Access), Step::Pass(Span::Hours(9))])?;
    assert_eq!(harness.session().state(), State::SignedOut);
    assert!(!harness.session().is_signing_out());
    Ok(())
}

#[test]
fn a_login_from_before_a_sign_out_is_not_used_with_another_accounts_grant() -> Told {
    let mut harness = signed_in(Policy::default())?;
    harness.run_steps(&[
        Step::SignOut(SignOut::KeepLogin),
        Step::Answer(HOUR),
        Step::Accept(Who::Bob, Lives::HOUR),
        Step::Renew(LeaseId::Access),
        Step::Answer(ScriptedReply::Refuses),
    ])?;
    assert_eq!(kinds(&harness), ["sign-in", "sign-out", "refresh"]);
    assert!(!harness.session().has_login());
    Ok(())
}

#[test]
fn aws_credentials_have_renewal_methods_of_their_own() -> Told {
    let mut harness = Harness::new(1).with(Policy::default(), Some(Who::Ann));
    let lives = Lives { access: Life::Hour, aws: Some(Life::Seconds(600)) };
    harness.run_steps(&[Step::Demand(LeaseId::Aws), Step::Answer(ScriptedReply::Works(lives)), Step::NextWake])?;
    assert_eq!(kinds(&harness), ["sign-in", "aws-refresh"]);
    let before = token(&harness);
    harness.run_step(Step::Answer(ScriptedReply::ServerError))?;
    assert!(is_served(&harness, LeaseId::Aws) && is_served(&harness, LeaseId::Access));
    assert_eq!(harness.session().failures(LeaseId::Access).0, 0, "leases fail apart");
    harness.run_steps(&[Step::NextWake, Step::Answer(ScriptedReply::Works(lives))])?;
    assert_eq!(token(&harness), before);
    Ok(())
}

#[test]
fn an_account_without_aws_credentials_gets_an_error_and_keeps_its_access_token() -> Told {
    let mut harness = Harness::new(1).with(Policy::default(), Some(Who::Ann));
    let none = ScriptedReply::Works(Lives { access: Life::Hour, aws: None });
    harness.run_step(Step::Demand(LeaseId::Aws))?;
    for _ in 0..10 {
        harness.run_steps(&[Step::Answer(none), Step::Pass(Span::Seconds(2))])?;
    }
    assert_eq!(kind(harness.session().obstacle(LeaseId::Aws)), Some(ServiceErrorKind::NotGranted));
    assert_eq!(harness.session().state(), State::Live);
    assert!(harness.sent().len() <= 4, "{:?}", kinds(&harness));
    Ok(())
}

#[test]
fn a_missing_endpoint_is_remembered() -> Told {
    let mut harness = signed_in(Policy::default())?;
    harness.run_steps(&[Step::Renew(LeaseId::Access), Step::Answer(ScriptedReply::Missing), Step::Answer(HOUR)])?;
    harness.run_steps(&[Step::Pass(Span::Seconds(60)), Step::Renew(LeaseId::Access), Step::Answer(HOUR)])?;
    assert_eq!(kinds(&harness), ["sign-in", "refresh", "sign-in", "sign-in"]);
    Ok(())
}

#[test]
fn a_sign_in_endpoint_that_was_missing_once_is_tried_for_a_new_login() -> Told {
    let mut harness = Harness::new(1).with(Policy::default(), Some(Who::Ann));
    harness.run_steps(&[Step::Demand(LeaseId::Access), Step::Answer(ScriptedReply::Missing)])?;
    assert_eq!(harness.session().state(), State::Waiting);
    harness.run_steps(&[Step::SignIn(Who::Ann), Step::Answer(HOUR)])?;
    assert_eq!(harness.session().state(), State::Live);
    Ok(())
}

#[test]
fn retry_after_is_obeyed_however_many_ask() -> Told {
    let mut harness = Harness::new(1).with(Policy::default(), Some(Who::Ann));
    harness
        .run_steps(&[Step::Demand(LeaseId::Access), Step::Answer(ScriptedReply::RateLimited(After::Seconds(60)))])?;
    for _ in 0..50 {
        harness.run_steps(&[Step::Demand(LeaseId::Access), Step::Pass(Span::Seconds(1))])?;
    }
    assert_eq!(kinds(&harness), ["sign-in"]);
    harness.run_steps(&[Step::Pass(Span::Seconds(10)), Step::Answer(HOUR)])?;
    assert_eq!(harness.session().state(), State::Live);
    Ok(())
}

#[test]
fn no_caller_notices_an_outage_while_credentials_are_valid() -> Told {
    let mut harness = signed_in(Policy::default())?;
    harness.run_step(Step::NextWake)?;
    let before = token(&harness);
    for outcome in [
        ScriptedReply::ServerError,
        ScriptedReply::NotSent,
        ScriptedReply::WebPage,
        ScriptedReply::TimedOut,
        ScriptedReply::Torn,
    ] {
        harness.run_steps(&[Step::Answer(outcome), Step::Demand(LeaseId::Access), Step::Demand(LeaseId::Aws)])?;
        assert_eq!(token(&harness), before, "{outcome:?}");
        assert!(harness.session().obstacle(LeaseId::Access).is_none(), "{outcome:?}");
        harness.run_step(Step::NextWake)?;
    }
    Ok(())
}

#[test]
fn callers_in_an_outage_get_an_error_at_once_with_retry_at() -> Told {
    let mut harness = Harness::new(1).with(Policy::default(), Some(Who::Ann));
    for told in 1..20 {
        harness.run_steps(&[Step::Demand(LeaseId::Access), Step::Answer(ScriptedReply::LostBefore)])?;
        assert_eq!(harness.session().failures(LeaseId::Access).0, told);
        let error = harness.session().obstacle(LeaseId::Access).expect("nothing valid");
        let pause = error.retry_at().expect("a pause").since(harness.now().wall);
        assert!(pause >= MIN_RETRY_INTERVAL && pause <= MAX_BACKOFF_FOREGROUND, "{pause}");
        harness.run_steps(&[Step::Demand(LeaseId::Access), Step::NextWake])?;
    }
    Ok(())
}

#[test]
fn a_suspend_past_the_deadline_is_one_renewal() -> Told {
    let mut harness = signed_in(Policy::default())?;
    harness.run_step(Step::Suspend(Span::Hours(30)))?;
    assert!(!is_served(&harness, LeaseId::Access));
    harness.run_steps(&[Step::Wake, Step::Wake, Step::Answer(HOUR), Step::Answer(HOUR), Step::Wake])?;
    assert!(is_served(&harness, LeaseId::Access) && is_served(&harness, LeaseId::Aws));
    assert_eq!(kinds(&harness), ["sign-in", "refresh", "aws-refresh"]);
    Ok(())
}

#[test]
fn a_wall_clock_that_is_set_back_extends_no_validity() -> Told {
    let mut harness = signed_in(Policy::default().on_demand())?;
    harness.run_steps(&[Step::WallBack(Span::Years(1)), Step::Pass(Span::Seconds(3539))])?;
    assert!(is_served(&harness, LeaseId::Access));
    harness.run_step(Step::Pass(Span::Seconds(1)))?;
    assert!(!is_served(&harness, LeaseId::Access));
    Ok(())
}

#[test]
fn a_lazy_session_renews_only_when_asked() -> Told {
    let mut harness = signed_in(Policy::default().on_demand())?;
    harness.run_step(Step::Pass(Span::Seconds(3500)))?;
    assert_eq!(kinds(&harness), ["sign-in"]);
    harness.run_step(Step::Demand(LeaseId::Access))?;
    assert_eq!(kinds(&harness), ["sign-in", "refresh"]);
    assert!(is_served(&harness, LeaseId::Access), "it is served while it is renewed");
    Ok(())
}

#[test]
fn a_session_goes_on_from_a_saved_session() -> Told {
    let mut harness = signed_in(Policy::default())?;
    let before = token(&harness);
    harness.run_steps(&[Step::Pass(Span::Seconds(1000)), Step::Restart])?;
    assert_eq!(token(&harness), before);
    assert_eq!(kinds(&harness), ["sign-in"]);
    harness.run_step(Step::NextWake)?;
    assert_eq!(kinds(&harness), ["sign-in", "refresh"]);
    Ok(())
}

#[test]
fn late_and_foreign_answers_are_counted_and_ignored() -> Told {
    let mut harness = signed_in(Policy::default())?;
    harness.run_steps(&[
        Step::Renew(LeaseId::Access),
        Step::SignIn(Who::Bob),
        Step::Stray(Stray::Late),
        Step::Stray(Stray::Foreign),
        Step::Stray(Stray::Again),
    ])?;
    assert_eq!(harness.session().stats().ignored, 3);
    assert!(harness.session().held().is_none(), "another account's credentials are gone");
    harness.run_step(Step::Answer(HOUR))?;
    let held = harness.session().held().expect("granted");
    assert_eq!(held.account().id, Who::Bob.user());
    Ok(())
}

#[test]
fn a_grant_that_arrives_expired_replaces_nothing() -> Told {
    let mut harness = signed_in(Policy::default())?;
    let before = token(&harness);
    harness
        .run_steps(&[Step::Renew(LeaseId::Access), Step::Answer(ScriptedReply::Works(Lives::both(Life::Millis(0))))])?;
    assert_eq!(token(&harness), before);
    Ok(())
}

#[test]
fn a_month_of_renewals_asks_no_more_than_it_must() -> Told {
    let mut harness = signed_in(Policy::default())?;
    let end = harness.now().monotonic + Duration::from_secs(30 * 86_400);
    while harness.now().monotonic < end {
        harness.run_steps(&[Step::NextWake, Step::Answer(HOUR)])?;
        assert!(is_served(&harness, LeaseId::Access) && is_served(&harness, LeaseId::Aws));
    }
    let renewals = harness.events().iter().filter(|event| matches!(event, Event::Renewed { .. })).count();
    assert!((1440..1640).contains(&renewals), "{renewals}");
    assert_eq!(harness.service().sign_ins(), 1);
    Ok(())
}
