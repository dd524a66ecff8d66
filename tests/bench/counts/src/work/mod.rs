//! What is measured: each function prepares one piece of work, which can then be done any number of times.

mod adapter;
mod building;
mod clock;
mod machine;
mod parsing;

use std::hint::black_box;

pub use self::adapter::{publishing, reading};
pub use self::building::{refresh, refresh_by_hand, refresh_limit, sign_in, sign_in_by_hand, sign_in_limit};
pub(crate) use self::clock::at;
pub use self::machine::{Machine, round, signed_in, wake};
pub use self::parsing::{navien, navien_limit, navien_limit_text, oauth, oauth_limit, oauth_limit_text};

/// A piece of work whose instructions are counted.
pub struct Work {
    /// How it is called, in the baseline too: a change of name is a new piece of work.
    pub name: &'static str,
    /// The same by the limit's means, and how many times as much this may take.
    pub limit: Option<Limit>,
    /// Makes ready, and returns what does it once.
    pub prepare: fn() -> Box<dyn FnMut()>,
}

/// What a piece of work is compared with.
pub struct Limit {
    /// Another piece of work.
    pub name: &'static str,
    /// In percent of that one's instructions.
    pub percent: u64,
}

impl Work {
    const fn new(name: &'static str, prepare: fn() -> Box<dyn FnMut()>) -> Self {
        Self { name, limit: None, prepare }
    }

    const fn within(mut self, percent: u64, name: &'static str) -> Self {
        self.limit = Some(Limit { name, percent });
        self
    }
}

/// All of it, in the order in which it is printed.
///
/// Three limits are wider than what is aimed at (100 and 150), to hold what is reached. A Navien sign-in besides writes what
/// the service tells of the account, as it is saved. An OAuth answer keeps what it is not asked for, and is short: the fixed
/// price of header values and wiped memory shows. A sign-in's JSON is 80 bytes, and an `http::Request` put together by hand
/// around it takes nearly as long as ours.
pub const WORK: &[Work] = &[
    Work::new("read: a shared handle", || each(reading())),
    Work::new("parse: Navien sign-in, serde_json", || each(navien_limit())),
    Work::new("parse: Navien sign-in", || each(navien())).within(110, "parse: Navien sign-in, serde_json"),
    Work::new("parse: OAuth tokens, serde_json", || each(oauth_limit())),
    Work::new("parse: OAuth tokens", || each(oauth())).within(150, "parse: OAuth tokens, serde_json"),
    Work::new("build: sign-in, serde_json", || each(sign_in_limit())),
    Work::new("build: sign-in", || each(sign_in())).within(500, "build: sign-in, serde_json"),
    Work::new("build: refresh, serde_json", || each(refresh_limit())),
    Work::new("build: refresh", || each(refresh())).within(150, "build: refresh, serde_json"),
    Work::new("machine: a wake-up with nothing to do", || each(wake())),
    Work::new("machine: a renewal", || each(round())),
    Work::new("adapter: a renewal", || each(publishing())),
];

fn each<T>(mut work: impl FnMut() -> T + 'static) -> Box<dyn FnMut()> {
    Box::new(move || {
        black_box(work());
    })
}
