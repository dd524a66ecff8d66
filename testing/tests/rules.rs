//! Every rule of a session, tested on its own: random histories through the reference model.
//! The last tests prove that the model can fail: sessions that are wrong on purpose.

use perennial_core::{LeaseId, Session, SignOut};
use perennial_testing::{Harness, Life, Lives, Often, Rule, ScriptedReply, Span, Step, Toy, Who, steps};
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, RngSeed, TestCaseError, TestRunner};

/// The same histories in every run: a failure belongs to what was changed. Other ones where `PERENNIAL_FRESH` is set, or
/// by `PROPTEST_RNG_SEED`.
fn config(seed: u64) -> Config {
    let config = Config::default();
    let is_random = matches!(config.rng_seed, RngSeed::Random) && std::env::var_os("PERENNIAL_FRESH").is_none();
    if is_random { Config { rng_seed: RngSeed::Fixed(seed), ..config } } else { config }
}

/// Random histories, and only one rule checked.
fn holds(rule: Rule) {
    let config = Config {
        max_shrink_iters: 20_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        source_file: Some(file!()),
        ..config(rule as u64)
    };
    let histories = (any::<u64>(), steps(80));
    TestRunner::new(config)
        .run(&histories, |(seed, steps)| check(rule, seed, &steps).map_err(TestCaseError::fail))
        .unwrap_or_else(|error| panic!("{error}"));
}

/// Random histories, all rules, and somebody else runs what exchanges do.
#[test]
fn where_work_is_handed_out_every_rule_holds_as_well() {
    TestRunner::new(config(u64::MAX))
        .run(&(any::<u64>(), steps(80)), |(seed, steps)| {
            let make = |policy, login, seed| Session::new(Toy, login, policy, seed).with_work_handed_out();
            let mut harness = Harness::of(seed, make).chosen_by_seed();
            let outcome = harness.run_steps(&steps).and_then(|()| harness.recover());
            let outcome = outcome.and_then(|()| harness.finish().map(drop));
            outcome.map_err(|violation| TestCaseError::fail(violation.to_string()))
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

/// Histories that broke a rule once, by what is right in them.
#[test]
fn a_login_that_is_forgotten_while_it_signs_in_over_a_sign_out_does_not_come_back_from_the_store() {
    let over_when_it_comes = Lives { access: Life::Millis(0), aws: Some(Life::Hour) };
    let history = [
        Step::Insist(LeaseId::Access, Often::EachSecond(1)),
        Step::SignOutElsewhere(SignOut::KeepLogin),
        Step::SignIn(Who::Ann),
        Step::NextWake,
        Step::NextWake,
        Step::Answer(ScriptedReply::Works(over_when_it_comes)),
        Step::ForgetLogin,
    ];
    assert_eq!(check(Rule::SignedOutCanComeBack, 14_230_621_779_581_941_056, &history), Ok(()));
    let history = [
        Step::SignOut(SignOut::KeepLogin),
        Step::SignIn(Who::Ann),
        Step::ForgetLogin,
        Step::Answer(ScriptedReply::Refuses),
    ];
    assert_eq!(check(Rule::SignedOutCanComeBack, 6_802_530_473_520_069_376, &history), Ok(()));
}

#[test]
fn a_refusal_from_before_a_person_gave_the_login_again_does_not_count_after_an_odd_answer() {
    let history = [
        Step::Demand(LeaseId::Access),
        Step::Answer(ScriptedReply::Works(Lives::HOUR)),
        Step::NextWake,
        Step::SignIn(Who::Bob),
        Step::Answer(ScriptedReply::Refuses),
        Step::SignIn(Who::Ann),
        Step::Restart,
        Step::SignIn(Who::Bob),
        Step::Answer(ScriptedReply::TooLarge),
        Step::SignOut(SignOut::KeepLogin),
        Step::Answer(ScriptedReply::Works(Lives::HOUR)),
    ];
    assert_eq!(check(Rule::SignedOutCanComeBack, 14_545_169_140_443_625_252, &history), Ok(()));
}

#[test]
fn a_login_that_rests_stays_the_one_to_keep_while_the_session_from_before_serves() {
    let history = [
        Step::SignIn(Who::Ann),
        Step::Answer(ScriptedReply::Works(Lives::HOUR)),
        Step::SignIn(Who::AnnMistyped),
        Step::Answer(ScriptedReply::TooLarge),
        Step::Pass(Span::Millis(1000)),
        Step::Answer(ScriptedReply::WebPage),
        Step::SignInAgain,
        Step::SignOut(SignOut::KeepLogin),
    ];
    assert_eq!(check(Rule::SignedOutCanComeBack, 8_343_247_934_727_761_344, &history), Ok(()));
}

#[test]
fn after_a_sign_out_that_forgets_anybody_may_sign_in_elsewhere_and_is_followed() {
    let history = [
        Step::SignOut(SignOut::KeepLogin),
        Step::SignIn(Who::Bob),
        Step::Restart,
        Step::ForgetLogin,
        Step::Insist(LeaseId::Access, Often::EachSecond(1)),
        Step::SignInAgain,
        Step::SignOut(SignOut::ForgetLogin),
        Step::SignInElsewhere(Lives::HOUR),
        Step::NextWake,
    ];
    assert_eq!(check(Rule::SignedOutCanComeBack, 15_299_654_237_197_208_832, &history), Ok(()));
}

fn check(rule: Rule, seed: u64, steps: &[Step]) -> Result<(), String> {
    let mut harness = Harness::seeded(seed).only(rule);
    let outcome = harness.run_steps(steps).and_then(|()| harness.recover());
    outcome.and_then(|()| harness.finish().map(drop)).map_err(|violation| violation.to_string())
}

macro_rules! rules {
    ($($name:ident: $rule:ident,)*) => {
        $(#[test]
        fn $name() {
            holds(Rule::$rule);
        })*

        #[test]
        fn every_rule_has_its_test() {
            assert_eq!([$(Rule::$rule),*], Rule::ALL);
        }
    };
}

rules! {
    one_at_a_time: OneAtATime,
    no_waiting_on_valid: NoWaitingOnValid,
    failure_never_displaces: FailureNeverDisplaces,
    failures_are_shared: FailuresAreShared,
    transient_is_not_refused: TransientIsNotRefused,
    quiet_is_the_services: QuietIsTheServices,
    an_answered_no_is_not_an_outage: AnsweredNoIsNoOutage,
    refused_stops: RefusedStops,
    a_password_is_not_shown_again_and_again: PasswordIsNotRepeated,
    unsupported_passes: UnsupportedPasses,
    some_way_works_and_somebody_is_served: SomeWayWorks,
    a_refused_method_is_left_out: RefusedMethodIsLeftOut,
    leases_fail_apart: LeasesFailApart,
    lost_answer: LostAnswer,
    what_came_is_kept: WhatCameIsKept,
    name_what_was_refused: NameWhatWasRefused,
    who_named_it_does_not_get_it_back: RejectedStaysAway,
    whole_sets: WholeSets,
    absolute_deadlines: AbsoluteDeadlines,
    margins_fit_lifetimes: MarginsFitLifetimes,
    no_busy_loop: NoBusyLoop,
    clocks_misbehave: ClocksMisbehave,
    sign_out_wins: SignOutWins,
    signed_out_can_come_back: SignedOutCanComeBack,
    a_new_login_is_a_new_epoch: NewLoginIsANewEpoch,
    save_then_tell: SaveThenTell,
    lock_read_decide: LockReadDecide,
    a_program_has_an_end: ProgramsEnd,
    what_is_in_doubt_is_looked_into: DoubtIsLookedInto,
    no_error_is_for_ever_but_a_refusal: NoErrorIsForever,
    nothing_leaks: NothingLeaks,
    same_inputs_same_outputs: SameInputsSameOutputs,
}
