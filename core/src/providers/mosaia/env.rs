//! Mosaia configured by environment variables.

use super::{InvalidSettings, Login, Mosaia};
use crate::exchange::{FromEnv, InvalidEnv};

const API_URL: &str = "MOSAIA_API_URL";
const APP_URL: &str = "MOSAIA_APP_URL";
const VERSION: &str = "MOSAIA_VERSION";
const CLIENT_ID: &str = "MOSAIA_CLIENT_ID";
const CLIENT_SECRET: &str = "MOSAIA_CLIENT_SECRET";
const EMAIL: &str = "MOSAIA_EMAIL";
const PASSWORD: &str = "MOSAIA_PASSWORD";

/// `MOSAIA_API_URL`, `MOSAIA_APP_URL`, `MOSAIA_VERSION` and `MOSAIA_CLIENT_ID` are the settings of the
/// [`Builder`](super::Builder), with its defaults. The login is one of `MOSAIA_EMAIL` with `MOSAIA_PASSWORD`, which
/// also need `MOSAIA_CLIENT_ID`; `MOSAIA_CLIENT_ID` with `MOSAIA_CLIENT_SECRET`; or none, for OAuth. Two logins are an
/// error. An empty variable counts as not set.
impl FromEnv for Mosaia {
    fn from_env(lookup: &dyn Fn(&str) -> Option<String>) -> Result<(Self, Option<Login>), InvalidEnv> {
        let set = |name| lookup(name).filter(|value| !value.trim().is_empty());
        let client_id = set(CLIENT_ID);
        let mut builder = Mosaia::builder();
        if let Some(url) = set(API_URL) {
            builder = builder.api_url(&url);
        }
        if let Some(url) = set(APP_URL) {
            builder = builder.app_url(&url);
        }
        if let Some(version) = set(VERSION) {
            builder = builder.version(version.trim());
        }
        if let Some(client_id) = &client_id {
            builder = builder.client_id(client_id);
        }
        let provider = builder.build().map_err(invalid_setting)?;

        let missing = |name| InvalidEnv { name, what: "it is not set, although the rest of the login is" };
        let invalid = |name| move |_| InvalidEnv { name, what: "it is no login" };
        let login = match (set(EMAIL), set(PASSWORD), set(CLIENT_SECRET)) {
            (None, None, None) => None,
            (Some(email), Some(password), None) => {
                client_id.ok_or(missing(CLIENT_ID))?;
                Some(Login::password(&email, password).map_err(invalid(EMAIL))?)
            }
            (None, None, Some(secret)) => {
                let client_id = client_id.ok_or(missing(CLIENT_ID))?;
                Some(Login::client(&client_id, secret).map_err(invalid(CLIENT_SECRET))?)
            }
            (Some(_), None, _) => return Err(missing(PASSWORD)),
            (None, Some(_), _) => return Err(missing(EMAIL)),
            (Some(_), Some(_), Some(_)) => {
                let what = "it is a login, and an e-mail address with a password is another: set one of them";
                return Err(InvalidEnv { name: CLIENT_SECRET, what });
            }
        };
        Ok((provider, login))
    }
}

fn invalid_setting(error: InvalidSettings) -> InvalidEnv {
    match error {
        InvalidSettings::ApiUrl(error) => InvalidEnv { name: API_URL, what: error.of_it() },
        InvalidSettings::AppUrl(error) => InvalidEnv { name: APP_URL, what: error.of_it() },
        InvalidSettings::ClientId => InvalidEnv { name: CLIENT_ID, what: "it is no client id" },
        InvalidSettings::Version => InvalidEnv { name: VERSION, what: "it is no plain word like 1" },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<(Mosaia, Option<Login>), InvalidEnv> {
        Mosaia::from_env(&|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        let (provider, login) = read(&[(API_URL, ""), (CLIENT_ID, " "), (EMAIL, ""), (PASSWORD, " ")]).unwrap();
        assert!(login.is_none());
        assert_eq!((provider.api_url(), provider.client_id()), ("https://api.mosaia.ai/v1", None));
    }

    #[test]
    fn a_person_signs_in_by_email_and_password() {
        let variables = [(EMAIL, "a@b"), (PASSWORD, " x "), (CLIENT_ID, "abc"), (API_URL, "http://127.0.0.1:1/")];
        let (provider, login) = read(&variables).unwrap();
        let login = login.unwrap();
        assert_eq!((login.name(), login.secret().expose()), ("a@b", " x "));
        assert_eq!((provider.api_url(), provider.client_id()), ("http://127.0.0.1:1/v1", Some("abc")));
    }

    #[test]
    fn a_program_signs_in_by_id_and_secret() {
        let login = read(&[(CLIENT_ID, "abc"), (CLIENT_SECRET, "s")]).unwrap().1.unwrap();
        assert_eq!((login.name(), login.secret().expose()), ("abc", "s"));
        let (provider, login) = read(&[(CLIENT_ID, "abc"), (VERSION, "2"), (APP_URL, "https://a.example")]).unwrap();
        assert!(login.is_none());
        assert_eq!((provider.api_url(), provider.app_url()), ("https://api.mosaia.ai/v2", "https://a.example"));
    }

    #[test]
    fn half_a_login_and_two_logins_are_errors() {
        let named = |variables: &[(&str, &str)]| read(variables).unwrap_err().name;
        assert_eq!(named(&[(EMAIL, "a@b"), (CLIENT_ID, "abc")]), PASSWORD);
        assert_eq!(named(&[(PASSWORD, "x"), (CLIENT_ID, "abc")]), EMAIL);
        assert_eq!(named(&[(EMAIL, "a@b"), (PASSWORD, "x")]), CLIENT_ID);
        assert_eq!(named(&[(CLIENT_SECRET, "s")]), CLIENT_ID);
        assert_eq!(named(&[(EMAIL, "a@b"), (PASSWORD, "x"), (CLIENT_ID, "abc"), (CLIENT_SECRET, "s")]), CLIENT_SECRET);
    }

    #[test]
    fn a_bad_setting_is_named_and_not_repeated() {
        let error = read(&[(API_URL, "http://user:hunter2@a.example")]).unwrap_err();
        assert_eq!(error.name, API_URL);
        assert!(!error.to_string().contains("hunter2"));
        assert_eq!(read(&[(APP_URL, "x")]).unwrap_err().name, APP_URL);
        assert_eq!(read(&[(VERSION, "1/2")]).unwrap_err().name, VERSION);
    }
}
