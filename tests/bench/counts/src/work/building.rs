//! From what is known to a request that can be sent.

use std::hint::black_box;

use http::{Uri, header};
use perennial_core::providers::navien::{BASE_URL, Login, Navien};
use perennial_core::{Request, Secret};

use super::clock::at;
use super::machine;
use crate::{answers, limits};

const PASSWORD: &str = "correct horse battery staple";

/// Navien's sign-in.
pub fn sign_in() -> impl FnMut() -> Request {
    let (provider, login) = (Navien::default(), Login::new(answers::EMAIL, PASSWORD).expect("a login"));
    move || provider.sign_in_request(black_box(&login))
}

/// Its JSON.
pub fn sign_in_limit() -> impl FnMut() -> Vec<u8> {
    let login = limits::Login { user_id: answers::EMAIL, password: PASSWORD };
    move || serde_json::to_vec(black_box(&login)).expect("JSON")
}

/// Navien's refresh.
pub fn refresh() -> impl FnMut() -> Request {
    let (provider, token) = (Navien::default(), token());
    move || provider.refresh_request(black_box(&token))
}

/// Its JSON.
pub fn refresh_limit() -> impl FnMut() -> Vec<u8> {
    let token = token();
    move || serde_json::to_vec(&limits::Refresh { refresh_token: black_box(token.expose()) }).expect("JSON")
}

/// Navien's sign-in, with nothing but what it takes.
pub fn sign_in_by_hand() -> impl FnMut() -> http::Request<Vec<u8>> {
    let (mut json, uri) = (sign_in_limit(), format!("{BASE_URL}/user/sign-in").parse::<Uri>().expect("an address"));
    move || by_hand(&uri, json())
}

/// Navien's refresh, with nothing but what it takes.
pub fn refresh_by_hand() -> impl FnMut() -> http::Request<Vec<u8>> {
    let (mut json, uri) = (refresh_limit(), format!("{BASE_URL}/auth/refresh").parse::<Uri>().expect("an address"));
    move || by_hand(&uri, json())
}

fn by_hand(uri: &Uri, json: Vec<u8>) -> http::Request<Vec<u8>> {
    let request = http::Request::post(uri.clone()).header(header::CONTENT_TYPE, "application/json");
    request.header(header::ACCEPT, "application/json").body(json).expect("a request")
}

fn token() -> Secret {
    machine::grant(at(0)).refresh_token.expect("a sign-in brings one")
}
