//! What one process signs out is signed out for all, until somebody signs in.

use super::process::Decided;
use super::report::FleetRule;
use super::store::{Facts, RecordKind};
use super::world::World;
use perennial_core::store::StoreRequest;
use perennial_core::{Event, SignOut, State};

impl World {
    // ---- People

    pub(super) fn sign_out(&mut self, process: usize) {
        let login = if self.random.one_in(4) { SignOut::ForgetLogin } else { SignOut::KeepLogin };
        self.report.sign_outs += 1;
        self.note(process, || format!("SIGN OUT, {login:?}"));
        let sight = &mut self.processes[process].sight;
        (sight.commanded, sight.decided, sight.left_at) = (true, Decided::No, Some(self.now));
        if login == SignOut::ForgetLogin {
            sight.own_login = None;
        }
        if let Some(flight) = self.flight_of(process) {
            flight.orphaned = true;
        }
        self.observe_sign_out(process);
        self.command(process, |session, now| session.sign_out(login, now));
    }

    pub(super) fn sign_in_again(&mut self, process: usize) {
        let session = self.processes[process].session.as_ref();
        if !session.is_some_and(perennial_core::Session::has_login) {
            return;
        }
        self.note(process, || "SIGN IN AGAIN".into());
        self.decide(process, self.service.newest());
        self.command(process, |session, now| drop(session.sign_in_again(now)));
    }

    /// A person signs in here, when this was the newest grant.
    pub(super) fn decide(&mut self, process: usize, newest: u64) {
        let sight = &mut self.processes[process].sight;
        (sight.commanded, sight.brings_after) = (true, Some(newest));
        (sight.decided, sight.granted) = (Decided::Blindly(self.now), 0);
        self.forget_failures();
    }

    // ---- What is seen

    /// A process has got an answer of the store. One that comes late is not looked at, or only just.
    pub(super) fn observe_sight(&mut self, process: usize, read: Option<Facts>, op: &StoreRequest) {
        let now = self.now;
        let sight = &mut self.processes[process].sight;
        let Some(asked) = sight.asked.filter(|asked| asked.id == op.id).map(|asked| asked.at) else { return };
        if now.saturating_sub(asked) >= op.timeout {
            sight.sees = None;
            return;
        }
        sight.sees = read;
        sight.out = read.filter(|facts| facts.kind == RecordKind::SignedOut).or(sight.out);
        if let Decided::Blindly(at) = sight.decided
            && at <= asked
        {
            sight.decided = Decided::Knowingly(at);
        }
    }

    /// A sign-in that came to nothing decides nothing.
    pub(super) fn observe_refused_login(&mut self, process: usize) {
        let sight = &mut self.processes[process].sight;
        (sight.decided, sight.sees) = (Decided::No, None);
    }

    /// A record is about to be written.
    pub(super) fn observe_decision(&mut self, process: usize, new: Facts, old: Facts) {
        let state = &mut self.processes[process];
        let running = state.keeper.running.as_ref().map(|running| running.op.id);
        let is_out = state.session.as_ref().is_none_or(|session| session.state() == State::SignedOut);
        let sight = &mut state.sight;
        let (decided, given_up) = (sight.decided, running != sight.asked.map(|asked| asked.id));
        // What was given up and is carried out all the same was decided on before, who knows when.
        sight.sees = Some(new).filter(|_| !given_up);
        match new.kind {
            RecordKind::Session if given_up => {}
            RecordKind::Session => {
                // What the service made of a new login may be noted beside what others have saved.
                let notes = new.access != sight.granted;
                sight.decided = if notes { decided } else { Decided::No };
            }
            RecordKind::SignedOut if is_out => sight.out = Some(new),
            // Or beside their sign-out.
            _ => sight.sees = None,
        }
        let over = new.kind == RecordKind::Session && old.kind == RecordKind::SignedOut;
        // Who signs out does not call back what the store is at work on already.
        let then = sight.asked.map_or(Decided::No, |asked| asked.decided);
        let is_no = |decided| matches!(decided, Decided::No | Decided::Overtaken(_));
        let undecided = is_no(decided) && is_no(then) && !given_up;
        if over && undecided && !self.has_forgotten() {
            let what = format!("writes {new:?} over a sign-out, and nobody has signed in here");
            self.breaks(FleetRule::SignOutHolds, process, what);
        }
        if new.kind == RecordKind::SignedOut
            && self.views.sign_outs.insert(new.signed_out_at)
            && let Some(left_at) = self.processes[process].sight.left_at
        {
            for state in &mut self.processes {
                if matches!(state.sight.decided, Decided::Knowingly(at) if at < left_at) {
                    state.sight.decided = Decided::Overtaken(new.revision);
                }
            }
        }
    }

    pub(super) fn observe_signed_out(&mut self, process: usize, event: &Event) {
        let state = &mut self.processes[process];
        let Event::SignedOut = event else { return };
        if !state.sight.commanded {
            self.report.followed += 1;
        }
        // One that is kept in the store is forgotten there, for all.
        state.sight.own_login.take_if(|_| !state.session.as_ref().is_some_and(perennial_core::Session::has_login));
    }

    pub(super) fn look_at_standing(&mut self, process: usize) {
        let state = &self.processes[process];
        let Some(session) = state.session.as_ref().filter(|_| !self.has_forgotten()) else { return };
        let is_out = session.state() == State::SignedOut;
        let leaves = session.is_signing_out() || session.unsaved().is_some();
        let Some(sees) = state.sight.sees else { return };
        let undecided = match state.sight.decided {
            Decided::No => true,
            Decided::Overtaken(revision) => sees.revision >= revision,
            Decided::Blindly(_) | Decided::Knowingly(_) => false,
        };
        let what = match sees.kind {
            RecordKind::SignedOut if !is_out && undecided => "has read of a sign-out",
            RecordKind::Session
                if is_out && !leaves && state.sight.out.is_some_and(|out| sees.revision > out.revision) =>
            {
                "has read that somebody signed in"
            }
            _ => return,
        };
        let what = format!("{what}, and is {:?}", session.state());
        self.breaks(FleetRule::SignOutHolds, process, what);
    }
}
