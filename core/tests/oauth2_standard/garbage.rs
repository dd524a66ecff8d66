//! Damaged answers: no parser panics, and no token has characters that a header cannot carry. A small sweep, which the
//! fuzz targets extend.

use perennial_core::credentials::check_token;
use perennial_core::oauth2::{AuthorizationRequest, FieldCase, ResponseEncoding, parse_device, parse_metadata};

use super::*;

const SEEDS: [&str; 6] = [
    r#"{"access_token":"at","refresh_token":"rt","token_type":"bearer","expires_in":"3600","scope":["a","b"],"x":{"y":[1]}}"#,
    r#"{"error":"invalid_grant","error_description":"no","error_uri":"https://a.example/"}"#,
    r#"{"errors":[{"errorType":"invalid_grant","message":"no"}]}"#,
    r#"{"data":{"accessToken":"at","expiresIn":60,"exp":1700000000}}"#,
    "access_token=at&expires_in=60&scope=a%2Cb",
    r#"{"device_code":"d","user_code":"u","verification_uri":"https://a.example/d","interval":5,"issuer":"https://a.example"}"#,
];

/// Each seed cut off, with a byte changed or doubled, and with another seed's tail.
fn variants() -> impl Iterator<Item = Vec<u8>> {
    let odd = *b"\0\"\\{}[]:,&=%+<\xff\xed0e-";
    SEEDS.into_iter().enumerate().flat_map(move |(n, seed)| {
        (0..=seed.len()).flat_map(move |at| {
            let (head, tail) = seed.as_bytes().split_at(at);
            let other = SEEDS[(n + at) % SEEDS.len()].as_bytes();
            let byte = odd[(n + at) % odd.len()];
            [
                head.to_vec(),
                [head, &[byte], tail].concat(),
                [head, &[byte], tail.get(1..).unwrap_or_default()].concat(),
                [head, other.get(at.min(other.len())..).unwrap_or_default()].concat(),
                [head, tail, head].concat(),
            ]
        })
    })
}

fn check(profile: &Profile, body: &[u8], status: u16) {
    let mut response = Response::new(body.to_vec().into());
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
    for asked in ALL {
        match parse_token(profile, asked, &response, now(0), now(1)) {
            Ok(grant) => {
                assert!((200..300).contains(&status));
                assert!(grant.access.is_some() || grant.flaw.is_some() && grant.refresh_token.is_some());
                assert!(grant.access.is_none_or(|access| check_token(access.expose()).is_ok()));
                for token in [grant.refresh_token, grant.id_token].into_iter().flatten() {
                    assert!(check_token(token.expose()).is_ok());
                }
                if let Some(extra) = grant.extra {
                    serde_json::from_str::<serde_json::Map<_, _>>(extra.expose()).unwrap();
                }
            }
            Err(error) => assert!(error.to_string().chars().all(|c| !c.is_control())),
        }
    }
    let _ = parse_device(profile, &response, now(0), now(1));
    let _ = parse_metadata("https://a.example", &response, now(1));
}

#[test]
fn no_answer_makes_a_parser_panic_or_a_bad_token_good() {
    let profiles = [
        profile(),
        profile().with_response_encoding(ResponseEncoding::Form),
        profile().with_field_case(FieldCase::Camel).with_response_wrapper("data").with_absolute_expiry("exp"),
    ];
    for body in variants() {
        for profile in &profiles {
            check(profile, &body, 200);
            check(profile, &body, 400);
        }
    }
}

#[test]
fn no_redirect_makes_a_pending_authorization_panic() {
    let profile = profile().with_authorization_endpoint("https://auth.example/authorize").unwrap();
    let wanted = AuthorizationRequest::new("http://127.0.0.1/done");
    for body in variants() {
        let text = String::from_utf8_lossy(&body);
        let pending = profile.authorize([7; 64], &wanted, now(0)).unwrap().into_pending();
        assert!(pending.exchange_code(&text, now(1)).is_err());
        assert!(perennial_core::oauth2::PendingAuthorization::restore(&profile, text.as_ref().into(), now(1)).is_err());
    }
}
