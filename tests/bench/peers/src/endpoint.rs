//! The token endpoint: on loopback, 50 ms for every answer, on a thread and a runtime of its own.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

/// How long an answer takes.
pub(crate) const ANSWER: Duration = Duration::from_millis(50);
/// How long a token lives where nothing is said about it.
pub(crate) const LONG: Duration = Duration::from_secs(3600);
/// Connections that wait to be accepted. The kernel may allow fewer.
const BACKLOG: u32 = 16_384;
/// The most that a request may be long.
const MOST_BYTES: usize = 16 * 1024;

/// What the endpoint does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Grants a token.
    Grants,
    /// 400 `invalid_grant`: the service said no.
    Refuses,
    /// 503: the service is down.
    Ails,
}

/// A token endpoint, its moods and its counters. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    address: SocketAddr,
    mood: AtomicU8,
    lifetime: AtomicU64,
    tokens: AtomicU64,
    devices: AtomicU64,
    answered: AtomicU64,
}

impl Endpoint {
    /// Starts one. It ends with the process.
    pub(crate) fn start() -> io::Result<Self> {
        let (started, address) = mpsc::channel();
        let endpoint = move |address| {
            Self(Arc::new(Inner {
                address,
                mood: AtomicU8::new(Mood::Grants as u8),
                lifetime: AtomicU64::new(LONG.as_secs()),
                tokens: AtomicU64::new(0),
                devices: AtomicU64::new(0),
                answered: AtomicU64::new(0),
            }))
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("endpoint".into()).spawn(move || {
            runtime.block_on(async {
                let listener = TcpSocket::new_v4().and_then(|socket| {
                    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
                    socket.listen(BACKLOG)
                });
                let (listener, endpoint) = match listener.and_then(|it| it.local_addr().map(|at| (it, endpoint(at)))) {
                    Ok(listening) => listening,
                    Err(error) => return drop(started.send(Err(error))),
                };
                drop(started.send(Ok(endpoint.clone())));
                loop {
                    if let Ok((stream, _)) = listener.accept().await {
                        let endpoint = endpoint.clone();
                        tokio::spawn(async move { drop(endpoint.serve(stream).await) });
                    } else {
                        // Out of file descriptors: those who are being answered will give some back.
                        sleep(Duration::from_millis(1)).await;
                    }
                }
            });
        })?;
        address.recv().map_err(io::Error::other)?
    }

    /// Where tokens are asked for.
    pub(crate) fn token_url(&self) -> String {
        format!("http://{}/token", self.0.address)
    }

    /// Where a sign-in on a device begins.
    pub(crate) fn device_url(&self) -> String {
        format!("http://{}/device", self.0.address)
    }

    /// Sets what it does from now on.
    pub(crate) fn feel(&self, mood: Mood) {
        self.0.mood.store(mood as u8, SeqCst);
    }

    /// Sets how long tokens live that are granted from now on, in whole seconds.
    pub(crate) fn grant_for(&self, lifetime: Duration) {
        self.0.lifetime.store(lifetime.as_secs(), SeqCst);
    }

    /// Begins to count anew.
    pub(crate) fn count_anew(&self) {
        for counter in [&self.0.tokens, &self.0.devices, &self.0.answered] {
            counter.store(0, SeqCst);
        }
    }

    /// How many asked for a token since.
    pub(crate) fn requests(&self) -> u64 {
        self.0.tokens.load(SeqCst)
    }

    /// How many began a sign-in on a device since: a person has to type each code in.
    pub(crate) fn device_logins(&self) -> u64 {
        self.0.devices.load(SeqCst)
    }

    /// How many requests for a token have their answer.
    pub(crate) fn answered(&self) -> u64 {
        self.0.answered.load(SeqCst)
    }

    async fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let request = read(&mut stream).await?;
        let is_token = request.starts_with("POST /token ");
        if is_token { &self.0.tokens } else { &self.0.devices }.fetch_add(1, SeqCst);
        sleep(ANSWER).await;
        let (status, body) = self.answer(&request, is_token);
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all((head + &body).as_bytes()).await?;
        if is_token {
            self.0.answered.fetch_add(1, SeqCst);
        }
        stream.shutdown().await
    }

    fn answer(&self, request: &str, is_token: bool) -> (&'static str, String) {
        let mood = self.0.mood.load(SeqCst);
        let body = if mood == Mood::Refuses as u8 {
            // With what Entra adds: azure_identity cannot read an error without it.
            let body = json!({"error": "invalid_grant", "error_description": "revoked", "error_codes": [70000]});
            return ("400 Bad Request", body.to_string());
        } else if mood == Mood::Ails as u8 {
            let body = json!({"error": "temporarily_unavailable", "error_description": "down", "error_codes": [90033]});
            return ("503 Service Unavailable", body.to_string());
        } else if is_token {
            // As long as small JWTs are.
            let token = format!("{:0>400}", self.requests());
            let lifetime = self.0.lifetime.load(SeqCst);
            let mut body = json!({"access_token": token, "token_type": "Bearer", "expires_in": lifetime});
            if !request.contains("grant_type=client_credentials") {
                // RFC 6749 §4.4.3: a client that signs in by itself gets none.
                body["refresh_token"] = json!("r-1");
            }
            body
        } else {
            // Nobody types the code in: the first question for the token has its answer.
            json!({"device_code": "d", "user_code": "U", "verification_uri": "http://127.0.0.1", "expires_in": 60,
                "interval": 0})
        };
        ("200 OK", body.to_string())
    }
}

/// Head and body of one request.
async fn read(stream: &mut TcpStream) -> io::Result<String> {
    let mut bytes = Vec::with_capacity(1024);
    while bytes.len() < MOST_BYTES {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        if body.len() >= length.unwrap_or(0) {
            return Ok(text.into_owned());
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

/// Puts the endpoint back to what the next peer expects, whatever became of this one.
pub(crate) async fn with_mood<T>(endpoint: &Endpoint, mood: Mood, work: impl Future<Output = T>) -> T {
    endpoint.feel(mood);
    let result = work.await;
    endpoint.feel(Mood::Grants);
    result
}
