//! The answers of services.

use crate::check::{Received, check_error, check_grant, outcome, received, with_error, written};
use perennial_core::Grant;
use perennial_core::ServiceError;
use perennial_core::exchange::Response;

/// A grant is whole and within bounds, an error shows no more of the body than the service's own words, cut; the same
/// answer means the same twice, and nothing is granted where the service also says `refusal`, a field with its value.
pub(super) fn check_answer(
    answer: &Received<'_>,
    refusal: &str,
    parse: impl Fn(&Response) -> Result<Grant, ServiceError>,
) {
    let Received { now, response, body, .. } = answer;
    let said = parse(response);
    match &said {
        Ok(grant) => {
            assert!(response.status().is_success(), "granted with {}", response.status());
            check_grant(grant, *now);
            if let Some(refused) = with_error(response, body, refusal) {
                assert!(parse(&refused).is_err(), "granted in spite of {refusal}");
            }
        }
        Err(error) => check_error(error, body),
    }
    assert!(outcome(&said, written) == outcome(&parse(response), written), "read in two ways");
}

/// Any answer of Navien. The first byte chooses the endpoint, the next two the status, the fourth the clocks.
///
/// # Panics
/// Where it is not read as it should be.
pub(super) fn navien_answer(data: &[u8]) {
    use perennial_core::providers::navien::{
        parse_refresh, parse_secured_sign_in, parse_session_refresh, parse_sign_in,
    };

    let Some(answer) = received(data) else { return };
    let now = answer.now;
    check_answer(&answer, r#""code":401"#, |response| match answer.endpoint % 4 {
        0 => parse_sign_in(response, "ann@example.com", now, now),
        1 => parse_refresh(response, now, now),
        2 => parse_session_refresh(response, now, now),
        _ => parse_secured_sign_in(response, "ann@example.com", now, now),
    });
}

/// The same for Mosaia, its sign-out and the question who somebody is, too.
///
/// # Panics
/// Where it is not read as it should be.
pub(super) fn mosaia_answer(data: &[u8]) {
    use perennial_core::providers::mosaia::{Checked, Login, parse_refresh, parse_self, parse_sign_in, parse_sign_out};

    let Some(answer) = received(data) else { return };
    let Ok(login) = Login::password("ann@example.com", "correct horse") else { return };
    let (now, refusal) = (answer.now, r#""error":"no""#);
    let refused = with_error(&answer.response, answer.body, refusal);
    match answer.endpoint % 4 {
        0 => check_answer(&answer, refusal, |response| parse_sign_in(response, &login, now, now)),
        1 => check_answer(&answer, refusal, |response| parse_refresh(response, now, now)),
        2 => match parse_sign_out(&answer.response, now) {
            Ok(()) => {}
            Err(error) => check_error(&error, answer.body),
        },
        _ => match parse_self(&answer.response, now) {
            Ok(Checked::Accepted(who)) => {
                assert!(answer.response.status().is_success() && who.is_object(), "accepted without a word");
                let refused = refused.map(|refused| parse_self(&refused, now));
                assert!(!matches!(refused, Some(Ok(Checked::Accepted(_)))), "accepted in spite of an error");
            }
            Ok(_) => {}
            Err(error) => check_error(&error, answer.body),
        },
    }
}

/// The same for Settrade's tokens. What a refused clock is corrected by is the service's own `Date`.
///
/// # Panics
/// Where it is not read as it should be.
pub(super) fn settrade_answer(data: &[u8]) {
    use perennial_core::providers::settrade::{parse_refresh, parse_sign_in, server_clock};

    let Some(answer) = received(data) else { return };
    let now = answer.now;
    check_answer(&answer, r#""code":"E-401""#, |response| match answer.endpoint % 2 {
        0 => parse_sign_in(response, "app", now, now),
        _ => parse_refresh(response, "Bearer", now, now),
    });
    if let Some(clock) = server_clock(&answer.response, now) {
        assert_eq!(Some(clock), perennial_core::wire::server_time(answer.response.headers()));
        assert!(answer.response.status().is_client_error(), "a clock corrected by a success");
    }
}

/// The same for Settrade's ticket: an address that may be connected to, with a token that its headers can carry.
///
/// # Panics
/// Where it is not read as it should be.
pub(super) fn settrade_ticket(data: &[u8]) {
    use perennial_core::providers::settrade::Settrade;
    use perennial_core::{AccessToken, Validity};

    let Some(answer) = received(data) else { return };
    let now = answer.now;
    let Ok(settrade) = Settrade::new("SANDBOX", "ALGO") else { return };
    let Ok(access) = AccessToken::new("Bearer", "access-token-1", Validity::unknown(now)) else { return };
    let ticket = match settrade.parse_ticket(&answer.response, &access, now) {
        Ok(ticket) => ticket,
        Err(error) => return check_error(&error, answer.body),
    };
    assert!(answer.response.status().is_success(), "a ticket with {}", answer.response.status());
    if let Some(refused) = with_error(&answer.response, answer.body, r#""code":"E-401""#) {
        assert!(settrade.parse_ticket(&refused, &access, now).is_err(), "a ticket in spite of an error");
    }
    let (host, shown) = (ticket.host().to_owned(), format!("{ticket:?}"));
    assert!(ticket.url.expose().starts_with(&format!("wss://{host}/")), "to another host than it says");
    let token = ticket.password.as_ref().map_or("", |password| password.expose());
    let header = ticket.headers.get(http::header::AUTHORIZATION).expect("brokers look at it");
    assert!(header.is_sensitive() && header.as_bytes() == format!("Bearer {token}").as_bytes(), "another token");
    super::check::check_hidden(&shown, &[token], &[&host]);
}

/// Any text as a JWT that somebody already has, for each service that has such: it is a grant of at most the time that
/// it says, or none. The first byte chooses the clocks.
///
/// # Panics
/// Where that does not hold.
pub(super) fn jwt(data: &[u8]) {
    let Some((clocks, data)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(data) else { return };
    let now = super::check::clock(*clocks);
    {
        use perennial_core::providers::auth0::{Auth0, JwtStatus, validate};

        let status = validate(text, now);
        assert_eq!(status, validate(text, now));
        match Auth0::angel_studios().from_token(text, now) {
            Ok(grant) => {
                check_grant(&grant, now);
                let validity = *grant.access.as_ref().expect("it is a token").validity();
                match status {
                    JwtStatus::Unreadable => panic!("a grant of nothing that can be read"),
                    JwtStatus::Unlimited => assert_eq!(validity.deadline(), None),
                    JwtStatus::ExpiredAt(_) => assert!(validity.is_expired(now), "a second life"),
                    JwtStatus::ValidUntil(end) => {
                        assert!(
                            validity.deadline().is_some_and(|deadline| deadline.wall <= end),
                            "longer than it says"
                        );
                    }
                    other => panic!("{other:?} is not known here"),
                }
            }
            Err(error) => {
                assert_eq!(status, JwtStatus::Unreadable);
                super::check::check_silent(error);
            }
        }
    }
    match perennial_core::providers::mosaia::bare_token(text, now) {
        Ok(grant) => check_grant(&grant, now),
        Err(error) => super::check::check_silent(error),
    }
}

/// Any text as the private key of each kind that is taken: a key signs, and a refusal does not repeat it.
///
/// # Panics
/// Where that does not hold.
pub(super) fn key(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    {
        use perennial_core::providers::settrade::{Login, Settrade};
        use perennial_core::{Provider as _, Timestamp};

        match Login::new("app", text) {
            Ok(login) => {
                let settrade = Settrade::new("SANDBOX", "ALGO").expect("these names are right");
                let kept = settrade.write_login(&login).and_then(|kept| settrade.read_login(kept.expose()));
                let kept = kept.expect("a key is kept and read back");
                assert_eq!(login.sign("", Timestamp::default()), kept.sign("", Timestamp::default()));
                super::check::check_hidden(&format!("{login:?}"), &[text], &[]);
            }
            Err(error) => super::check::check_silent(error),
        }
    }
    match perennial_core::oauth2::Es256::from_jwk(text) {
        Ok(key) => {
            use perennial_core::oauth2::Signer as _;

            assert_eq!(key.sign(b"message").len(), 64);
            let name = key.key_id().map_or(0, |name| format!("{name:?}").len());
            assert!(format!("{key:?}").len() < 100 + name, "more than its name shows");
        }
        Err(error) => super::check::check_silent(error),
    }
}

/// Any texts as AWS credentials, and any moment: a pre-signed address is one, and says what went in. The lines are the
/// key's id, the key, the session token, the endpoint, the region; the first byte chooses the clocks.
///
/// # Panics
/// Where that does not hold.
pub(super) fn presign(data: &[u8]) {
    use perennial_core::aws::Mqtt;
    use perennial_core::mqtt::ConnectOptions;
    use perennial_core::{AwsCredentials, Validity};

    let Some((clocks, data)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(data) else { return };
    let now = super::check::clock(*clocks);
    let mut lines = text.split('\n');
    let mut line = |usual| lines.next().filter(|line| !line.is_empty()).unwrap_or(usual);
    let (id, secret, session) = (line("AKIAEXAMPLE"), line("secret/key"), line("session+token=="));
    let mqtt = match Mqtt::new(line("a.example"), line("us-east-1")) {
        Ok(mqtt) => mqtt,
        Err(error) => return super::check::check_silent(error),
    };
    let Ok(aws) = AwsCredentials::new(id, secret, session, Validity::unknown(now)) else { return };
    let url = mqtt.presign(&aws, now.wall);
    assert!(url.expose() == mqtt.presign(&aws, now.wall).expose(), "signed in two ways");
    let (address, query) = url.expose().split_once('?').expect("it has a query");
    assert_eq!(address, format!("wss://{}/mqtt", mqtt.endpoint()));
    let uri: http::Uri = url.expose().parse().expect("it is an address");
    assert_eq!(uri.host(), Some(mqtt.endpoint()));
    let ticket = ConnectOptions::new(url.expose()).expect("it may be connected to");
    assert_eq!(ticket.host(), mqtt.endpoint());
    // No `+` for a blank: Amazon has percent signs only, which forms read the same.
    let pairs: Option<Vec<_>> = perennial_core::wire::form_decode(query).collect();
    let pairs = pairs.expect("it is UTF-8");
    let told = |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(told("X-Amz-Security-Token"), Some(session));
    let scope = told("X-Amz-Credential").and_then(|credential| credential.strip_prefix(id));
    let tail = format!("/{}/iotdevicegateway/aws4_request", mqtt.region());
    assert!(scope.is_some_and(|scope| scope.len() == tail.len() + 9 && scope.ends_with(&tail)), "{scope:?}");
    assert!(told("X-Amz-Date").is_some_and(|date| date.len() == 16 && date.ends_with('Z')), "{query}");
    let signature = told("X-Amz-Signature").expect("it is signed");
    assert!(signature.len() == 64 && signature.bytes().all(|digit| digit.is_ascii_hexdigit()), "{signature}");
    assert_eq!(pairs.len(), 7);
    super::check::check_hidden(&format!("{url:?} {aws:?}"), &[secret, session], &[]);
}
