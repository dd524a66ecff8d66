//! The answers that token endpoints really send.

use http::{HeaderValue, header};
use perennial_core::oauth2::{FieldCase, ResponseEncoding, parse_token, scopes};
use perennial_core::{Credentials, Error, Outcome};

use super::*;

fn lifetime(told: &str) -> Option<Duration> {
    let grant = granted(&format!(r#"{{"access_token":"at","token_type":"bearer"{told}}}"#));
    grant.access.unwrap().validity().lifetime()
}

#[test]
fn a_lifetime_is_a_number_a_text_or_a_float_and_unknown_where_null_zero_or_absent() {
    for hour in [r#","expires_in":3600"#, r#","expires_in":"3600""#, r#","expires_in":3600.0"#] {
        assert_eq!(lifetime(hour), Some(Duration::from_secs(3600)), "{hour}");
    }
    for unknown in [
        "",
        r#","expires_in":null"#,
        r#","expires_in":0"#,
        r#","expires_in":"0""#,
        r#","expires_in":-1"#,
        r#","expires_in":"soon""#,
        r#","expires_in":true"#,
        r#","expires_in":[3600]"#,
    ] {
        assert_eq!(lifetime(unknown), None, "{unknown}");
    }
}

#[test]
fn a_token_without_a_type_is_a_bearer_token() {
    for told in ["", r#","token_type":null"#, r#","token_type":"""#, r#","token_type":"bEARER""#] {
        let grant = granted(&format!(r#"{{"access_token":"at"{told}}}"#));
        assert_eq!(grant.access.unwrap().typed_header(), "Bearer at", "{told}");
    }
}

#[test]
fn an_unusual_token_type_needs_a_profile_that_states_it() {
    let ebay = r#"{"access_token":"at","token_type":"User Access Token"}"#;
    for unknown in
        [ebay, r#"{"access_token":"at","token_type":"mac"}"#, r#"{"access_token":"at","token_type":["Bearer"]}"#]
    {
        assert!(is_malformed(&read(&profile(), &answer(200, unknown)).unwrap_err()), "{unknown}");
    }
    let profile = profile().with_token_type("user access token", "Bearer");
    assert_eq!(read(&profile, &answer(200, ebay)).unwrap().access.unwrap().typed_header(), "Bearer at");
}

#[test]
fn scopes_are_a_text_an_array_null_or_have_commas() {
    for told in
        [r#""read write""#, r#"["read","write"]"#, r#""read,write""#, r#"["read write", 7]"#, r#"" read,  write""#]
    {
        let grant = granted(&format!(r#"{{"access_token":"at","scope":{told}}}"#));
        let credentials = Credentials::from_grant(grant, None).unwrap();
        assert_eq!(scopes(&credentials), ["read", "write"], "{told}");
        assert_eq!(credentials.extra("scope").unwrap(), "read write");
    }
    for none in [r#","scope":null"#, r#","scope":"""#, r#","scope":[]"#, r#","scope":7"#, ""] {
        let grant = granted(&format!(r#"{{"access_token":"at"{none}}}"#));
        assert!(scopes(&Credentials::from_grant(grant, None).unwrap()).is_empty(), "{none}");
    }
}

#[test]
fn a_200_with_an_error_in_it_is_that_error() {
    let body = r#"{"error":"bad_refresh_token","error_description":"The refresh token is wrong."}"#;
    let error = read(&profile(), &answer(200, body)).unwrap_err();
    assert_eq!((error.code(), error.message()), (Some("bad_refresh_token"), Some("The refresh token is wrong.")));
    assert_eq!(error.kind(), ServiceErrorKind::Service);
    // A rejection code of the profile decides what it means.
    let github = profile().with_rejection_code("bad_refresh_token");
    assert_eq!(read(&github, &answer(200, body)).unwrap_err().kind(), ServiceErrorKind::RefreshRefused);
    assert_eq!(
        kind(GrantType::ClientCredentials, 200, r#"{"error":"invalid_client"}"#),
        ServiceErrorKind::InvalidCredentials
    );
}

#[test]
fn a_201_is_a_success() {
    assert!(read(&profile(), &answer(201, r#"{"access_token":"at"}"#)).unwrap().access.is_some());
}

#[test]
fn json_is_read_under_any_content_type_and_with_a_bom() {
    for content_type in ["text/html", "text/plain; charset=utf-8", "application/octet-stream"] {
        let mut success = answer(200, "\u{feff}{\"access_token\":\"at\"}");
        success.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        assert!(read(&profile(), &success).is_ok(), "{content_type}");
        let mut refusal = answer(400, r#"{"error":"invalid_grant"}"#);
        refusal.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        assert_eq!(read(&profile(), &refusal).unwrap_err().kind(), ServiceErrorKind::RefreshRefused, "{content_type}");
    }
}

#[test]
fn a_form_needs_a_profile_that_states_it() {
    let form = profile().with_response_encoding(ResponseEncoding::Form);
    let body = "access_token=a%2Fb&expires_in=5183814&token_type=bearer&scope=read%2Cwrite&login=ada";
    assert!(is_malformed(&read(&profile(), &answer(200, body)).unwrap_err()));
    let credentials = Credentials::from_grant(read(&form, &answer(200, body)).unwrap(), None).unwrap();
    assert_eq!(credentials.access().expose(), "a/b");
    assert_eq!(credentials.access().validity().lifetime(), Some(Duration::from_secs(5_183_814)));
    assert_eq!(
        (scopes(&credentials), credentials.extra("login")),
        (vec!["read".into(), "write".into()], Some("ada".into()))
    );
    let error = read(&form, &answer(200, "error=bad_verification_code&error_description=It+is+wrong")).unwrap_err();
    assert_eq!((error.code(), error.message()), (Some("bad_verification_code"), Some("It is wrong")));
    assert!(read(&form, &answer(200, r#"{"access_token":"at"}"#)).is_ok());
    assert!(is_malformed(&read(&form, &answer(200, "access_token=a&access_token=b")).unwrap_err()));
}

#[test]
fn camel_case_and_a_response_wrapper_need_a_profile_that_states_them() {
    let camel = r#"{"accessToken":"at","refreshToken":"rt","tokenType":"Bearer","expiresIn":"60","idToken":"id"}"#;
    assert!(is_malformed(&read(&profile(), &answer(200, camel)).unwrap_err()));
    let grant = read(&profile().with_field_case(FieldCase::Camel), &answer(200, camel)).unwrap();
    assert_eq!(grant.access.as_ref().unwrap().validity().lifetime(), Some(Duration::from_secs(60)));
    assert_eq!((grant.refresh_token.unwrap().expose(), grant.id_token.unwrap().expose()), ("rt", "id"));
    assert!(grant.extra.is_none());

    let within = profile().with_response_wrapper("data");
    let body = r#"{"data":{"access_token":"at"},"meta":{}}"#;
    assert!(is_malformed(&read(&profile(), &answer(200, body)).unwrap_err()));
    assert!(read(&within, &answer(200, body)).unwrap().access.is_some());
    for refused in [
        r#"{"error":"invalid_grant","data":{"access_token":"at"}}"#,
        r#"{"data":{"access_token":"at","error":"invalid_grant"}}"#,
    ] {
        assert_eq!(read(&within, &answer(400, refused)).unwrap_err().kind(), ServiceErrorKind::RefreshRefused);
    }
    for none in [r#"{"access_token":"at"}"#, r#"{"data":null}"#, r#"{"data":[{"access_token":"at"}]}"#] {
        assert!(is_malformed(&read(&within, &answer(200, none)).unwrap_err()), "{none}");
    }
}

#[test]
fn an_array_of_errors_is_an_error() {
    let body = r#"{"errors":[{"errorType":"invalid_grant","message":"Refresh token invalid"}],"success":false}"#;
    let error = read(&profile(), &answer(400, body)).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ServiceErrorKind::RefreshRefused, Some("invalid_grant")));
    assert_eq!(error.message(), Some("Refresh token invalid"));
    assert_eq!(
        read(&profile(), &answer(200, r#"{"errors":["no"],"access_token":"at"}"#)).unwrap_err().code(),
        Some("no")
    );
    assert!(read(&profile(), &answer(200, r#"{"errors":[],"error":null,"access_token":"at"}"#)).is_ok());
}

#[test]
fn an_empty_or_absent_access_token_is_never_a_success() {
    for body in [
        "{}",
        r#"{"access_token":""}"#,
        r#"{"access_token":"  "}"#,
        r#"{"access_token":7}"#,
        r#"{"access_token":["at"]}"#,
        r#"{"access_token":"a\r\nb"}"#,
        r#"{"access_token":"\u0000"}"#,
        r#"{"access_token":"é"}"#,
        r#"{"access_token":"\ud800"}"#,
        r#"{"access_token":"at","refresh_token":"\n x"}"#,
        r#"{"access_token":"a","access_token":"b"}"#,
        r#"["at"]"#,
        "null",
        "",
        "access_token=at",
        "<html>access_token",
        r#"{"access_token":"at""#,
    ] {
        for status in [200, 201] {
            assert!(is_malformed(&read(&profile(), &answer(status, body)).unwrap_err()), "{status} {body}");
        }
    }
}

#[test]
fn a_refresh_token_beside_an_unusable_access_token_is_a_grant_with_a_flaw() {
    for body in [
        r#"{"refresh_token":"rt"}"#,
        r#"{"access_token":"","refresh_token":"rt"}"#,
        r#"{"access_token":null,"refresh_token":"rt","id_token":"a\nb"}"#,
        r#"{"access_token":"a\u0000b","refresh_token":"rt"}"#,
        r#"{"access_token":"\ud800","refresh_token":"rt"}"#,
        r#"{"access_token":"at","token_type":"mac","refresh_token":"rt"}"#,
        r#"{"access_token":"at","token_type":"\ud800","refresh_token":"rt"}"#,
    ] {
        for asked in ALL {
            let grant = parse_token(&profile(), asked, &answer(200, body), now(0), now(1)).unwrap();
            assert!(grant.access.is_none() && is_malformed(grant.flaw.as_ref().unwrap()), "{body}");
            assert_eq!(grant.refresh_token.unwrap().expose(), "rt");
        }
    }
    let whole = granted(r#"{"access_token":"at","refresh_token":"rt","id_token":"a\nb"}"#);
    assert!(whole.flaw.is_none() && whole.id_token.is_none() && whole.access.is_some());
}

// -- What follows from the rules.

#[test]
fn an_error_wins_over_a_token_in_the_same_body() {
    for body in [r#"{"access_token":"at","error":"server_error"}"#, r#"{"access_token":"at","error":{"message":"no"}}"#]
    {
        assert_eq!(kind(GrantType::RefreshToken, 200, body), ServiceErrorKind::Service, "{body}");
    }
    assert_eq!(
        kind(GrantType::RefreshToken, 400, r#"{"access_token":"at","error":"invalid_grant"}"#),
        ServiceErrorKind::RefreshRefused
    );
}

#[test]
fn only_invalid_grant_under_a_4xx_rejects_a_refresh_token() {
    for status in [400, 401, 403, 404] {
        assert_eq!(
            kind(GrantType::RefreshToken, status, r#"{"error":"invalid_grant"}"#),
            ServiceErrorKind::RefreshRefused
        );
    }
    for (status, body) in [
        (200, r#"{"error":"invalid_grant"}"#),
        (500, r#"{"error":"invalid_grant"}"#),
        (503, r#"{"error":"invalid_grant"}"#),
        (429, r#"{"error":"invalid_grant"}"#),
        (302, r#"{"error":"invalid_grant"}"#),
        (400, r#"{"error":"invalid_request"}"#),
        (401, r#"{"error":"invalid_client"}"#),
        (400, r#"{"error":"unauthorized_client"}"#),
        (400, r#"{"error":"INVALID_GRANT"}"#),
        (400, r#"{"message":"invalid_grant"}"#),
        (401, ""),
        (403, "<html>invalid_grant</html>"),
        (400, r#"{"error":"invalid_grant""#),
        (401, "{}"),
    ] {
        let error = read(&profile(), &answer(status, body)).unwrap_err();
        let outcome = Error::from(error).outcome();
        assert!(matches!(outcome, Outcome::Indeterminate | Outcome::NotProcessed), "{status} {body}: {outcome:?}");
    }
}

#[test]
fn a_refused_login_is_not_tried_again() {
    for asked in [GrantType::ClientCredentials, GrantType::Password] {
        for (status, body) in [
            (401, r#"{"error":"invalid_client"}"#),
            (400, r#"{"error":"invalid_grant"}"#),
            (200, r#"{"error":"invalid_grant"}"#),
            (403, r#"{"error":"access_denied"}"#),
            (401, "{}"),
            (401, ""),
            (401, r#"{"message":"Unauthorized"}"#),
        ] {
            assert_eq!(kind(asked, status, body), ServiceErrorKind::InvalidCredentials, "{asked:?} {status} {body}");
        }
    }
    assert_eq!(kind(GrantType::Password, 400, r#"{"error":"unsupported_grant_type"}"#), ServiceErrorKind::Unsupported);
}

#[test]
fn a_server_that_needs_a_person_is_not_asked_again() {
    for word in ["login_required", "interaction_required", "consent_required", "account_selection_required"] {
        let body = format!(r#"{{"error":"{word}","error_description":"Ask them."}}"#);
        for (asked, status) in ALL.into_iter().flat_map(|asked| [400, 401, 403].map(|status| (asked, status))) {
            let error = parse_token(&profile(), asked, &answer(status, &*body), now(0), now(1)).unwrap_err();
            assert_eq!(error.kind(), ServiceErrorKind::InteractionRequired, "{asked:?} {status} {word}");
            assert_eq!((error.code(), error.message()), (Some(word), Some("Ask them.")));
            assert_eq!(Error::from(error).outcome(), Outcome::Rejected);
        }
        // A 200 and a 5xx discard no refresh token.
        for status in [200, 429, 500] {
            assert_ne!(kind(GrantType::RefreshToken, status, &body), ServiceErrorKind::InteractionRequired, "{status}");
        }
    }
}

#[test]
fn a_rejection_code_of_the_profile_rejects_a_login_too() {
    let own = profile().with_rejection_code("wrong_pin");
    let body = r#"{"error":"wrong_pin"}"#;
    for asked in [GrantType::ClientCredentials, GrantType::Password, GrantType::AuthorizationCode] {
        let told = |profile| parse_token(profile, asked, &answer(400, body), now(0), now(1)).unwrap_err().kind();
        assert_eq!(told(&own), ServiceErrorKind::InvalidCredentials, "{asked:?}");
        assert_ne!(told(&profile()), ServiceErrorKind::InvalidCredentials, "{asked:?}");
    }
}

#[test]
fn a_failing_server_rejects_nothing_whatever_it_says() {
    for asked in ALL {
        for body in [r#"{"error":"invalid_grant"}"#, r#"{"error":"invalid_client"}"#, "<html>invalid_grant", ""] {
            assert_eq!(kind(asked, 500, body), ServiceErrorKind::Service);
            assert_eq!(kind(asked, 429, body), ServiceErrorKind::RateLimited { retry_after: None });
            let mut busy = answer(503, body);
            busy.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("7"));
            let error = parse_token(&profile(), asked, &busy, now(0), now(1)).unwrap_err();
            assert_eq!(error.kind(), ServiceErrorKind::Unavailable { retry_after: Duration::from_secs(7) });
        }
        assert_eq!(kind(asked, 404, r#"{"message":"not found"}"#), ServiceErrorKind::Unsupported);
        for status in [400, 401, 403, 404, 405, 501] {
            let page = parse_token(&profile(), asked, &answer(status, "<html>no"), now(0), now(1)).unwrap_err();
            assert!(is_malformed(&page), "{asked:?} {status}");
        }
    }
}

#[test]
fn retry_after_is_obeyed_whatever_it_comes_with() {
    for asked in ALL {
        for (status, body) in [(403, "{}"), (400, r#"{"error":"invalid_request"}"#), (500, ""), (404, "<html>")] {
            let mut busy = answer(status, body);
            busy.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("7"));
            let error = Error::from(parse_token(&profile(), asked, &busy, now(0), now(1)).unwrap_err());
            assert_eq!((error.retry_after(), error.outcome()), (Some(Duration::from_secs(7)), Outcome::Indeterminate));
        }
    }
}

#[test]
fn fields_that_the_server_leaves_out_are_kept() {
    let first = Credentials::from_grant(granted(r#"{"access_token":"1","refresh_token":"r1","id_token":"i1"}"#), None);
    for omitted in [
        r#"{"access_token":"2"}"#,
        r#"{"access_token":"2","refresh_token":""}"#,
        r#"{"access_token":"2","refresh_token":null}"#,
    ] {
        let second = Credentials::from_grant(granted(omitted), first.as_ref()).unwrap();
        assert_eq!(second.access().expose(), "2");
        assert_eq!(second.refresh_token().unwrap().expose(), "r1", "{omitted}");
        assert_eq!(second.id_token().unwrap().expose(), "i1");
    }
}

#[test]
fn extra_fields_of_the_server_are_kept() {
    let body = r#"{"access_token":"at","team":{"id":"T1","name":"\u00e9"},"bot":[1,true],"expires_in":60,"refresh_token":"rt"}"#;
    let credentials = Credentials::from_grant(granted(body), None).unwrap();
    assert_eq!(credentials.extra("team").unwrap()["name"], "é");
    assert_eq!(credentials.extra("bot").unwrap(), serde_json::json!([1, true]));
    for known in ["access_token", "refresh_token", "expires_in", "scope"] {
        assert_eq!(credentials.extra(known), None, "{known}");
    }
}

#[test]
fn an_absolute_expiry_is_counted_by_the_servers_clock() {
    let profile = profile().with_absolute_expiry("exp");
    let lifetime = |exp: &str, date: Option<&'static str>| {
        let mut response = answer(200, format!(r#"{{"access_token":"at","exp":{exp}}}"#));
        if let Some(date) = date {
            response.headers_mut().insert(header::DATE, HeaderValue::from_static(date));
        }
        read(&profile, &response).unwrap().access.unwrap().validity().lifetime()
    };
    // The Unix time 784111777.
    let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
    for exp in ["784111837", "\"784111837\"", "784111837000", "\"784111837000\""] {
        assert_eq!(lifetime(exp, date), Some(Duration::from_secs(60)), "{exp}");
    }
    assert_eq!(lifetime("1700000061", None), Some(Duration::from_secs(60)));
    assert_eq!(lifetime("784111777", date), Some(Duration::ZERO));
    for unknown in ["0", "null", "\"soon\"", "-5", "784111777"] {
        assert_eq!(lifetime(unknown, None), None, "{unknown}");
    }
}

#[test]
fn an_errors_code_message_and_uri_are_kept_and_cleaned() {
    let body = r#"{"error":"invalid_scope","error_description":"no\u001b[31m such\r\nscope for a@b.example",
        "error_uri":"https://auth.example/why?token=x"}"#;
    let error = read(&profile(), &answer(400, body)).unwrap_err();
    assert_eq!(
        error.code().map(perennial_core::oauth2::ErrorCode::from),
        Some(perennial_core::oauth2::ErrorCode::InvalidScope)
    );
    assert_eq!(error.message(), Some("no[31m such scope for *** (https://auth.example/why)"));
    let facebook = r#"{"error":{"message":"Error validating","type":"OAuthException","code":190}}"#;
    let error = read(&profile(), &answer(400, facebook)).unwrap_err();
    assert_eq!((error.code(), error.message()), (Some("190"), Some("Error validating")));
}
