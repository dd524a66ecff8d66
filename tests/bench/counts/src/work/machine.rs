//! A session, driven by hand in virtual time.

use std::hint::black_box;

use perennial_core::providers::navien::{Login, Navien, parse_sign_in};
use perennial_core::{Grant, Input, LeaseId, Now, Output, Policy, RequestId, Response, Session, Wake};

use super::clock::at;
use crate::answers;

/// A session, and the time that it is told.
pub struct Machine {
    /// The session.
    pub session: Session<Navien>,
    /// Seconds since it began.
    pub seconds: u64,
}

/// A session that has signed in by itself and sleeps.
pub fn signed_in() -> Machine {
    let login = Login::new(answers::EMAIL, "correct horse battery staple").expect("a login");
    let mut machine = Machine { session: Session::new(Navien::default(), login, Policy::default(), 1), seconds: 0 };
    machine.session.demand(LeaseId::Access, at(0));
    machine.drain(&answers::navien_sign_in());
    assert!(machine.session.credentials(LeaseId::Aws, at(0)).is_some());
    machine
}

impl Machine {
    /// Does what the session asks for, until it sleeps: every request gets this answer.
    pub fn drain(&mut self, answer: &[u8]) -> Option<Wake> {
        loop {
            match self.session.poll_output() {
                Output::Send(request) => {
                    let response = answers::response(answer);
                    self.session.handle_input(Input::Response(request.id, response), at(self.seconds));
                }
                Output::Sleep(wake) => return wake,
                Output::Event(event) => drop(black_box(event)),
                Output::Cancel(_) | Output::Store(_) => unreachable!("nothing is late, and there is no store"),
            }
        }
    }

    /// Time passes until the session renews, and it does: wake-up, request, answer, new credentials, sleep.
    pub fn renew(&mut self, answer: &[u8]) {
        let request = self.ask();
        self.answer(request, answers::response(answer));
    }

    /// Time passes until the session renews: wake-up and request.
    pub fn ask(&mut self) -> RequestId {
        // Within the margin of both leases, and before their end.
        self.seconds += 3_500;
        self.session.handle_input(Input::Wake, at(self.seconds));
        loop {
            match self.session.poll_output() {
                Output::Send(request) => return request.id,
                Output::Event(event) => drop(black_box(event)),
                output => unreachable!("a renewal is due: {output:?}"),
            }
        }
    }

    /// The answer comes: new credentials, sleep.
    pub fn answer(&mut self, request: RequestId, response: Response) {
        self.session.handle_input(Input::Response(request, response), at(self.seconds));
        self.drain(&[]);
    }
}

/// A wake-up that finds nothing to do, and the look for the next one.
pub fn wake() -> impl FnMut() -> Option<Wake> {
    let mut machine = signed_in();
    move || {
        machine.session.handle_input(Input::Wake, black_box(at(1)));
        match machine.session.poll_output() {
            Output::Sleep(wake) => wake,
            output => unreachable!("nothing is due: {output:?}"),
        }
    }
}

/// A whole renewal, without the network.
pub fn round() -> impl FnMut() {
    let (mut machine, answer) = (signed_in(), answers::navien_refresh());
    let before = machine.session.stats().requests;
    let mut rounds = 0;
    move || {
        machine.renew(&answer);
        rounds += 1;
        assert_eq!(machine.session.stats().requests, before + rounds, "one request a renewal");
    }
}

/// What a sign-in brings at this moment.
pub(super) fn grant(now: Now) -> Grant {
    let response = answers::response(&answers::navien_sign_in());
    parse_sign_in(&response, answers::EMAIL, now, now).expect("a sign-in")
}
