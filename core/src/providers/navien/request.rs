//! The requests, as pure functions of their parameters.

use http::header;
use serde::Serialize;

use super::Login;
use super::settings::Navien;
use crate::credentials::{AccessToken, Secret};
use crate::exchange::Request;
use crate::wire::json_request;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SignIn<'a> {
    user_id: &'a str,
    password: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Refresh<'a> {
    refresh_token: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct User<'a> {
    user_id: &'a str,
}

impl Navien {
    /// `POST /user/sign-in`. Read the answer with [`parse_sign_in`](super::parse_sign_in).
    pub fn sign_in_request(&self, login: &Login) -> Request {
        let body = SignIn { user_id: login.email(), password: login.password().expose() };
        json_request(self.base.join("/user/sign-in"), &body)
    }

    /// `POST /auth/refresh`. Read the answer with [`parse_refresh`](super::parse_refresh).
    pub fn refresh_request(&self, refresh_token: &Secret) -> Request {
        let body = Refresh { refresh_token: refresh_token.expose() };
        json_request(self.base.join("/auth/refresh"), &body)
    }

    /// `POST /auth/session/refresh`. Read the answer with [`parse_session_refresh`](super::parse_session_refresh).
    pub fn session_refresh_request(&self, user_id: &str, access: &AccessToken) -> Request {
        self.with_token("/auth/session/refresh", user_id, access)
    }

    /// `POST /user/secured-sign-in`. Read the answer with [`parse_secured_sign_in`](super::parse_secured_sign_in).
    pub fn secured_sign_in_request(&self, user_id: &str, access: &AccessToken) -> Request {
        self.with_token("/user/secured-sign-in", user_id, access)
    }

    fn with_token(&self, path: &'static str, user_id: &str, access: &AccessToken) -> Request {
        let mut request = json_request(self.base.join(path), &User { user_id });
        // The token without `Bearer`: what the service accepts here, whatever its documentation says.
        let headers = request.http.headers_mut();
        headers.insert(header::AUTHORIZATION, access.raw_header().clone());
        request
    }
}
