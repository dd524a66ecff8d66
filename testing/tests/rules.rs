//! Every rule of a session, tested on its own: random histories through the reference model.
//! The last tests prove that the model can fail: sessions that are wrong on purpose.

use perennial_core::{LeaseId, Session, SignOut};
use perennial_testing::{Harness, Lives, Often, Rule, ScriptedReply, Span, Step, Stray, Toy, ToyMethod, Who, steps};
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestRunner};

/// Random histories, and only one rule checked.
fn holds(rule: Rule) {
    let config = Config {
        max_shrink_iters: 20_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        source_file: Some(file!()),
        ..Config::default()
    };
    let histories = (any::<u64>(), steps(80));
    TestRunner::new(config)
        .run(&histories, |(seed, steps)| check(rule, seed, &steps).map_err(TestCaseError::fail))
        .unwrap_or_else(|error| panic!("{error}"));
}

/// Random histories, all rules, and somebody else runs what exchanges do.
#[test]
fn where_work_is_handed_out_every_rule_holds_as_well() {
    TestRunner::new(Config::default())
        .run(&(any::<u64>(), steps(80)), |(seed, steps)| {
            let make = |policy, login, seed| Session::new(Toy, login, policy, seed).with_work_handed_out();
            let mut harness = Harness::of(seed, make).chosen_by_seed();
            let outcome = harness.run_steps(&steps).and_then(|()| harness.recover());
            let outcome = outcome.and_then(|()| harness.finish().map(drop));
            outcome.map_err(|violation| TestCaseError::fail(violation.to_string()))
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

/// With the token from before, the login goes into the store: whoever has it forgotten there means this one.
#[test]
fn a_login_is_saved_when_its_sign_in_gives_way_to_the_session_from_before() {
    let history = [
        Step::Weather(ToyMethod::SignIn, Some(ScriptedReply::TooLarge)),
        Step::Accept(Who::AnnMistyped, Lives::HOUR),
        Step::ForgetLogin,
        Step::Answer(ScriptedReply::Works(Lives::HOUR)),
        Step::SignInElsewhere(Lives::HOUR),
        Step::Pass(Span::Hours(1)),
        Step::SignIn(Who::Ann),
        Step::Stray(Stray::Late),
        Step::Insist(LeaseId::Access, Often::EachSecond(3)),
        Step::SignOutElsewhere(SignOut::ForgetLogin),
    ];
    assert_eq!(check(Rule::SignedOutCanComeBack, 1_128_656_544_929_105_216, &history), Ok(()));
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
