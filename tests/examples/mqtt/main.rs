//! Keeps an MQTT connection alive while the credentials that it was opened with are renewed: fifteen seconds with an
//! emulated Navien service, and a real broker (`mosquitto`, which has to be installed) behind it.
//!
//! ```sh
//! cargo run -p perennial-tests --example mqtt
//! ```
//!
//! `keeper` and `tickets` are what a program of your own would take; they are tested by `tests/tests/mqtt.rs`.

mod keeper;
mod publisher;
#[allow(dead_code, reason = "Settrade's are tested only")]
mod tickets;

use std::collections::HashSet;
use std::error::Error;
use std::io::{Write, stdout};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keeper::{Road, StoreDriver, Told};
use perennial_adapter::SystemClock;
use perennial_core::providers::navien::{Login, Navien};
use perennial_core::{Event, LeaseId};
use perennial_emulator::{Emulator, Mosquitto, NavienSettings};
use perennial_hyper::{Connector, SessionBuilder};
use publisher::Publisher;
use tickets::NavienTickets;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

const TOPIC: &str = "cmd/52/navilink-aabbccddeeff/st";
const LIFETIME: Duration = Duration::from_secs(4);
const STORY: Duration = Duration::from_secs(14);
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mqtt: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    // Whoever reads may have gone; that is no reason to stop.
    let say = move |text: &str| drop(writeln!(stdout(), "{:6.2} s  {text}", start.elapsed().as_secs_f64()));

    let broker = Mosquitto::start()?;
    let settings = NavienSettings { aws_lifetime: Some(LIFETIME), ..NavienSettings::default() };
    let service = Emulator::builder().navien(settings).mqtt_broker(broker.address()).start()?;
    service.mqtt().end_with_credentials(true);
    say(&format!("mosquitto runs at {}, an emulated Navien service before it", broker.address()));
    say(&format!("its AWS credentials live {LIFETIME:?}; a connection is cut when those end that opened it"));

    let provider = Navien::new(&service.navien_url())?;
    let login = Login::new(NavienSettings::EMAIL, NavienSettings::PASSWORD)?;
    let setup = SessionBuilder::new(provider.clone()).login(login).on_event(move |event| {
        if let Event::Renewed { lease_id: LeaseId::Aws, generation, .. } = event {
            say(&format!("    AWS credentials, issue {}", generation.get()));
        }
    });
    let session = Connector::new().connect(setup).await?;

    let (told, mut tells) = unbounded_channel();
    let keeper = StoreDriver {
        tickets: NavienTickets::new(provider, session.clone(), Arc::new(SystemClock)),
        road: Road { detour: Some(service.url().replacen("http", "ws", 1)), ..Road::trusting(&[])? },
        name: "perennial".to_owned(),
        filter: TOPIC.to_owned(),
        pause: Duration::from_secs(1),
        told,
    };
    let keeper = tokio::spawn(keeper.run());

    let mut count = Count::default();
    timeout(PATIENCE, async { while count.connections == 0 && count.next(&mut tells, &say).await {} }).await?;
    let publisher = Publisher::start(broker.address(), TOPIC, Some(Duration::from_millis(5)));
    let _ = timeout(STORY, async { while count.next(&mut tells, &say).await {} }).await;
    let sent = publisher.finish().await?;
    let all = async { while (count.messages.len() as u64) < sent && count.next(&mut tells, &say).await {} };
    let arrived = timeout(PATIENCE, all).await;

    say(&format!(
        "{sent} messages sent with QoS 1 over {} connections, {} arrived, {} of them twice",
        count.connections,
        count.messages.len(),
        count.again
    ));
    session.close().await;
    let _ = keeper.await;
    arrived.map_err(|_| "messages are missing")?;
    if service.mqtt().cut() > 0 { Err("a connection was cut".into()) } else { Ok(()) }
}

/// What has happened.
#[derive(Default)]
struct Count {
    connections: usize,
    messages: HashSet<Vec<u8>>,
    again: usize,
}

impl Count {
    /// Waits for the next thing that the keeper tells; false if it has gone.
    async fn next(&mut self, tells: &mut UnboundedReceiver<Told>, say: &impl Fn(&str)) -> bool {
        match tells.recv().await {
            None => return false,
            Some(Told::Message { payload }) => self.again += usize::from(!self.messages.insert(payload)),
            Some(Told::Connected { client_id }) => {
                self.connections += 1;
                let so_far = self.messages.len();
                say(&match self.connections {
                    1 => format!("connected and subscribed as {client_id}"),
                    _ => format!("moved over to {client_id}; {so_far} messages so far"),
                });
            }
            Some(Told::Lost(error)) => say(&format!("the connection was lost: {error}")),
            Some(Told::Failed(failure)) => say(&failure.to_string()),
        }
        true
    }
}
