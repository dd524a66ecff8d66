//! Sixteen processes at a server that ends the whole family when a refresh token is shown to it twice.

use std::time::Instant;

use perennial_adapter::{Clock, SessionBuilder, SystemClock};
use perennial_core::oauth2::{AuthorizationRequest, Profile};
use perennial_core::providers::oauth2::OAuth2;
use perennial_core::{Event, Grant};
use perennial_tests::tenant::{Order, Service};
use perennial_tests::{Heard, LONG};
use serde_json::Value;

use crate::adapters::{Adapter, Blocking};
use crate::browser::Browser;
use crate::house::House;
use crate::places::Place;
use crate::server::Server;
use crate::{PROCESSES, set_by_environment};

/// Where nobody listens: the browser of these tests stops before it.
const REDIRECT_URI: &str = "http://127.0.0.1:1/done";

/// A session makes one attempt a second: more sessions, more rotations.
const CELLS: usize = 4;

#[test]
fn sixteen_processes_on_files_rotate_without_one_reuse() {
    rotate(Place::files());
}

#[test]
fn sixteen_processes_on_redis_rotate_without_one_reuse() {
    rotate(Place::redis());
}

fn rotate(place: Option<Place>) {
    let (Some(server), Some(place)) = (Server::start(), place) else { return };
    let rotations: u64 = set_by_environment("PERENNIAL_ROTATIONS", 150);
    let profile = server.profile::<Blocking>();
    for cell in 0..CELLS {
        move_in(&profile, &place, cell);
    }
    let mut house = House::full(place, CELLS, Service::OAuth2(server.issuer().to_owned()));
    let begun = Instant::now();
    house.tell_all(Order::Renew);
    house.hear_until(|tally| tally.issued_in_all() >= rotations);
    let tokens = house.come_to_rest();

    let stats = stats(&server);
    let lost = tokens.iter().filter(|token| !server.is_active(token)).count();
    println!(
        "{}: {PROCESSES} processes, {CELLS} cells: {} rotations at the server, {} adoptions, {} reuses, {lost} lost \
         sessions, {:.1} s",
        house.place.name(),
        stats["refreshes"],
        house.tally.taken_up,
        stats["reuses"],
        begun.elapsed().as_secs_f32()
    );
    assert_eq!(stats["refreshes"], house.tally.issued_in_all(), "somebody's rotation went to nobody");
    assert_eq!((&stats["reuses"], &stats["revoked"], &stats["refused"]), (&0.into(), &0.into(), &0.into()));
    assert_eq!(lost, 0);
    assert_eq!(house.tally.torn, 0);
    assert!(house.tally.troubles.is_empty(), "{}", house.complaints());
    assert!(house.tally.taken_up > 0, "nobody took up what another had renewed");
    assert_eq!(house.crew.end().unwrap(), 0, "a process did not end well");
}

/// Signs in and saves it, for all who come later.
fn move_in(profile: &Profile, place: &Place, cell: usize) {
    let heard = Heard::default();
    let setup = SessionBuilder::new(OAuth2::new(profile.clone())).store(place.cell(cell)).on_event(heard.listener());
    let session = Blocking::build(setup);
    Blocking::accept(&session, sign_in(profile));
    let saved = |events: &[Event]| events.iter().any(|event| matches!(event, Event::Saved));
    assert!(heard.wait_until(LONG, saved), "the first grant is not saved");
}

fn sign_in(profile: &Profile) -> Grant {
    let now = SystemClock.now();
    let wanted =
        AuthorizationRequest::new(REDIRECT_URI).scopes(["openid", "offline_access"]).parameter("prompt", "consent");
    let entropy: [u8; 64] = std::array::from_fn(|n| u8::try_from(n).unwrap());
    let authorization = profile.authorize(entropy, &wanted, now).unwrap();
    let redirect = Browser::default().visit(authorization.url(), REDIRECT_URI);
    Blocking::run(authorization.into_pending().exchange_code(&redirect, now).unwrap()).unwrap()
}

fn stats(server: &Server) -> Value {
    serde_json::from_str(&Browser::default().get(&format!("{}/stats", server.issuer())).body).unwrap()
}
