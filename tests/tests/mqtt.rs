//! MQTT, which the credentials are for: kept alive across renewals, with a real broker behind the emulator.
//!
//! What keeps it alive is the example's (`examples/mqtt`). Needs `mosquitto`; where it is missing the tests say so and
//! pass, unless `PERENNIAL_REQUIRE_CLIENTS=1` asks for a failure.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[allow(dead_code, reason = "the example shows what the tests only count")]
#[path = "../examples/mqtt/keeper.rs"]
mod keeper;
#[path = "../examples/mqtt/publisher.rs"]
mod publisher;
#[path = "../examples/mqtt/tickets.rs"]
mod tickets;

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use keeper::{Connection, Failure, Road, StoreDriver, Tickets, Told, options};
use perennial_adapter::{Clock, ManualClock};
use perennial_core::mqtt::ConnectOptions;
use perennial_core::providers::{navien, settrade};
use perennial_core::{Error, Generation, LeaseId, Provider};
use perennial_emulator::{
    Builder, Emulator, Endpoint, Fault, Mosquitto, MqttRefusal, NavienSettings, SettradeSettings,
};
use perennial_hyper::{Connector, HttpTransport, SessionBuilder};
use perennial_tests::{Blocking, Heard, LONG, Link, Subject, TIMEOUT, clock_of};
use publisher::Publisher;
use tickets::{NavienTickets, SettradeTickets};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

const TOPIC: &str = "cmd/52/navilink-aabbccddeeff/st";

const RENEWALS: usize = 20;

/// Within the margin of both services' hour, on the earlier side of its end.
const NEAR_THE_END: Duration = Duration::from_secs(3400);

// -- Across renewals.

#[test]
fn every_message_arrives_across_twenty_renewals() {
    let Some(world) = World::start(Emulator::builder()) else { return };
    world.run(async |world| every_message_arrives(world, world.navien().await, RENEWALS).await);
    assert_eq!(world.emulator.requests_to(Endpoint::SessionRefresh).len(), RENEWALS);
}

#[test]
fn every_message_arrives_over_tls() {
    let Some(world) = World::start(Emulator::builder().https()) else { return };
    world.run(async |world| every_message_arrives(world, world.navien().await, 3).await);
}

#[test]
fn every_message_arrives_where_a_thread_keeps_the_session() {
    let Some(world) = World::start(Emulator::builder()) else { return };
    let tickets = world.threaded();
    world.run(async |world| every_message_arrives(world, tickets, RENEWALS).await);
}

#[test]
fn every_message_arrives_with_fetched_tickets() {
    let Some(world) = World::start(Emulator::builder()) else { return };
    world.run(async |world| every_message_arrives(world, world.settrade().await, RENEWALS).await);
    let settrade = world.emulator.settrade();
    assert_eq!((settrade.dispatcher_tokens(), settrade.admitted(), settrade.logins()), (RENEWALS + 1, RENEWALS + 1, 1));
}

#[test]
fn every_message_arrives_with_fetched_tickets_over_tls() {
    let Some(world) = World::start(Emulator::builder().https()) else { return };
    world.run(async |world| every_message_arrives(world, world.settrade().await, 3).await);
}

/// With one who sends all the time, and as fast as the broker takes it.
async fn every_message_arrives(world: &World, tickets: impl Tickets + 'static, renewals: usize) {
    let mut subscriber = world.subscribe(tickets);
    subscriber.connected("subscriber-0").await;
    let publisher = Publisher::start(world.broker.address(), TOPIC, None);
    for renewal in 1..=renewals {
        subscriber.some_more().await;
        world.pass(NEAR_THE_END);
        subscriber.connected(&format!("subscriber-{}", renewal % 2)).await;
        assert!(world.emulator.mqtt().wait_for_ended(renewal, LONG), "the old connection is ended");
    }
    subscriber.some_more().await;
    let sent = publisher.finish().await.unwrap();
    subscriber.up_to(sent).await;

    let mqtt = world.emulator.mqtt();
    assert_eq!((mqtt.opened(), mqtt.cut(), mqtt.refusals()), (renewals + 1, 0, vec![]));
}

// -- Across accidents.

#[test]
fn a_connection_that_is_cut_is_opened_again() {
    let Some(world) = World::start(Emulator::builder()) else { return };
    world.run(async |world| {
        let mut subscriber = world.subscribe(world.navien().await);
        subscriber.connected("subscriber-0").await;
        world.emulator.mqtt().cut_all();
        assert!(matches!(subscriber.next().await, Told::Lost(_)));
        subscriber.connected("subscriber-1").await;
        let publisher = Publisher::start(world.broker.address(), TOPIC, None);
        subscriber.some_more().await;
        subscriber.up_to(publisher.finish().await.unwrap()).await;
    });
}

#[test]
fn a_move_that_fails_leaves_the_old_connection() {
    let Some(world) = World::start(Emulator::builder()) else { return };
    world.run(async |world| {
        let mut subscriber = world.subscribe(world.navien().await);
        subscriber.connected("subscriber-0").await;
        let publisher = Publisher::start(world.broker.address(), TOPIC, None);
        world.emulator.fault(Endpoint::Mqtt, Fault::status(503));
        world.pass(NEAR_THE_END);
        while !matches!(subscriber.next().await, Told::Failed(Failure::Connection(_))) {}
        // Not only at the next renewal, which would come too late.
        subscriber.connected("subscriber-1").await;
        subscriber.up_to(publisher.finish().await.unwrap()).await;
        assert_eq!((world.emulator.mqtt().opened(), world.emulator.mqtt().cut()), (2, 0));
    });
}

#[test]
fn a_connection_ends_with_its_credentials() {
    let Some(world) = World::start(Emulator::builder()) else { return };
    world.run(async |world| {
        ends_with_its_credentials(world, world.navien().await).await;
        ends_with_its_credentials(world, world.settrade().await).await;
        assert_eq!(world.emulator.mqtt().cut(), 2);
    });
}

async fn ends_with_its_credentials(world: &World, mut tickets: impl Tickets) {
    let (told, _tells) = unbounded_channel();
    let options = options(tickets.ticket().await.unwrap(), "lonely", &world.road());
    let mut connection = Connection::open(options, TOPIC, told).await.unwrap();
    world.pass(Duration::from_secs(3601));
    timeout(LONG, connection.lost()).await.unwrap();
}

// -- At the door.

#[test]
fn an_address_opens_for_whom_it_was_signed_only() {
    let Some(world) = World::start(Emulator::builder()) else { return };
    let urls: Vec<_> = world.run(async |world| {
        let mut tickets = world.navien().await;
        let mut urls = Vec::new();
        for _ in 0..2 {
            // Another session: another key.
            tickets = if urls.is_empty() { tickets } else { world.navien().await };
            urls.push(tickets.ticket().await.unwrap().url.expose().to_owned());
        }
        urls
    });
    let parts = |url: &str| {
        let (host, target) = url.strip_prefix("wss://").unwrap().split_once('/').unwrap();
        (host.to_owned(), format!("/{target}"))
    };
    let ((host, target), (_, other)) = (parts(&urls[0]), parts(&urls[1]));
    let token = |target: &str| target.split_once("&X-Amz-Security-Token=").unwrap().1.to_owned();
    let mangled = |from: &str, to: &str| {
        assert!(target.contains(from), "{from}");
        target.replacen(from, to, 1)
    };
    let signature = target.split_once("&X-Amz-Signature=").unwrap().1[..64].to_owned();

    assert_eq!(world.knock(&target, &host, OPENING), 101);
    assert_eq!(world.knock(&target, &host, OPENING), 101, "an address opens as often as one likes");
    for (target, host, headers, refusal) in [
        (&target, "another.example", OPENING, MqttRefusal::Signature),
        (&mangled("us-east-1", "eu-west-1"), &host, OPENING, MqttRefusal::Query),
        (&mangled("X-Amz-Expires=300", "X-Amz-Expires=301"), &host, OPENING, MqttRefusal::Signature),
        (&mangled(&signature, &"0".repeat(64)), &host, OPENING, MqttRefusal::Signature),
        (&mangled(&token(&target), &token(&other)), &host, OPENING, MqttRefusal::SessionToken),
        (&mangled(&format!("&X-Amz-Security-Token={}", token(&target)), ""), &host, OPENING, MqttRefusal::SessionToken),
        (&mangled("Credential=ASIA", "Credential=AKIA"), &host, OPENING, MqttRefusal::AccessKey),
        (&format!("{target}&X-Amz-Date=20150830T123600Z"), &host, OPENING, MqttRefusal::Query),
        (&"/mqtt".to_owned(), &host, OPENING, MqttRefusal::Query),
        (&target, &host, "", MqttRefusal::NotAWebSocket),
        (&target, &host, &OPENING.replace(": mqtt", ": soap"), MqttRefusal::Subprotocol),
    ] {
        assert!(world.knock(target, host, headers) >= 400);
        assert_eq!(world.emulator.mqtt().refusals().last(), Some(&refusal));
    }
    let knock = |time: i64| {
        world.emulator.skew(time);
        world.knock(&target, &host, OPENING);
        world.emulator.mqtt().refusals().last().copied()
    };
    assert_eq!(knock(-400), Some(MqttRefusal::TooEarly));
    assert_eq!(knock(400), Some(MqttRefusal::TooLate));
    world.emulator.skew(0);
    world.emulator.navien().revoke_session(NavienSettings::EMAIL);
    assert_eq!(knock(0), Some(MqttRefusal::Ended));
}

#[test]
fn a_ticket_opens_one_connection() {
    let Some(world) = World::start(Emulator::builder()) else { return };
    let parts = world.run(async |world| world.settrade().await.ticket().await.unwrap());
    let authorization = parts.headers["authorization"].to_str().unwrap();
    let target = "/api/dispatcher/v3/098/mqtt";
    assert!(parts.url.expose().ends_with(target));
    let knock = |token: &str| world.knock(target, "127.0.0.1", &format!("Authorization: {token}\r\n{OPENING}"));
    assert_eq!(knock(authorization), 101);
    assert_eq!(knock(authorization), 401);
    assert_eq!(knock("Bearer made-up"), 401);
    assert_eq!(world.emulator.mqtt().refusals(), [MqttRefusal::Ticket, MqttRefusal::Ticket]);
}

#[test]
fn options_show_no_address() {
    let ticket = ConnectOptions::new("wss://a.example/mqtt?signature=hunter2").unwrap();
    let shown = format!("{:?}", options(ticket, "me", &Road::trusting(&[]).unwrap()));
    assert!(shown.contains("a.example") && !shown.contains("hunter2"), "{shown}");
}

// -- Services, a broker and a clock.

const OPENING: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n";

struct World {
    runtime: Runtime,
    emulator: Emulator,
    broker: Mosquitto,
    clock: ManualClock,
    heard: Heard,
}

impl World {
    /// None where there is no broker to be had.
    fn start(builder: Builder) -> Option<Self> {
        let broker = Mosquitto::for_test()?;
        let emulator = builder.mqtt_broker(broker.address()).still().start().unwrap();
        // Whoever stays on a connection too long is to be seen.
        emulator.mqtt().end_with_credentials(true);
        let host = emulator.url().split_once("://").unwrap().1.to_owned();
        emulator.settrade().configure(|settings| settings.hosts = vec![host]);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        Some(Self { runtime, clock: clock_of(&emulator), emulator, broker, heard: Heard::default() })
    }

    fn run<T>(&self, command: impl AsyncFnOnce(&Self) -> T) -> T {
        self.runtime.block_on(command(self))
    }

    fn pass(&self, time: Duration) {
        // The service first: whoever wakes up finds it as late as it is.
        self.emulator.advance(time);
        self.clock.advance(time);
    }

    fn setup<P: Provider>(&self, provider: P, login: P::Login) -> SessionBuilder<P> {
        let setup = SessionBuilder::new(provider).login(login).request_timeout(TIMEOUT).seed(1);
        setup.clock(self.clock.clone()).on_event(self.heard.listener())
    }

    fn client(&self) -> Connector {
        let mut transport = HttpTransport::builder();
        if !self.emulator.root_certificate().is_empty() {
            transport = transport.root_certificate_der(self.emulator.root_certificate().to_vec());
        }
        Connector::over(transport.build().unwrap())
    }

    async fn navien(&self) -> NavienTickets {
        let provider = navien::Navien::new(&self.emulator.navien_url()).unwrap();
        let session = self.client().connect(self.setup(provider.clone(), perennial_tests::login())).await.unwrap();
        NavienTickets::new(provider, session, Arc::new(self.clock.clone()))
    }

    async fn settrade(&self) -> SettradeTickets {
        let provider = settrade::Settrade::new("SANDBOX", SettradeSettings::APP_CODE).unwrap();
        let provider = provider.with_base_url(&self.emulator.settrade_url()).unwrap();
        let login = settrade::Login::new(SettradeSettings::APP_ID, SettradeSettings::APP_SECRET).unwrap();
        let session = self.client().connect(self.setup(provider.clone(), login)).await.unwrap();
        SettradeTickets::new(provider, session, self.client())
    }

    fn threaded(&self) -> ThreadTickets {
        let provider = navien::Navien::new(&self.emulator.navien_url()).unwrap();
        let link = Link { root: self.emulator.root_certificate().to_vec(), before: Arc::new(|_| ()) };
        let session = Blocking::connect(link, self.setup(provider.clone(), perennial_tests::login())).unwrap();
        ThreadTickets::new(provider, session, self.clock.clone())
    }

    fn road(&self) -> Road {
        let root = self.emulator.root_certificate();
        let roots: &[&[u8]] = if root.is_empty() { &[] } else { &[root] };
        Road { detour: Some(self.emulator.url().replacen("http", "ws", 1)), ..Road::trusting(roots).unwrap() }
    }

    fn subscribe(&self, tickets: impl Tickets + 'static) -> Subscriber {
        let (told, tells) = unbounded_channel();
        let (name, filter, pause) = ("subscriber".to_owned(), TOPIC.to_owned(), Duration::from_millis(1));
        tokio::spawn(StoreDriver { tickets, road: self.road(), name, filter, pause, told }.run());
        Subscriber { tells, messages: HashSet::new() }
    }

    /// The status of the answer to an opening request.
    fn knock(&self, target: &str, host: &str, headers: &str) -> u16 {
        let address = self.emulator.http_url();
        let mut socket = TcpStream::connect(address.strip_prefix("http://").unwrap()).unwrap();
        write!(socket, "GET {target} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n").unwrap();
        let mut head = [0; 12];
        socket.read_exact(&mut head).unwrap();
        std::str::from_utf8(&head).unwrap().split(' ').nth(1).unwrap().parse().unwrap()
    }
}

/// What a keeper tells, and the messages among it.
struct Subscriber {
    tells: UnboundedReceiver<Told>,
    messages: HashSet<u64>,
}

impl Subscriber {
    async fn next(&mut self) -> Told {
        let told = timeout(LONG, self.tells.recv()).await.expect("something happens").unwrap();
        if let Told::Message { payload } = &told {
            self.messages.insert(std::str::from_utf8(payload).unwrap().parse().unwrap());
        }
        told
    }

    async fn connected(&mut self, as_whom: &str) {
        loop {
            match self.next().await {
                Told::Message { .. } => {}
                Told::Connected { client_id } => return assert_eq!(client_id, as_whom),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Waits for some new messages.
    async fn some_more(&mut self) {
        let enough = self.messages.len() + 10;
        while self.messages.len() < enough {
            self.next().await;
        }
    }

    /// Waits until these many messages have come.
    async fn up_to(&mut self, sent: u64) {
        while (self.messages.len() as u64) < sent {
            let Told::Message { .. } = self.next().await else { panic!("the connection is not lost") };
        }
        assert!((0..sent).all(|number| self.messages.contains(&number)));
    }
}

/// Tickets of a session in a program of threads.
struct ThreadTickets {
    provider: navien::Navien,
    session: Blocking,
    clock: ManualClock,
    issues: UnboundedReceiver<Result<Generation, Error>>,
    shown: Option<Generation>,
}

impl ThreadTickets {
    fn new(provider: navien::Navien, session: Blocking, clock: ManualClock) -> Self {
        let (tell, issues): (UnboundedSender<_>, _) = unbounded_channel();
        let mut changes = session.changes(LeaseId::Aws);
        std::thread::spawn(
            move || while tell.send(changes.next().map(|held| held.generation(LeaseId::Aws))).is_ok() {},
        );
        Self { provider, session, clock, issues, shown: None }
    }
}

impl Tickets for ThreadTickets {
    async fn ticket(&mut self) -> Result<ConnectOptions, Error> {
        let session = self.session.clone();
        let credentials = tokio::task::spawn_blocking(move || session.credentials(LeaseId::Aws)).await.unwrap()?;
        self.shown = Some(credentials.generation(LeaseId::Aws));
        Ok(self.provider.connect_options(&credentials, self.clock.wall()).unwrap())
    }

    async fn renewed(&mut self) -> Result<(), Error> {
        let closed = || Err(perennial_core::SessionError::Closed.into());
        while Some(self.issues.recv().await.unwrap_or_else(closed)?) == self.shown {}
        Ok(())
    }
}
