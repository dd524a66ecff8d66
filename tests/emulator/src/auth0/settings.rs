//! How the emulated site behaves where the real one is not known, or sites differ.

use std::time::Duration;

/// Settings of the site. Change the fields of the default.
#[derive(Clone, Debug)]
pub struct Auth0Settings {
    /// E-mail addresses and passwords. By default `viewer@example.com` with `correct horse & staple`.
    pub accounts: Vec<(String, String)>,
    /// How long tokens live, in whole seconds: their `exp`. A day by default.
    pub token_lifetime: Duration,
    /// Whether tokens say when they end. They do by default.
    pub token_with_exp: bool,
    /// The cookies in which tokens come, in the order of their setting; each has a token of its own. By default
    /// `angel_jwt`, then `angel_jwt_v2`: the better one last.
    pub jwt_cookies: Vec<String>,
    /// Where the first page has its `state`. In the page by default.
    pub state_in: StateIn,
    /// How many redirects there are before the first page. None by default.
    pub login_redirects: usize,
    /// How many redirects there are after the callback, beside the three of every sign-in; the token comes with
    /// the last. None by default; `usize::MAX` never ends.
    pub callback_redirects: usize,
    /// The status of redirects. 302 by default.
    pub redirect_status: u16,
    /// How a wrong login is refused. By a page under status 200 by default.
    pub refusal: RefusalPage,
}

impl Default for Auth0Settings {
    fn default() -> Self {
        Self {
            accounts: vec![(Self::EMAIL.to_owned(), Self::PASSWORD.to_owned())],
            token_lifetime: Duration::from_secs(24 * 3600),
            token_with_exp: true,
            jwt_cookies: ["angel_jwt", "angel_jwt_v2"].map(str::to_owned).to_vec(),
            state_in: StateIn::Page,
            login_redirects: 0,
            callback_redirects: 0,
            redirect_status: 302,
            refusal: RefusalPage::Ok,
        }
    }
}

impl Auth0Settings {
    /// The default account's e-mail address.
    pub const EMAIL: &str = "viewer@example.com";
    /// The default account's password.
    pub const PASSWORD: &str = "correct horse & staple";
}

/// Where the first page has its `state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateIn {
    /// In an input.
    Page,
    /// In the cookie `angelSession`; the page has no input.
    Cookie,
}

/// How a wrong login is refused: with a `div.error-message` in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalPage {
    /// Under status 200.
    Ok,
    /// Under status 400.
    BadRequest,
}
