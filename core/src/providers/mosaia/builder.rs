//! The settings of the provider: addresses and client id.

use super::consent::OAuth;
use super::{API_URL, APP_URL, Mosaia, VERSION};
use crate::wire::{BaseUrl, InvalidUrl, TransportSecurity};

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
