//! The requests, as pure functions of their parameters. None carries an `Authorization` that its endpoint does not
//! need: a stale one can make a service reject a request that is right without it.

use http::{Method, Uri, header};
use serde::Serialize;

use super::Login;
use super::login::Kind;
use super::settings::Mosaia;
use crate::credentials::{AccessToken, Secret};
use crate::exchange::Request;
use crate::wire::{Body, json_request};

/// The body of `POST /auth/signin`.
#[derive(Serialize)]
#[serde(tag = "grant_type", rename_all = "lowercase")]
enum SignIn<'a> {
    Password {
        email: &'a str,
        password: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<&'a str>,
    },
    Client {
        client_id: &'a str,
        client_secret: &'a str,
    },
    Refresh {
        refresh_token: &'a str,
    },
}

/// The body of `DELETE /auth/signout`.
#[derive(Serialize)]
struct SignOut<'a> {
    token: &'a str,
}

impl Mosaia {
    /// `POST {api}/v1/auth/signin`, by password or client credentials. Read the answer with
    /// [`parse_sign_in`](super::parse_sign_in).
    pub fn sign_in_request(&self, login: &Login) -> Request {
        let body = match login.kind() {
            Kind::Password { email, password } => {
                SignIn::Password { email, password: password.expose(), client_id: self.client_id() }
            }
            Kind::Client { client_id, client_secret } => {
                SignIn::Client { client_id, client_secret: client_secret.expose() }
            }
        };
        json_request(self.api.join("/auth/signin"), &body)
    }

    /// `POST {api}/v1/auth/signin` with a refresh token of a password or client sign-in, not of OAuth. Read the answer
    /// with [`parse_refresh`](super::parse_refresh).
    pub fn refresh_request(&self, refresh_token: &Secret) -> Request {
        let body = SignIn::Refresh { refresh_token: refresh_token.expose() };
        json_request(self.api.join("/auth/signin"), &body)
    }

    /// `DELETE {api}/v1/auth/signout`, with the access token in the header and in the body: never in the address,
    /// which ends up in logs. Read the answer with [`parse_sign_out`](super::parse_sign_out).
    pub fn sign_out_request(&self, access: &AccessToken) -> Request {
        let mut request = json_request(self.api.join("/auth/signout"), &SignOut { token: access.expose() });
        *request.http.method_mut() = Method::DELETE;
        bearing(request, access)
    }

    /// `GET {api}/v1/self`, an API call that tells whom the access token belongs to. Read the answer with
    /// [`parse_self`](super::parse_self).
    pub fn self_request(&self, access: &AccessToken) -> Request {
        bearing(get(self.api.join("/self")), access)
    }
}

fn get(uri: Uri) -> Request {
    let mut http = http::Request::new(Body::empty());
    *http.uri_mut() = uri;
    http.headers_mut().insert(header::ACCEPT, header::HeaderValue::from_static("application/json"));
    Request::new(http)
}

fn bearing(mut request: Request, access: &AccessToken) -> Request {
    request.http.headers_mut().insert(header::AUTHORIZATION, access.typed_header().clone());
    request
}
