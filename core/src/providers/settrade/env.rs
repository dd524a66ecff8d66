//! Settrade configured by environment variables.

use super::{InvalidAppCode, InvalidLogin, Login, Settrade};
use crate::exchange::{FromEnv, InvalidEnv};
use crate::wire::InvalidUrl;

const APP_ID: &str = "SETTRADE_APP_ID";
const APP_SECRET: &str = "SETTRADE_APP_SECRET";
const BROKER_ID: &str = "SETTRADE_BROKER_ID";
const APP_CODE: &str = "SETTRADE_APP_CODE";
const BASE_URL: &str = "SETTRADE_BASE_URL";

/// `SETTRADE_BROKER_ID` (it may be `SANDBOX`) and `SETTRADE_APP_CODE` are required. `SETTRADE_APP_ID` and
/// `SETTRADE_APP_SECRET` are the login: set both or neither. `SETTRADE_BASE_URL` replaces the service's address. An
/// empty variable counts as not set.
impl FromEnv for Settrade {
    fn from_env(lookup: &dyn Fn(&str) -> Option<String>) -> Result<(Self, Option<Login>), InvalidEnv> {
        let set = |name| lookup(name).filter(|value| !value.trim().is_empty());
        let needed = |name| set(name).ok_or(InvalidEnv { name, what: "it is not set" });
        let provider = Settrade::new(&needed(BROKER_ID)?, &needed(APP_CODE)?).map_err(app)?;
        let provider = match set(BASE_URL) {
            Some(url) => provider.with_base_url(&url).map_err(address)?,
            None => provider,
        };
        let missing = |name| InvalidEnv { name, what: "it is not set, although the other half of the login is" };
        let login = match (set(APP_ID), set(APP_SECRET)) {
            (None, None) => None,
            (Some(_), None) => return Err(missing(APP_SECRET)),
            (None, Some(_)) => return Err(missing(APP_ID)),
            (Some(app_id), Some(app_secret)) => Some(Login::new(&app_id, app_secret).map_err(secret)?),
        };
        Ok((provider, login))
    }
}

fn app(error: InvalidAppCode) -> InvalidEnv {
    let name = match error {
        InvalidAppCode::BrokerId => BROKER_ID,
        InvalidAppCode::AppCode => APP_CODE,
    };
    InvalidEnv { name, what: "it has other characters than letters, digits, -, _ and ." }
}

fn secret(error: InvalidLogin) -> InvalidEnv {
    let (name, what) = match error {
        InvalidLogin::NoAppId => (APP_ID, "it is empty"),
        InvalidLogin::NoAppSecret => (APP_SECRET, "it is empty"),
        InvalidLogin::NotBase64 => (APP_SECRET, "it is not base64"),
        InvalidLogin::Length => (APP_SECRET, "it has not the length of a key"),
        InvalidLogin::NotAKey => (APP_SECRET, "it is not a key"),
    };
    InvalidEnv { name, what }
}

fn address(error: InvalidUrl) -> InvalidEnv {
    InvalidEnv { name: BASE_URL, what: error.of_it() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn read(variables: &[(&str, &str)]) -> Result<(Settrade, Option<Login>), InvalidEnv> {
        Settrade::from_env(&|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn all_of_it_is_taken() {
        let variables = [
            (BROKER_ID, "sandbox"),
            (APP_CODE, "ALGO"),
            (APP_ID, "app"),
            (APP_SECRET, SECRET),
            (BASE_URL, "http://127.0.0.1:1/"),
        ];
        let (provider, login) = read(&variables).unwrap();
        assert_eq!((provider.broker_id(), provider.base_url()), ("098", "http://127.0.0.1:1"));
        assert_eq!(login.unwrap().app_id(), "app");
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(read(&[(APP_CODE, "ALGO"), (BROKER_ID, " ")]).unwrap_err().name, BROKER_ID);
        assert_eq!(read(&[(BROKER_ID, "098")]).unwrap_err().name, APP_CODE);
        let app = [(BROKER_ID, "098"), (APP_CODE, "ALGO")];
        assert!(read(&app).unwrap().1.is_none());
        assert_eq!(read(&[app[0], app[1], (APP_ID, "x")]).unwrap_err().name, APP_SECRET);
        assert_eq!(read(&[app[0], app[1], (APP_SECRET, SECRET)]).unwrap_err().name, APP_ID);
    }

    #[test]
    fn what_makes_no_sense_is_named_and_not_repeated() {
        let app = [(BROKER_ID, "098"), (APP_CODE, "ALGO"), (APP_ID, "x")];
        let bad = [
            (APP_SECRET, "hunter2!hunter2"),
            (BASE_URL, "http://hunter2.example"),
            (BROKER_ID, "../hunter2"),
            (APP_CODE, "hunter2/.."),
        ];
        for (name, value) in bad {
            let mut variables = vec![(name, value)];
            variables.extend(app);
            let error = read(&variables).unwrap_err();
            assert_eq!(error.name, name);
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }
}
