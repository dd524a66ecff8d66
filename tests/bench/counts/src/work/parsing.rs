//! From the bytes of an answer to a grant, its end included: what was made is dropped, and wiped.

use std::hint::black_box;

use perennial_core::Grant;
use perennial_core::oauth2::{GrantType, Profile, parse_token};
use perennial_core::providers::navien::parse_sign_in;

use super::clock::at;
use crate::{answers, limits};

/// Navien's sign-in.
pub fn navien() -> impl FnMut() -> Grant {
    let response = answers::response(&answers::navien_sign_in());
    move || parse_sign_in(black_box(&response), answers::EMAIL, at(0), at(1)).expect("a sign-in")
}

/// The same by `serde_json::from_slice`.
pub fn navien_limit() -> impl FnMut() -> limits::SignIn {
    let body = answers::navien_sign_in();
    move || serde_json::from_slice(black_box(&body)).expect("a sign-in")
}

/// The same by `serde_json::from_str`, the whole body looked at once for UTF-8.
pub fn navien_limit_text() -> impl FnMut() -> limits::SignIn {
    let body = answers::navien_sign_in();
    move || serde_json::from_str(std::str::from_utf8(black_box(&body)).expect("UTF-8")).expect("a sign-in")
}

/// An OAuth answer.
pub fn oauth() -> impl FnMut() -> Grant {
    let response = answers::response(&answers::oauth());
    let profile = Profile::new("https://auth.example/token", "app").expect("a profile");
    move || parse_token(&profile, GrantType::RefreshToken, black_box(&response), at(0), at(1)).expect("tokens")
}

/// The same by `serde_json::from_slice`.
pub fn oauth_limit() -> impl FnMut() -> limits::OAuth {
    let body = answers::oauth();
    move || serde_json::from_slice(black_box(&body)).expect("tokens")
}

/// The same by `serde_json::from_str`, the whole body looked at once for UTF-8.
pub fn oauth_limit_text() -> impl FnMut() -> limits::OAuth {
    let body = answers::oauth();
    move || serde_json::from_str(std::str::from_utf8(black_box(&body)).expect("UTF-8")).expect("tokens")
}
