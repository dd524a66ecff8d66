//! Every provider: name, namespace, methods, logins, and how it authorizes a call.
#![cfg(all(feature = "auth0", feature = "mosaia", feature = "navien", feature = "oauth2", feature = "settrade"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use perennial_core::oauth2::Profile;
use perennial_core::providers::{auth0, mosaia, navien, oauth2, settrade};
use perennial_core::{
    AccessToken, Account, AwsCredentials, Call, Credentials, Exchange, Grant, Judgement, LeaseId, LoginOwner, Now,
    Provider, Timestamp, Validity,
};

const USER: &str = "grower@example.com";

/// A valid private key of P-256.
const APP_SECRET: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

fn now() -> Now {
    Now::new(Timestamp::from_unix_seconds(1_700_000_000), Duration::from_secs(5))
}

fn granted(grant_type: Option<&'static str>) -> Credentials {
    let validity = Validity::with_lifetime(now(), Duration::from_secs(3600));
    let grant = Grant {
        access: Some(AccessToken::new("Bearer", "ey.access", validity).unwrap()),
        refresh_token: Some("refresh-1".into()),
        aws: Some(AwsCredentials::new("AKIA", "key", "ey.session", validity).unwrap()),
        account: Some(Account::new(USER)),
        grant_type,
        ..Grant::default()
    };
    Credentials::from_grant(grant, None).unwrap()
}

fn auth0() -> auth0::Auth0 {
    auth0::Auth0::builder("https://tv.example").auth_url("https://auth.tv.example").build().unwrap()
}

fn mosaia() -> mosaia::Mosaia {
    mosaia::Mosaia::builder().client_id("my-app").build().unwrap()
}

fn oauth2() -> oauth2::OAuth2 {
    oauth2::OAuth2::new(Profile::new("https://auth.example/token", "app").unwrap())
}

fn settrade() -> settrade::Settrade {
    settrade::Settrade::new("098", "ALGO").unwrap()
}

/// A provider's name, namespace, the account of a login, and the names of the methods for a lease.
fn card<P: Provider>(provider: &P, login: &P::Login, lease_id: LeaseId) -> String {
    let methods: Vec<_> = provider.methods(lease_id).iter().map(|method| provider.method_name(*method)).collect();
    let user = provider.account_id(login).unwrap_or("nobody");
    format!("{} at {} for {user}: {}", provider.name(), provider.namespace(), methods.join(", "))
}

#[test]
fn each_provider_has_its_name_namespace_and_methods() {
    let login = auth0::Login::new(USER, "hunter2").unwrap();
    assert_eq!(card(&auth0(), &login, LeaseId::Access), "auth0 at https://tv.example for grower@example.com: sign-in");
    let login = mosaia::Login::password(USER, "hunter2").unwrap();
    assert_eq!(
        card(&mosaia(), &login, LeaseId::Access),
        "mosaia at https://api.mosaia.ai/v1 my-app for grower@example.com: refresh, OAuth refresh, sign-in"
    );
    let login = navien::Login::new(USER, "hunter2").unwrap();
    assert_eq!(
        card(&navien::Navien::default(), &login, LeaseId::Access),
        "navien at https://nlus.naviensmartcontrol.com/api/v2.1 for grower@example.com: refresh, sign-in"
    );
    assert_eq!(
        card(&navien::Navien::default(), &login, LeaseId::Aws),
        "navien at https://nlus.naviensmartcontrol.com/api/v2.1 for grower@example.com: \
         session refresh, secured sign-in, sign-in"
    );
    let login = oauth2::Login::legacy_password(USER, "hunter2").unwrap();
    assert_eq!(
        card(&oauth2(), &login, LeaseId::Access),
        "oauth2 at https://auth.example/token app for grower@example.com: refresh, sign-in"
    );
    let login = settrade::Login::new("app-1", APP_SECRET).unwrap();
    assert_eq!(
        card(&settrade(), &login, LeaseId::Access),
        "settrade at https://open-api.settrade.com/098/ALGO for app-1: refresh, sign-in"
    );
    assert_eq!(settrade().app_code(), "ALGO");
}

#[test]
fn a_password_is_a_persons_and_a_secret_or_a_key_is_a_programs() {
    use LoginOwner::{Person, Program};
    assert_eq!(auth0().login_owner(&auth0::Login::new(USER, "hunter2").unwrap()), Person);
    assert_eq!(navien::Navien::default().login_owner(&navien::Login::new(USER, "hunter2").unwrap()), Person);
    assert_eq!(mosaia().login_owner(&mosaia::Login::password(USER, "hunter2").unwrap()), Person);
    assert_eq!(mosaia().login_owner(&mosaia::Login::client("app", "hunter2").unwrap()), Program);
    assert_eq!(oauth2().login_owner(&oauth2::Login::legacy_password(USER, "hunter2").unwrap()), Person);
    assert_eq!(oauth2().login_owner(&oauth2::Login::client_credentials()), Program);
    assert_eq!(settrade().login_owner(&settrade::Login::new("app-1", APP_SECRET).unwrap()), Program);
}

#[test]
fn only_naviens_aws_methods_need_the_access_token() {
    let navien = navien::Navien::default();
    let bases: Vec<_> = navien.methods(LeaseId::Aws).iter().map(|method| navien.requires(*method)).collect();
    assert_eq!(bases, [Some(LeaseId::Access), Some(LeaseId::Access), None]);
    assert!(navien.methods(LeaseId::Access).iter().all(|method| navien.requires(*method).is_none()));
    let mosaia = mosaia();
    assert!(mosaia.methods(LeaseId::Access).iter().all(|method| mosaia.requires(*method).is_none()));
}

fn is_kept<P: Provider>(provider: &P, login: &P::Login) {
    let text = provider.write_login(login).unwrap();
    let read = provider.read_login(text.expose()).unwrap();
    assert_eq!(provider.account_id(&read), provider.account_id(login));
    assert_eq!(provider.write_login(&read).unwrap().expose(), text.expose());
    assert!(provider.read_login("{}").is_none());
}

#[test]
fn each_provider_writes_its_login_and_reads_it_back() {
    is_kept(&auth0(), &auth0::Login::new(USER, "hunter2").unwrap());
    is_kept(&mosaia(), &mosaia::Login::password(USER, "hunter2").unwrap());
    is_kept(&navien::Navien::default(), &navien::Login::new(USER, "hunter2").unwrap());
    is_kept(&oauth2(), &oauth2::Login::legacy_password(USER, "hunter2").unwrap());
    is_kept(&settrade(), &settrade::Login::new("app-1", APP_SECRET).unwrap());
}

#[test]
fn each_provider_has_the_margin_that_it_documents() {
    let buffered = auth0::Auth0::builder("https://tv.example").refresh_buffer(Duration::from_secs(77)).build();
    assert_eq!(buffered.unwrap().margin(), Duration::from_secs(77));
    assert_eq!(mosaia().margin(), mosaia::MARGIN);
    assert_eq!(navien::Navien::default().margin(), navien::MARGIN);
    assert_eq!(settrade().margin(), settrade::MARGIN);
    assert_eq!(oauth2().margin(), Duration::from_secs(300));
    for margin in [mosaia::MARGIN, navien::MARGIN, settrade::MARGIN] {
        assert!(margin > Duration::ZERO);
    }
}

fn authorized<P: Provider>(provider: &P) -> String {
    let mut headers = HeaderMap::new();
    provider.authorize(&Call::new(&Method::GET, &Uri::default(), now().wall), &granted(None), &mut headers);
    let line = |name, value: &http::HeaderValue| format!("{name}: {}", value.to_str().unwrap());
    headers.iter().map(|(name, value)| line(name, value)).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_provider_puts_the_token_where_its_service_expects_it() {
    assert_eq!(authorized(&mosaia()), "authorization: Bearer ey.access");
    assert_eq!(authorized(&navien::Navien::default()), "authorization: ey.access");
    assert_eq!(authorized(&oauth2()), "authorization: Bearer ey.access");
    assert_eq!(authorized(&settrade()), "authorization: Bearer ey.access");
}

fn judged<P: Provider>(provider: &P, status: u16, challenge: &'static str) -> Judgement {
    let headers = HeaderMap::from_iter([(http::header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))]);
    let (uri, status) = (Uri::default(), StatusCode::from_u16(status).unwrap());
    provider.judge(&Call::new(&Method::GET, &uri, now().wall), status, &headers)
}

#[test]
fn each_provider_takes_a_401_for_a_refusal_and_oauth2_what_the_challenge_says() {
    for status in [200, 302, 400, 403, 404, 429, 500] {
        let all = [
            judged(&mosaia(), status, ""),
            judged(&navien::Navien::default(), status, ""),
            judged(&settrade(), status, ""),
        ];
        assert_eq!((all, judged(&oauth2(), status, "")), ([Judgement::Accepted; 3], Judgement::Accepted), "{status}");
    }
    let all = [judged(&mosaia(), 401, ""), judged(&navien::Navien::default(), 401, ""), judged(&settrade(), 401, "")];
    assert_eq!((all, judged(&oauth2(), 401, "")), ([Judgement::Rejected; 3], Judgement::Rejected));
    assert_eq!(judged(&oauth2(), 400, "Bearer error=\"invalid_token\""), Judgement::Rejected);
    assert_eq!(judged(&oauth2(), 401, "Bearer error=\"insufficient_scope\""), Judgement::Accepted);
}

#[test]
fn a_call_shows_no_query() {
    let uri = Uri::from_static("https://api.example/devices?key=hunter2");
    let shown = format!("{:?}", Call::new(&Method::GET, &uri, now().wall));
    assert_eq!(shown, "GET api.example/devices");
}

/// The address to which a method of Mosaia sends its request; `None` where it makes no exchange.
fn mosaias(method: mosaia::Method, have: Option<&Credentials>) -> Option<String> {
    let login = mosaia::Login::password(USER, "hunter2").unwrap();
    let exchange = mosaia().begin(method, Some(&login), have);
    exchange.map(|mut exchange| exchange.start(now()).http.uri().path().to_owned())
}

#[test]
fn mosaias_refresh_token_goes_back_to_the_endpoint_that_gave_it() {
    use mosaia::Method;
    let by_password = granted(Some(mosaia::SignInMethod::Password.name()));
    let by_oauth = granted(Some(mosaia::SignInMethod::OAuth.name()));
    assert_eq!(mosaias(Method::Refresh, Some(&by_password)).unwrap(), "/v1/auth/signin");
    assert_eq!(mosaias(Method::Refresh, Some(&granted(None))).unwrap(), "/v1/auth/signin");
    assert_eq!(mosaias(Method::Refresh, Some(&by_oauth)), None);
    assert_eq!(mosaias(Method::OAuthRefresh, Some(&by_oauth)).unwrap(), "/v1/auth/token");
    let by_the_standard = granted(Some(perennial_core::oauth2::GrantType::AuthorizationCode.as_str()));
    assert_eq!(mosaias(Method::OAuthRefresh, Some(&by_the_standard)).unwrap(), "/v1/auth/token");
    assert_eq!(mosaias(Method::OAuthRefresh, Some(&by_password)), None);
    assert_eq!(mosaias(Method::OAuthRefresh, None), None);
    assert_eq!(mosaias(Method::SignIn, None).unwrap(), "/v1/auth/signin");
}

#[test]
fn mosaia_revokes_at_a_sign_out_and_services_without_an_endpoint_do_not() {
    let have = granted(None);
    let request = mosaia().sign_out(&have).unwrap().start(now());
    assert_eq!(request.http.headers()[http::header::AUTHORIZATION], "Bearer ey.access");
    assert!(navien::Navien::default().sign_out(&have).is_none());
    assert!(auth0().sign_out(&have).is_none());
    assert!(settrade().sign_out(&have).is_none());
    assert!(oauth2().sign_out(&have).is_none());
}

#[test]
fn credentials_show_the_time_to_each_of_their_deadlines() {
    let have = granted(None);
    let later = Now::new(now().wall.saturating_add(Duration::from_secs(3000)), Duration::from_secs(3005));
    assert_eq!(have.time_until_expiry(later), Some(time::Duration::seconds(600)));
    assert_eq!(have.aws_time_until_expiry(later), Some(time::Duration::seconds(600)));
    let grant = Grant { access: Some(have.access().clone()), ..Grant::default() };
    assert_eq!(Credentials::from_grant(grant, None).unwrap().aws_time_until_expiry(later), None);
}
