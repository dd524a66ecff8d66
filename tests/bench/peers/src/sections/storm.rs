//! Everybody asks at the moment at which nothing valid is held any more.

use std::time::Duration;

use tokio::time::sleep;

use super::crowd::crowd;
use crate::World;
use crate::endpoint::LONG;
use crate::peer::Peer;
use crate::peers::each_peer;

/// How many threads a crowd of blocking callers has.
pub(crate) const THREADS: usize = 500;
/// How long the token lives that the crowd finds expired.
const SHORT: Duration = Duration::from_secs(1);
/// Until it has surely run out.
const PAST_IT: Duration = Duration::from_millis(1_500);

pub(crate) fn print(world: &World) {
    println!("## Storm: 10,000 callers find the token expired\n");
    println!("| | callers | token requests | ms until all are told | given an error |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    each_peer!(row(world));
    println!();
    println!(
        "The token lived for a second and nobody asked until it had run out. google renews 10 s after such a token came,\n\
        whoever waits. With yup everybody sends a request who asks before the first answer is there: how many that are\n\
        hangs on the machine. A crowd of perennial-blocking is {THREADS} threads."
    );
}

fn row<P: Peer>(world: &World) {
    world.runtime.block_on(async {
        let endpoint = &world.endpoint;
        let peer: P = expired(world).await;
        let told = crowd(&peer, P::CROWD).await;
        let (requests, denied) = (endpoint.requests(), told.denied);
        println!("| {} | {} | {requests} | {} | {denied} |", P::NAME, P::CROWD, told.time(P::CROWD));
    });
}

/// Somebody whose token has run out while nobody asked. Whatever is granted from now on lives long; requests are
/// counted from here.
pub(crate) async fn expired<P: Peer>(world: &World) -> P {
    let endpoint = &world.endpoint;
    endpoint.grant_for(SHORT);
    let peer = P::sign_in_to_expire(endpoint).await;
    endpoint.grant_for(LONG);
    sleep(PAST_IT).await;
    endpoint.count_anew();
    peer
}
