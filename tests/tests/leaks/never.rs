//! What secret types cannot do, found out by the compiler: be written by accident.

use std::borrow::Borrow;
use std::fmt::Display;
use std::ops::Deref;

use perennial_adapter::CredentialsRef;
use perennial_core::mqtt::ConnectOptions;
use perennial_core::oauth2::{
    Assertions, AuthorizationUrl, ClientAuth, DeviceAuthorization, DevicePoll, Es256, PendingAuthorization, Profile,
    Revocation, TokenRequest, Verifier,
};
use perennial_core::providers::{auth0, mosaia, navien, oauth2, settrade};
use perennial_core::wire::{Body, BodyBuffer, Text};
use perennial_core::{AccessToken, AwsCredentials, Credentials, Grant, Secret};
use perennial_core::{Request, Response, SavedSession};
use perennial_file::Key;
use perennial_redis::RedisStoreBuilder;
use serde::Serialize;

use crate::probe::implements;

/// Neither serialised nor printed nor taken for a text without a word that says so: `expose`, `to_json`.
macro_rules! secret {
    ($($type:ty),* $(,)?) => {
        $(
            const _: () = assert!(!implements!($type: Serialize), "it can be serialised by accident");
            const _: () = assert!(!implements!($type: Display), "it can be printed by accident");
            const _: () = assert!(!implements!($type: Deref<Target = str>), "it is taken for a text");
            const _: () = assert!(!implements!($type: AsRef<str>), "it is taken for a text");
            const _: () = assert!(!implements!($type: Borrow<str>), "it is taken for a text");
        )*
    };
}

secret! {
    Secret, AccessToken, AwsCredentials, Credentials, Grant, CredentialsRef, ConnectOptions,
    Assertions, AuthorizationUrl, ClientAuth, DeviceAuthorization, DevicePoll, Es256, PendingAuthorization, Profile, Revocation,
    TokenRequest, Verifier,
    auth0::Login, mosaia::Login, navien::Login, oauth2::Login, settrade::Login,
    Body, BodyBuffer, Text<'static>, Request, Response, Key, RedisStoreBuilder,
}

// The saved form says where it belongs and until when, and no more.
const _: () = assert!(!implements!(SavedSession: Serialize), "it can be serialised by accident");
const _: () = assert!(!implements!(SavedSession: AsRef<str>), "it is taken for a text");

#[test]
fn the_compiler_can_tell() {
    assert!(implements!(String: Serialize) && implements!(String: Display) && implements!(String: AsRef<str>));
    assert!(implements!(String: Deref<Target = str>) && implements!(String: Borrow<str>));
    assert!(!implements!(Vec<u8>: Display));
}
