//! Nothing valid is held, and the endpoint gives no token.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::crowd::crowd;
use super::storm::expired;
use super::{LIMIT, millis};
use crate::World;
use crate::endpoint::{Mood, with_mood};
use crate::peer::Peer;
use crate::peers::each_peer;

const CALLERS: usize = 100;
/// How long we look whether it works again: longer than the longest pause that any of them makes.
const RECOVERY: Duration = Duration::from_secs(12);
/// How often.
const LOOK: Duration = Duration::from_millis(50);

pub(crate) fn print(world: &World) {
    println!("## The renewal fails: 100 callers, nothing valid held\n");
    println!(
        "| | 503: requests | ms until all are told | works again after, ms | `invalid_grant`: requests | ms until all are told | works again after, ms |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    each_peer!(row(world));
    println!();
    println!(
        "Works again: from the moment at which the endpoint grants again, with a caller who asks every {} ms, for {} s at\n\
        most. A refused login is not tried again by Perennial, since accounts get locked that way: it takes a new login\n\
        (`sign_in`), on the same handle.",
        LOOK.as_millis(),
        RECOVERY.as_secs()
    );
}

fn row<P: Peer>(world: &World) {
    let down = world.runtime.block_on(cells::<P>(world, Mood::Ails));
    let refused = world.runtime.block_on(cells::<P>(world, Mood::Refuses));
    println!("| {} | {down} | {refused} |", P::NAME);
}

async fn cells<P: Peer>(world: &World, mood: Mood) -> String {
    let endpoint = &world.endpoint;
    let peer: P = expired(world).await;
    let told = with_mood(endpoint, mood, crowd(&peer, CALLERS)).await;
    let mut requests = endpoint.requests().to_string();
    if endpoint.device_logins() > 0 {
        requests += &format!(" and {} device logins", endpoint.device_logins());
    }
    if told.served > 0 {
        requests += &format!(" ({} callers served)", told.served);
    }
    format!("{requests} | {} | {}", told.time(CALLERS), recovery(&peer).await)
}

async fn recovery<P: Peer>(peer: &P) -> String {
    let healed = Instant::now();
    while healed.elapsed() < RECOVERY {
        match timeout(RECOVERY, peer.ask()).await {
            Ok(Ok(_)) => return millis(healed.elapsed()),
            _ => sleep(LOOK).await,
        }
    }
    let start = Instant::now();
    match timeout(LIMIT, peer.sign_in_again()).await {
        Ok(Some(true)) => format!("{} after `sign_in`", millis(start.elapsed())),
        Ok(Some(false)) | Err(_) => "never, nor after `sign_in`".into(),
        Ok(None) => "never".into(),
    }
}
