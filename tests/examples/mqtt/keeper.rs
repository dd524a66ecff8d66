//! Keeps an MQTT subscription alive across renewals. The new connection is open and subscribed before the old one
//! ends, so that no message falls between them; some come twice.

use std::fmt;
use std::future::{pending, ready};
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::header::HOST;
use perennial_core::Error;
use perennial_core::mqtt::ConnectOptions;
use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, Packet, QoS, SubscribeReasonCode, TlsConfiguration,
    Transport,
};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// How long a connection may take to open, and how long to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where tickets come from: a session.
pub(crate) trait Tickets: Send {
    /// A ticket for one connection, made of credentials that are valid now.
    fn ticket(&mut self) -> impl Future<Output = Result<ConnectOptions, Error>> + Send;

    /// Waits until the credentials are renewed; an error where they will be no more. Giving up waiting loses nothing.
    fn renewed(&mut self) -> impl Future<Output = Result<(), Error>> + Send;
}

/// How to get to the broker.
#[derive(Clone)]
pub(crate) struct Road {
    /// Whom to trust.
    pub(crate) tls: Arc<ClientConfig>,
    /// A scheme and an authority to connect to instead of the ticket's: an emulator. The `Host` header stays, since
    /// signatures cover it.
    pub(crate) detour: Option<String>,
}

impl Road {
    /// Straight to the ticket's host, trusting the certificate authorities with these root certificates (DER).
    pub(crate) fn trusting(roots: &[&[u8]]) -> Result<Self, rustls::Error> {
        let mut store = RootCertStore::empty();
        for root in roots {
            store.add(CertificateDer::from(root.to_vec()))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(Self { tls: Arc::new(config.with_root_certificates(store).with_no_client_auth()), detour: None })
    }
}

/// What is kept alive.
pub(crate) struct StoreDriver<T> {
    pub(crate) tickets: T,
    pub(crate) road: Road,
    /// What client ids begin with. There are two, taken in turn: a broker ends the older of two connections under
    /// the same id.
    pub(crate) name: String,
    /// The topics to subscribe to.
    pub(crate) filter: String,
    /// How long to wait before the next try, where a connection cannot be opened.
    pub(crate) pause: Duration,
    pub(crate) told: UnboundedSender<Told>,
}

/// What a keeper tells.
#[derive(Debug)]
pub(crate) enum Told {
    /// A connection is open and subscribed, and the one before has ended.
    Connected { client_id: String },
    /// A message came.
    Message { payload: Vec<u8> },
    /// The connection ended by itself.
    Lost(ConnectionError),
    /// A connection could not be opened; it is tried again.
    Failed(Failure),
}

/// Why a connection could not be opened.
#[derive(Debug)]
pub(crate) enum Failure {
    Ticket(Error),
    Connection(ConnectionError),
    Refused,
    TimedOut,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ticket(error) => write!(f, "no ticket: {error}"),
            Self::Connection(error) => write!(f, "no connection: {error}"),
            Self::Refused => f.write_str("the broker refuses the subscription"),
            Self::TimedOut => f.write_str("the broker does not answer"),
        }
    }
}

impl<T: Tickets> StoreDriver<T> {
    /// Until the session is closed, or nobody listens any more.
    pub(crate) async fn run(mut self) -> Result<(), Error> {
        let mut turn = 0;
        let mut current: Option<Connection> = None;
        loop {
            let client_id = format!("{}-{}", self.name, turn % 2);
            let opened = self.open(&client_id).await;
            let failed = opened.is_err();
            let told = match opened {
                Ok(next) => {
                    turn += 1;
                    if let Some(old) = current.replace(next) {
                        old.end().await;
                    }
                    Told::Connected { client_id }
                }
                // The old connection, if there is one, serves on.
                Err(failure) => Told::Failed(failure),
            };
            if self.told.send(told).is_err() {
                return Ok(());
            }
            tokio::select! {
                renewed = self.tickets.renewed() => renewed?,
                error = lost(&mut current) => {
                    current = None;
                    let _ = self.told.send(Told::Lost(error));
                }
                () = sleep(self.pause), if failed => {}
            }
        }
    }

    /// A ticket is good for one connection: each try takes a new one.
    async fn open(&mut self, client_id: &str) -> Result<Connection, Failure> {
        let ticket = self.tickets.ticket().await.map_err(Failure::Ticket)?;
        let options = options(ticket, client_id, &self.road);
        let opening = Connection::open(options, &self.filter, self.told.clone());
        timeout(PATIENCE, opening).await.map_err(|_| Failure::TimedOut)?
    }
}

/// Waits until the connection ends by itself; where there is none, for ever.
async fn lost(connection: &mut Option<Connection>) -> ConnectionError {
    match connection {
        Some(connection) => connection.lost().await,
        None => pending().await,
    }
}

/// One connection, which lives in a task of its own.
pub(crate) struct Connection {
    client: AsyncClient,
    filter: String,
    life: JoinHandle<Result<(), ConnectionError>>,
}

impl Connection {
    /// Connects and subscribes: open is what receives.
    pub(crate) async fn open(options: MqttOptions, filter: &str, told: UnboundedSender<Told>) -> Result<Self, Failure> {
        let (client, mut events) = AsyncClient::new(options, 4);
        // Acknowledgements are small, and somebody waits for each.
        events.network_options.set_tcp_nodelay(true);
        let _ = client.subscribe(filter, QoS::AtLeastOnce).await;
        loop {
            match events.poll().await.map_err(Failure::Connection)? {
                Event::Incoming(Packet::Publish(message)) => tell(&told, message.payload.to_vec()),
                Event::Incoming(Packet::SubAck(answer)) => {
                    if answer.return_codes.contains(&SubscribeReasonCode::Failure) {
                        return Err(Failure::Refused);
                    }
                    break;
                }
                _ => {}
            }
        }
        let life = tokio::spawn(live(events, client.clone(), filter.to_owned(), told));
        Ok(Self { client, filter: filter.to_owned(), life })
    }

    /// Waits until it ends by itself.
    pub(crate) async fn lost(&mut self) -> ConnectionError {
        match (&mut self.life).await {
            Ok(Err(error)) => error,
            _ => ConnectionError::RequestsDone,
        }
    }

    /// Ends it in good order: what the broker has for it comes first.
    async fn end(mut self) {
        let _ = self.client.unsubscribe(&self.filter).await;
        let _ = timeout(PATIENCE, &mut self.life).await;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.life.abort();
    }
}

/// Until the connection is lost, or unsubscribed from outside and empty.
async fn live(
    mut events: EventLoop,
    client: AsyncClient,
    filter: String,
    told: UnboundedSender<Told>,
) -> Result<(), ConnectionError> {
    let mut silent = false;
    loop {
        // After an error another poll would connect again, with the same ticket: this one ends.
        match events.poll().await? {
            Event::Incoming(Packet::Publish(message)) => {
                silent = false;
                tell(&told, message.payload.to_vec());
            }
            // What was queued behind unacknowledged messages may follow the answer. Once there and back again without
            // a message, everything was acknowledged and nothing is left.
            Event::Incoming(Packet::UnsubAck(_)) => {
                let _ = if silent { client.try_disconnect() } else { client.try_unsubscribe(&filter) };
                silent = true;
            }
            Event::Outgoing(rumqttc::Outgoing::Disconnect) => return Ok(()),
            _ => {}
        }
    }
}

fn tell(told: &UnboundedSender<Told>, payload: Vec<u8>) {
    let _ = told.send(Told::Message { payload });
}

/// All that a ticket says, in the words of `rumqttc`. The address, which is a secret, is put in when the request is
/// made: options can be shown.
pub(crate) fn options(ticket: ConnectOptions, client_id: &str, road: &Road) -> MqttOptions {
    let (scheme, rest) = ticket.url.expose().split_once("://").unwrap_or_default();
    let (authority, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let place = road.detour.clone().unwrap_or_else(|| format!("{scheme}://{authority}"));
    let uri: Uri = format!("{place}{target}").parse().unwrap_or_default();
    let host = http::HeaderValue::from_str(authority).ok();

    let mut options = MqttOptions::new(client_id, format!("{place}/"), 0);
    let secure = place.starts_with("wss:");
    options.set_transport(if secure {
        Transport::wss_with_config(TlsConfiguration::Rustls(road.tls.clone()))
    } else {
        Transport::ws()
    });
    options.set_keep_alive(ticket.keep_alive).set_clean_session(ticket.clean_session);
    if let (Some(user_name), Some(password)) = (&ticket.user_name, &ticket.password) {
        options.set_credentials(&**user_name, password.expose());
    }
    options.set_request_modifier(move |mut request| {
        uri.clone_into(request.uri_mut());
        let headers = request.headers_mut();
        headers.extend(ticket.headers.clone());
        if let Some(host) = &host {
            headers.insert(HOST, host.clone());
        }
        ready(request)
    });
    options
}
