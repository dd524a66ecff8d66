//! The provider and its settings: addresses and client id.

use std::time::Duration;

use super::token_path::TokenPath;
use crate::oauth2::{InvalidProfile, Profile, ScopeSeparator};
use crate::wire::{BaseUrl, InvalidUrl, TransportSecurity};

/// The address of the API, without its version.
pub const API_URL: &str = "https://api.mosaia.ai";

/// The address of the app, at which people give their consent.
pub const APP_URL: &str = "https://mosaia.ai";

/// The version of the API.
pub const VERSION: &str = "1";

/// How long before its deadline an access token is renewed: 5 minutes, or a quarter of the lifetime if that is less.
pub const MARGIN: Duration = Duration::from_secs(300);

pub(super) const NAME: &str = "mosaia";

/// The provider for Mosaia.
#[derive(Clone, Debug)]
pub struct Mosaia {
    /// With the version.
    pub(super) api: BaseUrl,
    pub(super) app: BaseUrl,
    pub(super) client_id: Option<Box<str>>,
    pub(super) oauth: OAuth,
}

impl Mosaia {
    /// A builder with all settings: addresses, client id, plain http.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The address of the API, with its version.
    pub fn api_url(&self) -> &str {
        self.api.as_str()
    }

    /// The address of the app, where people are asked for their consent.
    pub fn app_url(&self) -> &str {
        self.app.as_str()
    }

    /// The program's client id at the service, if it has one.
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }
}

/// Builds a [`Mosaia`]. Settings that are not made have the service's own defaults.
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    api_url: String,
    app_url: String,
    version: String,
    client_id: Option<String>,
    security: TransportSecurity,
}

/// Why a [`Mosaia`] cannot be built. The error repeats no address: people put passwords into them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSettings {
    /// A password must not be sent to this address of the API. Correct it.
    #[error("the address of the API cannot be used")]
    ApiUrl(#[source] InvalidUrl),
    /// A person must not be sent to this address of the app. Correct it.
    #[error("the address of the app cannot be used")]
    AppUrl(#[source] InvalidUrl),
    /// The version has other characters than letters, digits, `.`, `-` and `_`: it is part of a path. Usually it is
    /// `1`.
    #[error("the version has characters that have no place in a path")]
    Version,
    /// The client id cannot be used. The service's console shows the right one.
    #[error("the client id cannot be used")]
    ClientId,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            api_url: API_URL.to_owned(),
            app_url: APP_URL.to_owned(),
            version: VERSION.to_owned(),
            client_id: None,
            security: TransportSecurity::new(),
        }
    }
}

impl Builder {
    /// Sets the address of the API, without a version: https, or http to this machine. A slash at its end does not
    /// matter. The default is [`API_URL`].
    pub fn api_url(mut self, url: &str) -> Self {
        url.clone_into(&mut self.api_url);
        self
    }

    /// Sets the address of the app, at which people give their consent. The default is [`APP_URL`].
    pub fn app_url(mut self, url: &str) -> Self {
        url.clone_into(&mut self.app_url);
        self
    }

    /// Sets the version of the API, without the `v` that it has in paths. The default is [`VERSION`].
    pub fn version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// Sets the program's client id, which sign-ins by password and by OAuth need. A blank one counts as none.
    pub fn client_id(mut self, client_id: &str) -> Self {
        self.client_id = Some(client_id.trim().to_owned()).filter(|id| !id.is_empty());
        self
    }

    /// Sets to which hosts plain http is allowed.
    pub fn security(mut self, security: &TransportSecurity) -> Self {
        security.clone_into(&mut self.security);
        self
    }

    /// Checks the settings and makes the provider.
    pub fn build(self) -> Result<Mosaia, InvalidSettings> {
        let base = |url: &str| BaseUrl::parse_under(url, &self.security);
        let root = base(&self.api_url).map_err(InvalidSettings::ApiUrl)?;
        let app = base(&self.app_url).map_err(InvalidSettings::AppUrl)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if self.version.is_empty() || !self.version.bytes().all(plain) {
            return Err(InvalidSettings::Version);
        }
        let api = base(&format!("{}/v{}", root.as_str(), self.version)).map_err(InvalidSettings::ApiUrl)?;
        let oauth = OAuth::new(&root, &api, &app, self.client_id.as_deref(), &self.security)?;
        Ok(Mosaia { api, app, client_id: self.client_id.map(Into::into), oauth })
    }
}

/// A profile for each of the two token endpoints.
#[derive(Clone, Debug)]
pub(super) struct OAuth {
    versioned: Profile,
    unversioned: Profile,
}

impl OAuth {
    fn new(
        root: &BaseUrl,
        api: &BaseUrl,
        app: &BaseUrl,
        client_id: Option<&str>,
        security: &TransportSecurity,
    ) -> Result<Self, InvalidSettings> {
        // A refresh names no client, so it works without an id. For all else the profile is not given out without one.
        let client_id = client_id.unwrap_or("nobody");
        let at = |base: &BaseUrl| {
            let unusable = |error| match error {
                InvalidProfile::Url(error) => InvalidSettings::ApiUrl(error),
                _ => InvalidSettings::ClientId,
            };
            let token_endpoint = format!("{}/auth/token", base.as_str());
            let profile = Profile::new_under(&token_endpoint, client_id, security).map_err(unusable)?;
            let profile = profile
                .with_authorization_endpoint(&format!("{}/oauth", app.as_str()))
                .map_err(InvalidSettings::AppUrl)?;
            Ok(profile
                .with_scope_separator(ScopeSeparator::Comma)
                .with_absolute_expiry("exp")
                .with_clientless_refresh())
        };
        Ok(Self { versioned: at(api)?, unversioned: at(root)? })
    }

    pub(super) fn at(&self, path: TokenPath) -> &Profile {
        match path {
            TokenPath::Versioned => &self.versioned,
            TokenPath::Unversioned => &self.unversioned,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_own_addresses_are_the_defaults() {
        let built = Builder::default().build().unwrap();
        assert_eq!((built.api_url(), built.app_url()), ("https://api.mosaia.ai/v1", "https://mosaia.ai"));
        assert_eq!(built.client_id(), None);
    }

    #[test]
    fn each_setting_has_its_place() {
        let builder = Mosaia::builder().api_url("http://127.0.0.1:9/api/").app_url("https://app.example").version("2");
        let built = builder.client_id(" abc ").build().unwrap();
        assert_eq!((built.api_url(), built.app_url()), ("http://127.0.0.1:9/api/v2", "https://app.example"));
        assert_eq!(built.client_id(), Some("abc"));
        assert_eq!(Mosaia::builder().client_id(" ").build().unwrap().client_id(), None);
    }

    #[test]
    fn unsafe_addresses_and_versions_are_refused() {
        let refused = |builder: Builder| builder.build().unwrap_err();
        assert_eq!(
            refused(Mosaia::builder().api_url("http://a.example")),
            InvalidSettings::ApiUrl(InvalidUrl::NotHttps)
        );
        assert_eq!(refused(Mosaia::builder().app_url("mosaia")), InvalidSettings::AppUrl(InvalidUrl::NotAUrl));
        for version in ["", "1/..", "1 ", "1?x", "é"] {
            assert_eq!(refused(Mosaia::builder().version(version)), InvalidSettings::Version, "{version}");
        }
    }
}
