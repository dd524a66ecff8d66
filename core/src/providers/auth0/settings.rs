//! The provider and the settings of its site.

use std::time::Duration;

use http::{HeaderValue, Uri};

use super::location::Origin;
use crate::exchange::REQUEST_TIMEOUT;
use crate::wire::{BaseUrl, InvalidUrl, TransportSecurity};

/// The address of Angel Studios' web site.
pub const ANGEL_BASE_URL: &str = "https://www.angel.com";

/// The cookies that may hold the token at Angel Studios, the preferred one first.
pub const ANGEL_COOKIE_NAMES: [&str; 2] = ["angel_jwt_v2", "angel_jwt"];

/// The cookie that holds `state` at Angel Studios where the page has none.
pub const ANGEL_STATE_COOKIE: &str = "angelSession";

/// How long before its deadline the token is renewed: one hour, or a quarter of the lifetime if that is less.
pub const REFRESH_BUFFER: Duration = Duration::from_secs(3600);

/// The `User-Agent` of the requests.
pub const USER_AGENT: &str = concat!("Mozilla/5.0 (compatible; perennial/", env!("CARGO_PKG_VERSION"), ")");

/// The most redirects that are followed from one step to the next.
pub const MAX_REDIRECTS: u32 = 10;

pub(super) const NAME: &str = "auth0";

/// The address of Angel Studios' sign-in pages, which is also what is derived from [`ANGEL_BASE_URL`].
const ANGEL_AUTH_URL: &str = "https://auth.angel.com";

/// The provider for a site with Auth0's sign-in pages.
#[derive(Clone, Debug)]
pub struct Auth0 {
    pub(super) settings: Settings,
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) base: BaseUrl,
    pub(super) auth: BaseUrl,
    /// Where redirects may lead.
    pub(super) allowed: Vec<Origin>,
    pub(super) cookie_names: Vec<Box<str>>,
    pub(super) state_cookie: Box<str>,
    pub(super) timeout: Duration,
    pub(super) refresh_buffer: Duration,
    pub(super) user_agent: HeaderValue,
    pub(super) authorization: Authorization,
}

/// How the token is sent in API calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Authorization {
    /// `Authorization: Bearer` and the token.
    #[default]
    Bearer,
    /// In the cookie that it came in, as a browser sends it. Other cookies of the call are kept.
    Cookie,
}

impl Auth0 {
    /// Angel Studios, at its production address.
    pub fn angel_studios() -> Self {
        Self { settings: Settings::angel_studios() }
    }

    /// A builder for another site, or for Angel Studios at another address: https, or http to this machine. Cookie
    /// names, user agent, timeout and refresh buffer are those of the preset unless they are set.
    pub fn builder(base_url: &str) -> Builder {
        Builder::new(base_url)
    }

    /// The web site's address, without a slash at its end.
    pub fn base_url(&self) -> &str {
        self.settings.base.as_str()
    }

    /// The address of the sign-in pages, without a slash at its end.
    pub fn auth_url(&self) -> &str {
        self.settings.auth.as_str()
    }

    /// The cookies that may hold the token, the preferred one first.
    pub fn cookie_names(&self) -> impl Iterator<Item = &str> {
        self.settings.cookie_names.iter().map(AsRef::as_ref)
    }
}

impl Settings {
    fn angel_studios() -> Self {
        let [base, auth] = [ANGEL_BASE_URL, ANGEL_AUTH_URL].map(BaseUrl::from_static);
        Self {
            allowed: allowed(&base, &auth),
            base,
            auth,
            cookie_names: ANGEL_COOKIE_NAMES.map(Into::into).into(),
            state_cookie: ANGEL_STATE_COOKIE.into(),
            timeout: REQUEST_TIMEOUT,
            refresh_buffer: REFRESH_BUFFER,
            user_agent: HeaderValue::from_static(USER_AGENT),
            authorization: Authorization::default(),
        }
    }
}

/// Builds an [`Auth0`] from a site's settings. Made by [`Auth0::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    base_url: String,
    auth_url: Option<String>,
    more_hosts: Vec<String>,
    cookie_names: Vec<Box<str>>,
    state_cookie: Box<str>,
    timeout: Duration,
    refresh_buffer: Duration,
    user_agent: String,
    authorization: Authorization,
    security: TransportSecurity,
}

/// Why the settings of a site cannot be used. The error does not repeat them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSettings {
    /// The web site's address cannot be used.
    #[error("the web site's address cannot be used")]
    BaseUrl(#[source] InvalidUrl),
    /// The address of the sign-in pages cannot be used.
    #[error("the address of the sign-in pages cannot be used")]
    AuthUrl(#[source] InvalidUrl),
    /// No `auth.` host can be derived from an IP address or a name without a dot. Name it with [`Builder::auth_url`].
    #[error("no host for the sign-in pages can be derived from the web site's address")]
    NoAuthUrl,
    /// An address of [`Builder::redirects_to`] cannot be used.
    #[error("an address to which redirects may lead cannot be used")]
    RedirectHost(#[source] InvalidUrl),
    /// No cookie is named, or a name is empty or invalid.
    #[error("a cookie's name is missing, or no such name")]
    CookieName,
    /// The timeout is zero.
    #[error("the timeout is zero")]
    Timeout,
    /// The user agent is empty, or no valid header value.
    #[error("the user agent is no header value")]
    UserAgent,
}

impl Builder {
    fn new(base_url: &str) -> Self {
        Self {
            base_url: base_url.to_owned(),
            auth_url: None,
            more_hosts: Vec::new(),
            cookie_names: ANGEL_COOKIE_NAMES.map(Into::into).into(),
            state_cookie: ANGEL_STATE_COOKIE.into(),
            timeout: REQUEST_TIMEOUT,
            refresh_buffer: REFRESH_BUFFER,
            user_agent: USER_AGENT.to_owned(),
            authorization: Authorization::default(),
            security: TransportSecurity::new(),
        }
    }

    /// Sets the address of the sign-in pages. The default is `auth.` and the site's host without `www.`.
    pub fn auth_url(mut self, auth_url: &str) -> Self {
        self.auth_url = Some(auth_url.to_owned());
        self
    }

    /// Adds an address that redirects may lead to, beside the site and its sign-in pages.
    pub fn redirects_to(mut self, url: &str) -> Self {
        self.more_hosts.push(url.to_owned());
        self
    }

    /// Sets the cookies that may hold the token, the preferred one first.
    pub fn cookie_names<N: Into<Box<str>>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.cookie_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the cookie that holds `state` where the first page has none.
    pub fn state_cookie(mut self, name: &str) -> Self {
        self.state_cookie = name.into();
        self
    }

    /// Sets how long each request may take in all. The default is 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how long before its deadline the token is renewed. The default is one hour; at most a quarter of the
    /// lifetime is used.
    pub fn refresh_buffer(mut self, buffer: Duration) -> Self {
        self.refresh_buffer = buffer;
        self
    }

    /// Sets the `User-Agent` of the requests.
    pub fn user_agent(mut self, user_agent: &str) -> Self {
        user_agent.clone_into(&mut self.user_agent);
        self
    }

    /// Sets how the token is sent in API calls. The default is `Authorization: Bearer`.
    pub fn authorization(mut self, authorization: Authorization) -> Self {
        self.authorization = authorization;
        self
    }

    /// Sets to which hosts plain http is allowed.
    pub fn security(mut self, security: &TransportSecurity) -> Self {
        security.clone_into(&mut self.security);
        self
    }

    /// Checks the settings and makes the provider.
    pub fn build(self) -> Result<Auth0, InvalidSettings> {
        let parse = |url: &str| BaseUrl::parse_under(url, &self.security);
        let base = parse(&self.base_url).map_err(InvalidSettings::BaseUrl)?;
        let auth = match &self.auth_url {
            Some(url) => parse(url).map_err(InvalidSettings::AuthUrl)?,
            None => parse(&derived(&base)?).map_err(InvalidSettings::AuthUrl)?,
        };
        let mut allowed = allowed(&base, &auth);
        for host in &self.more_hosts {
            let url = parse(host).map_err(InvalidSettings::RedirectHost)?;
            allowed.extend(Origin::of(&url.join("")));
        }
        let names = || self.cookie_names.iter().chain([&self.state_cookie]);
        if self.cookie_names.is_empty() || !names().all(|name| is_cookie_name(name)) {
            return Err(InvalidSettings::CookieName);
        }
        if self.timeout.is_zero() {
            return Err(InvalidSettings::Timeout);
        }
        let user_agent = HeaderValue::from_str(self.user_agent.trim()).ok().filter(|value| !value.is_empty());
        let settings = Settings {
            base,
            auth,
            allowed,
            cookie_names: self.cookie_names,
            state_cookie: self.state_cookie,
            timeout: self.timeout,
            refresh_buffer: self.refresh_buffer,
            user_agent: user_agent.ok_or(InvalidSettings::UserAgent)?,
            authorization: self.authorization,
        };
        Ok(Auth0 { settings })
    }
}

/// Whether it is a valid cookie name (RFC 6265 §4.1.1): a token of RFC 9110 §5.6.2.
fn is_cookie_name(name: &str) -> bool {
    let odd = b"\"(),/:;<=>?@[\\]{}";
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && !odd.contains(&byte))
}

/// The address of the sign-in pages: `auth.` in place of the site's `www.` or `auth.`, or in front. The port is kept.
fn derived(base: &BaseUrl) -> Result<String, InvalidSettings> {
    let uri: Uri = base.join("");
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    if !host.contains('.') || host.parse::<std::net::Ipv4Addr>().is_ok() || host.starts_with('[') {
        return Err(InvalidSettings::NoAuthUrl);
    }
    let rest = host.strip_prefix("www.").or(host.strip_prefix("auth.")).unwrap_or(&host);
    let port = uri.port().map_or_else(String::new, |port| format!(":{port}"));
    Ok(format!("{}://auth.{rest}{port}", uri.scheme_str().unwrap_or("https")))
}

/// Where redirects may lead: the site, its sign-in pages, and the site without `www.`, since sites redirect between
/// their two names.
fn allowed(base: &BaseUrl, auth: &BaseUrl) -> Vec<Origin> {
    let base = Origin::of(&base.join(""));
    let bare = base.as_ref().and_then(Origin::without_www);
    base.into_iter().chain(bare).chain(Origin::of(&auth.join(""))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth_url(base: &str) -> Result<String, InvalidSettings> {
        Ok(Auth0::builder(base).build()?.auth_url().to_owned())
    }

    #[test]
    fn the_preset_passes_its_own_checks() {
        let (preset, built) = (Auth0::angel_studios(), Auth0::builder("https://www.angel.com/").build().unwrap());
        assert_eq!((preset.base_url(), preset.auth_url()), (built.base_url(), built.auth_url()));
        assert_eq!(preset.auth_url(), "https://auth.angel.com");
        assert_eq!(preset.settings.allowed, built.settings.allowed);
        assert_eq!(preset.cookie_names().collect::<Vec<_>>(), ["angel_jwt_v2", "angel_jwt"]);
    }

    #[test]
    fn bug_the_auth_host_was_derived_twice() {
        for base in ["https://auth.angel.com", "https://www.angel.com", "https://angel.com", "https://WWW.Angel.com/x"]
        {
            assert_eq!(auth_url(base).unwrap(), "https://auth.angel.com", "{base}");
        }
        assert_eq!(auth_url("https://www.a.example:8443/app").unwrap(), "https://auth.a.example:8443");
    }

    #[test]
    fn an_ip_address_or_name_without_a_dot_needs_an_auth_url() {
        for base in ["http://127.0.0.1:80", "http://localhost:1", "http://[::1]:1"] {
            assert_eq!(auth_url(base).unwrap_err(), InvalidSettings::NoAuthUrl, "{base}");
            let named = Auth0::builder(base).auth_url("http://localhost:2").build().unwrap();
            assert_eq!(named.auth_url(), "http://localhost:2");
        }
    }

    #[test]
    fn invalid_settings_are_refused() {
        let site = || Auth0::builder("https://a.example");
        let refusal = |builder: Builder| builder.build().unwrap_err();
        assert_eq!(refusal(Auth0::builder("http://a.example")), InvalidSettings::BaseUrl(InvalidUrl::NotHttps));
        assert_eq!(refusal(site().auth_url("http://a.example")), InvalidSettings::AuthUrl(InvalidUrl::NotHttps));
        assert_eq!(refusal(site().redirects_to("x")), InvalidSettings::RedirectHost(InvalidUrl::NotAUrl));
        assert_eq!(refusal(site().cookie_names(Vec::<&str>::new())), InvalidSettings::CookieName);
        for name in ["", " ", "a b", "a=b", "a;b", "é"] {
            assert_eq!(refusal(site().cookie_names([name])), InvalidSettings::CookieName, "{name}");
        }
        assert_eq!(refusal(site().timeout(Duration::ZERO)), InvalidSettings::Timeout);
        for agent in ["", "a\nb"] {
            assert_eq!(refusal(site().user_agent(agent)), InvalidSettings::UserAgent);
        }
    }
}
