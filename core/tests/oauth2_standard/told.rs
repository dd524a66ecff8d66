//! Names, texts and `Debug` of OAuth's types, and settings at their limits.

use perennial_core::oauth2::{AuthorizationError, AuthorizationRequest, Discovery, ErrorCode, parse_device};
use perennial_core::{AccessToken, Credentials, Exchange, Step, Validity};

use super::*;

#[test]
fn each_error_code_of_the_standard_is_known() {
    for (name, code, text) in [
        ("access_denied", ErrorCode::AccessDenied, "access denied"),
        ("authorization_declined", ErrorCode::AccessDenied, "access denied"),
        ("authorization_pending", ErrorCode::AuthorizationPending, "not yet decided"),
        ("expired_token", ErrorCode::ExpiredToken, "it took too long"),
        ("login_required", ErrorCode::InteractionRequired, "a person has to be asked"),
        ("consent_required", ErrorCode::InteractionRequired, "a person has to be asked"),
        ("interaction_required", ErrorCode::InteractionRequired, "a person has to be asked"),
        ("account_selection_required", ErrorCode::InteractionRequired, "a person has to be asked"),
        ("invalid_client", ErrorCode::InvalidClient, "the client did not prove itself"),
        ("invalid_grant", ErrorCode::InvalidGrant, "the grant is refused"),
        ("invalid_request", ErrorCode::InvalidRequest, "the request is not as it should be"),
        ("invalid_scope", ErrorCode::InvalidScope, "a scope is not granted"),
        ("invalid_target", ErrorCode::InvalidTarget, "a resource is unknown"),
        ("server_error", ErrorCode::ServerError, "the server failed"),
        ("slow_down", ErrorCode::SlowDown, "asked too often"),
        ("temporarily_unavailable", ErrorCode::TemporarilyUnavailable, "the server is busy"),
        ("unauthorized_client", ErrorCode::UnauthorizedClient, "this client may not do so"),
        ("unsupported_grant_type", ErrorCode::UnsupportedGrantType, "the server has no such grant"),
        ("unsupported_response_type", ErrorCode::UnsupportedResponseType, "the server has no such response type"),
        ("unsupported_token_type", ErrorCode::UnsupportedTokenType, "such tokens cannot be revoked"),
        ("out_of_tea", ErrorCode::Other, "another reason"),
    ] {
        assert_eq!(ErrorCode::from(name), code, "{name}");
        assert_eq!(code.to_string(), text);
    }
}

#[test]
fn a_refusal_in_a_browser_shows_code_and_name() {
    let browser = profile().with_authorization_endpoint("https://auth.example/authorize").unwrap();
    let refused = |rest: &str| {
        let wanted = AuthorizationRequest::new("http://127.0.0.1:8123/done");
        let authorization = browser.authorize([7; 64], &wanted, now(0)).unwrap();
        let (_, rest_of_url) = authorization.url().split_once("state=").unwrap();
        let state = rest_of_url.split('&').next().unwrap().to_owned();
        let pending = authorization.into_pending();
        assert_eq!(pending.redirect_uri(), "http://127.0.0.1:8123/done");
        match pending.exchange_code(&format!("state={state}&error=access_denied{rest}"), now(1)) {
            Err(AuthorizationError::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    };
    let refusal = refused("");
    assert_eq!(refusal.to_string(), "access denied [access_denied]");
    let refusal = refused("&error_description=Not+today&error_uri=https%3A%2F%2Fauth.example%2Fwhy");
    assert_eq!(refusal.to_string(), "access denied [access_denied]: Not today");
    assert_eq!(
        format!("{refusal:?}"),
        "ErrorResponse { name: \"access_denied\", description: Some(\"Not today\"), \
         uri: Some(\"https://auth.example/why\") }"
    );
}

#[test]
fn metadata_is_read_field_by_field() {
    let mut discovery = Discovery::new("https://auth.example").unwrap();
    assert_eq!(format!("{discovery:?}"), "Discovery { issuer: \"https://auth.example\", .. }");
    discovery.start(now(0));
    let document = r#"{"issuer":"https://auth.example","token_endpoint":"https://auth.example/token",
        "authorization_endpoint":"https://auth.example/authorize","revocation_endpoint":"https://auth.example/revoke",
        "device_authorization_endpoint":"https://auth.example/device","grant_types_supported":["password","x"],
        "scopes_supported":["read"],"token_endpoint_auth_methods_supported":["none"],
        "authorization_response_iss_parameter_supported":true}"#;
    let Step::Done(metadata) = discovery.receive(answer(200, document), now(1)).unwrap() else { panic!("asked again") };
    assert_eq!(metadata.issuer(), "https://auth.example");
    assert_eq!(metadata.token_endpoint().unwrap().to_string(), "https://auth.example/token");
    assert_eq!(metadata.authorization_endpoint().unwrap().to_string(), "https://auth.example/authorize");
    assert_eq!(metadata.revocation_endpoint().unwrap().to_string(), "https://auth.example/revoke");
    assert_eq!(metadata.device_endpoint().unwrap().to_string(), "https://auth.example/device");
    assert_eq!(metadata.grant_types().unwrap(), ["password", "x"]);
    assert_eq!(metadata.scopes().unwrap(), ["read"]);
    assert_eq!(metadata.client_auth_methods().unwrap(), ["none"]);
    assert!(metadata.promises_issuer());
    let profile = metadata.profile("app", perennial_core::oauth2::ClientAuth::None).unwrap();
    assert_eq!(profile.authorization_endpoint().unwrap().to_string(), "https://auth.example/authorize");
}

#[test]
fn a_device_polls_at_the_interval_of_the_server() {
    let told =
        r#"{"device_code":"dc","user_code":"AB-CD","verification_uri":"https://auth.example/device","interval":7}"#;
    let device = profile().with_device_endpoint("https://auth.example/start").unwrap();
    let authorization = parse_device(&device, &answer(200, told), now(0), now(1)).unwrap();
    assert_eq!(authorization.interval(), Duration::from_secs(7));
}

#[test]
fn debug_of_exchanges_shows_endpoints_and_no_secret() {
    let profile = profile()
        .with_device_endpoint("https://auth.example/start")
        .and_then(|profile| profile.with_revocation_endpoint("https://auth.example/revoke"))
        .unwrap();
    let access = AccessToken::new("Bearer", "at-1", Validity::unknown(now(0))).unwrap();
    let held = Credentials::from_grant(Grant { access: Some(access), ..Grant::default() }, None).unwrap();
    let revocation = format!("{:?}", profile.revoke(&held).unwrap());
    assert!(revocation.contains("auth.example/revoke") && !revocation.contains("at-1"), "{revocation}");
    let device = format!("{:?}", profile.device(&["read"]).unwrap());
    assert!(device.contains("auth.example/start"), "{device}");
}

#[cfg(feature = "es256")]
#[test]
fn an_assertion_names_its_algorithm_and_leaves_out_a_missing_key_id() {
    use perennial_core::oauth2::{Assertions, Es256, Signer};

    struct Mute;
    impl Signer for Mute {
        fn algorithm(&self) -> &str {
            "none"
        }

        fn sign(&self, _: &[u8]) -> Vec<u8> {
            Vec::new()
        }
    }
    assert_eq!(Mute.key_id(), None);
    assert_eq!(Es256::new([1; 32]).unwrap().algorithm(), "ES256");
    assert_eq!(format!("{:?}", Assertions::new(Mute, [1; 32])), "Assertions { algorithm: \"none\", .. }");
}

#[cfg(feature = "es256")]
#[test]
fn an_assertion_has_the_clients_id_and_the_audience() {
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    use perennial_core::Secret;
    use perennial_core::oauth2::{Assertions, ClientAuth, Es256, IssuerInRedirect};

    let assertions = || Assertions::new(Es256::new([1; 32]).unwrap().with_key_id("k-7"), [2; 32]);
    let claims = |profile: &Profile| {
        let request = profile.refresh_request(&Secret::from("rt"), now(0));
        assert_eq!(
            field(&request, "client_assertion_type").unwrap(),
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        );
        let statement = field(&request, "client_assertion").unwrap();
        let parts: Vec<_> = statement.split('.').collect();
        let json = |part: &str| -> serde_json::Value {
            serde_json::from_slice(&Base64UrlUnpadded::decode_vec(part).unwrap()).unwrap()
        };
        assert_eq!(json(parts[0]), serde_json::json!({"alg": "ES256", "typ": "JWT", "kid": "k-7"}));
        assert_eq!(Base64UrlUnpadded::decode_vec(parts[2]).unwrap().len(), 64);
        json(parts[1])
    };
    let signed = profile().with_client_auth(ClientAuth::PrivateKeyJwt(assertions()));
    let first = claims(&signed);
    assert_eq!((&first["iss"], &first["sub"]), (&"app".into(), &"app".into()));
    assert_eq!(first["aud"], "https://auth.example/token");
    assert_eq!((&first["iat"], &first["exp"]), (&1_700_000_000.into(), &1_700_000_300.into()));
    assert_ne!(claims(&signed)["jti"], first["jti"], "each is good once");
    let issued = signed.clone().with_issuer("https://auth.example", IssuerInRedirect::Optional);
    assert_eq!(claims(&issued)["aud"], "https://auth.example");
    let named = Assertions::with_audience(assertions(), "https://else.example");
    let named = issued.with_client_auth(ClientAuth::PrivateKeyJwt(named));
    assert_eq!(claims(&named)["aud"], "https://else.example");
}

#[test]
fn invalid_settings_and_codes_are_refused_at_their_limits() {
    use perennial_core::oauth2::{InvalidProfile, ParameterTarget};
    let both = profile().with_parameter(ParameterTarget::Both, "audience", "x").unwrap();
    assert_eq!(both.with_parameter(ParameterTarget::Token, "audience", "y").unwrap_err(), InvalidProfile::Reserved);
    assert_eq!(profile().with_resource("a_b:y").unwrap_err(), InvalidProfile::Resource);
    assert!(Profile::new("https://:443/token", "app").is_err());
    let device = profile().with_device_endpoint("https://auth.example/start").unwrap();
    let told = |code: &str| {
        let body =
            format!(r#"{{"device_code":"dc","user_code":"{code}","verification_uri":"https://auth.example/device"}}"#);
        parse_device(&device, &answer(200, body), now(0), now(1)).is_ok()
    };
    assert!(told(&"x".repeat(64)) && !told(&"x".repeat(65)));
}

#[test]
fn an_error_without_a_code_is_still_an_error() {
    for said in [r#""\u0020""#, r#"[["x"]]"#, "7", r#"{"x":1}"#, r#"[{"errorType":"x"}]"#] {
        let response = answer(200, format!(r#"{{"access_token":"at","error":{said}}}"#));
        assert!(read(&profile(), &response).is_err(), "{said}");
    }
}

#[test]
fn debug_of_pending_sign_ins_shows_deadlines_and_no_secret() {
    let browser = profile().with_authorization_endpoint("https://auth.example/authorize").unwrap();
    let authorization =
        browser.authorize([7; 64], &AuthorizationRequest::new("http://127.0.0.1:8123/done"), now(0)).unwrap();
    let state = authorization.url().split_once("state=").unwrap().1.split('&').next().unwrap().to_owned();
    let shown = format!("{authorization:?}");
    assert!(
        shown.starts_with("AuthorizationUrl { pending: PendingAuthorization { profile: Profile { token_endpoint: "),
        "{shown}"
    );
    assert!(shown.contains("expires_at: ") && !shown.contains(&state), "{shown}");
    let exchange = browser.legacy_password("ada", &perennial_core::Secret::from("hunter2"), &["read"]);
    assert_eq!(format!("{exchange:?}"), "TokenRequest { to: auth.example/token, with: Password, .. }");

    let told = r#"{"device_code":"hunter2","user_code":"AB-CD","verification_uri":"https://auth.example/device"}"#;
    let device = profile().with_device_endpoint("https://auth.example/start").unwrap();
    let authorization = parse_device(&device, &answer(200, told), now(0), now(1)).unwrap();
    let shown = format!("{authorization:?} {:?}", authorization.poll());
    assert!(shown.starts_with("DeviceAuthorization { verification_uri: \"https://auth.example/device\""), "{shown}");
    assert!(shown.contains("DevicePoll { until: "), "{shown}");
    assert!(!shown.contains("hunter2") && !shown.contains("AB-CD"), "{shown}");
}

#[test]
fn a_password_login_sets_the_account() {
    let mut exchange = profile().legacy_password("ada", &perennial_core::Secret::from("pass"), &["read"]);
    exchange.start(now(0));
    let granted = exchange.receive(answer(200, r#"{"access_token":"at"}"#), now(1));
    assert!(matches!(granted, Ok(Step::Done(grant)) if grant.account.as_ref().unwrap().id == "ada"));
}

#[test]
fn a_discovered_profile_authenticates_as_stated_and_requires_only_a_promised_issuer() {
    let mut discovery = Discovery::new("https://auth.example").unwrap();
    discovery.start(now(0));
    let document = r#"{"issuer":"https://auth.example","token_endpoint":"https://auth.example/token"}"#;
    let Step::Done(metadata) = discovery.receive(answer(200, document), now(1)).unwrap() else { panic!("asked again") };
    assert!(!metadata.promises_issuer());
    let secret = perennial_core::oauth2::ClientAuth::SecretPost("s".into());
    let profile = metadata.profile("app", secret).unwrap();
    assert_eq!(profile.client_auth().secret().unwrap().expose(), "s");
}

#[test]
fn the_message_of_an_answer_without_an_error_code_is_kept() {
    let failed = |status, body: &str| read(&profile(), &answer(status, body)).unwrap_err();
    assert_eq!(failed(400, r#"{"message":"not today"}"#).message(), Some("not today"));
    assert_eq!(failed(400, r#"{"error_description":"never","message":"x"}"#).message(), Some("never"));
    assert_eq!(failed(400, "").kind(), ServiceErrorKind::Service, "nothing is no page of a proxy");
    assert!(is_malformed(&failed(400, "<html>")));
}

#[test]
fn a_redirect_is_read_up_to_its_cap() {
    let browser = profile().with_authorization_endpoint("https://auth.example/authorize").unwrap();
    let refused = |length: usize| {
        let authorization =
            browser.authorize([7; 64], &AuthorizationRequest::new("http://127.0.0.1:8123/done"), now(0)).unwrap();
        let error = authorization.into_pending().exchange_code(&format!("code={}", "x".repeat(length - 5)), now(1));
        error.unwrap_err().to_string()
    };
    assert!(!refused(64 * 1024).contains("too long"));
    assert!(refused(64 * 1024 + 1).contains("too long"));
}

#[test]
fn an_absolute_expiry_is_in_seconds_up_to_1e11_and_ignored_at_or_below_zero() {
    let absolute = profile().with_absolute_expiry("ends");
    let life = |ends: i64| {
        let mut told = answer(200, format!(r#"{{"access_token":"at","ends":{ends}}}"#));
        told.headers_mut().insert("date", "Tue, 14 Nov 2023 22:13:20 GMT".parse().unwrap());
        read(&absolute, &told).unwrap().access.unwrap().validity().lifetime()
    };
    assert_eq!(life(1_700_000_060), Some(Duration::from_secs(60)));
    assert_eq!(life(1_700_000_060_000), Some(Duration::from_secs(60)));
    assert!(life(100_000_000_000).is_some_and(|life| life > Duration::from_secs(86_400)), "the year 5138");
    assert_eq!(life(100_000_000_001), Some(Duration::ZERO), "the year 1973");
    assert_eq!((life(0), life(-5)), (life(i64::MIN), life(i64::MIN)), "no moment");
    assert_ne!(life(0), Some(Duration::ZERO));
}
