//! The limits: the same answers and requests by `serde_json` alone, into structs of the same fields that own their
//! texts. No check, no wiping.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Navien's answer to a sign-in.
#[derive(Debug, Deserialize)]
#[allow(missing_docs, reason = "the service's own names")]
pub struct SignIn {
    pub code: i64,
    pub msg: String,
    pub data: Data,
}

/// Its `data`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the service's own names")]
pub struct Data {
    pub user_info: UserInfo,
    pub legal: Vec<Value>,
    pub token: Tokens,
}

/// Its account.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the service's own names")]
pub struct UserInfo {
    pub user_type: String,
    pub user_first_name: String,
    pub user_last_name: String,
    pub user_status: String,
    pub user_seq: i64,
}

/// Its tokens.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the service's own names")]
pub struct Tokens {
    pub id_token: String,
    pub access_token: String,
    pub refresh_token: Option<String>,
    pub authentication_expires_in: u64,
    pub access_key_id: Option<String>,
    pub secret_key: Option<String>,
    pub session_token: Option<String>,
    pub authorization_expires_in: Option<u64>,
}

/// An OAuth answer (RFC 6749 §5.1).
#[derive(Debug, Deserialize)]
#[allow(missing_docs, reason = "the standard's own names")]
pub struct OAuth {
    pub access_token: String,
    pub token_type: String,
    pub expires_in: Option<u64>,
    pub refresh_token: Option<String>,
    pub id_token: Option<String>,
    pub scope: Option<String>,
}

/// The body of a sign-in.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the service's own names")]
pub struct Login<'a> {
    pub user_id: &'a str,
    pub password: &'a str,
}

/// The body of a refresh.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the service's own names")]
pub struct Refresh<'a> {
    pub refresh_token: &'a str,
}
