//! What can go wrong with one request, and the script that says when.

use crate::endpoint::Endpoint;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One thing that goes wrong.
///
/// Unless it says otherwise, the request is read to its end and recorded first. Whether the service
/// *performs* the request (signs in, spends the refresh token, issues new ones) before things go wrong is
/// [`executes`](Fault::executes).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    // -- The connection breaks, the request is not performed.
    /// The next connection, whatever it was to ask for, is closed before a byte is read (TLS: before the
    /// handshake). Nothing is recorded.
    CloseAtOnce,
    /// The same, with a reset (RST).
    ResetBeforeReading,
    /// The next connection is accepted, and nothing is read or said on it (TLS: the handshake hangs). Nothing
    /// is recorded. Ends when the peer goes away.
    StallAtOnce,
    /// The request is read, then the connection is reset (RST).
    Reset,
    /// The request is read and never answered. Ends when the peer goes away.
    Stall,
    /// Bytes that are no HTTP, then the connection is closed.
    NotHttp,

    // -- Somebody else answers, the request is not performed.
    /// 200 and a sign-in page of a hotel.
    CaptivePortal,
    /// That status. 5xx has an HTML page as its body, all else the service's JSON with `code` = the status.
    Status {
        /// The HTTP status.
        code: u16,
        /// The `Retry-After` header, as is: seconds, a date, nonsense.
        retry_after: Option<String>,
    },
    /// HTTP 200 with this `code` in the envelope.
    CodeInEnvelope(i64),
    /// A redirect with this status (301, 302, 303, 307, 308) to the same path on the trap listener.
    Redirect(u16),
    /// This answer, literally.
    Body {
        /// The HTTP status.
        status: u16,
        /// The `Content-Type`.
        content_type: String,
        /// The body.
        bytes: Vec<u8>,
    },

    // -- The request is performed, the answer comes late, in part or not at all.
    /// Performed at once, answered after this time.
    Latency(Duration),
    /// Performed at once, answered when the test opens the gate.
    Hold(Gate),
    /// Performed, then the connection is closed without a byte.
    LostAnswer,
    /// Half of the head, then silence until the peer goes away.
    StallInHead,
    /// The head and half of the body, then silence until the peer goes away.
    StallInBody,
    /// Half of the body that `Content-Length` promised, then the connection is closed.
    TornBody,
    /// A chunked answer that ends in the middle of a chunk.
    TornChunk,
    /// More bytes than `Content-Length` says, then the connection is closed.
    OverlongBody,
    /// One byte of the answer every so often, from the first byte of the head.
    DripHead(Duration),
    /// The head at once, then one byte of the body every so often.
    DripBody(Duration),
    /// Headers without end: until the peer goes away, at most 100 MB.
    EndlessHead,
    /// A body of this many bytes (JSON that could be whole), streamed until the peer goes away.
    Huge(usize),

    // -- The request is performed, the answer is spoiled.
    /// 200 without a body.
    EmptyBody,
    /// `{"code":200}` without `data`.
    NoData,
    /// Every value in `data` (in the whole answer, if it has no `data`) has another type: strings become numbers,
    /// numbers lists, all else strings.
    WrongTypes,
    /// The field of this name is left out, wherever it stands.
    MissingField(String),
    /// Every token and key is an empty string.
    EmptyTokens,
    /// That field of the answer has this value (added beside the tokens where it is absent).
    Lifetime {
        /// `authenticationExpiresIn`, `authorizationExpiresIn`, or any other.
        field: String,
        /// Its value.
        json: Value,
    },
    /// The same with literal text, for what JSON does not allow: `NaN`, `1e400`, 40 digits.
    LifetimeText {
        /// The field.
        field: String,
        /// What stands after the colon.
        text: String,
    },
    /// CR, LF and NUL in every token.
    ControlCharacters,
    /// Every token stands there twice, with different values: the right one last.
    DuplicateKeys,
    /// 100,000 times `[`.
    DeepJson,
    /// The right answer, gzipped although nobody asked.
    Gzip,
    /// `Content-Encoding: gzip`, but it is not.
    GzipGarbage,
    /// The right answer in UTF-16 (with its byte order mark).
    Utf16,
    /// The right answer behind a UTF-8 byte order mark.
    Bom,
    /// The right answer with bytes in it that are no UTF-8.
    InvalidUtf8,
    /// The right answer with this `Date` header; with none at all if empty.
    Date(String),
}

impl Fault {
    /// [`Fault::Status`] without `Retry-After`.
    #[must_use]
    pub fn status(code: u16) -> Self {
        Self::Status { code, retry_after: None }
    }

    /// [`Fault::Status`] with `Retry-After`.
    #[must_use]
    pub fn retry_after(code: u16, retry_after: &str) -> Self {
        Self::Status { code, retry_after: Some(retry_after.to_owned()) }
    }

    /// [`Fault::Body`] with JSON.
    #[must_use]
    pub fn json(status: u16, value: &Value) -> Self {
        Self::Body { status, content_type: "application/json".to_owned(), bytes: value.to_string().into_bytes() }
    }

    /// What it is called in recordings and tables.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::CloseAtOnce => "close at once",
            Self::ResetBeforeReading => "reset before reading",
            Self::StallAtOnce => "stall at once",
            Self::Reset => "reset",
            Self::Stall => "stall",
            Self::NotHttp => "not http",
            Self::CaptivePortal => "captive portal",
            Self::Status { .. } => "status",
            Self::CodeInEnvelope(_) => "code in envelope",
            Self::Redirect(_) => "redirect",
            Self::Body { .. } => "body",
            Self::Latency(_) => "latency",
            Self::Hold(_) => "hold",
            Self::LostAnswer => "lost answer",
            Self::StallInHead => "stall in head",
            Self::StallInBody => "stall in body",
            Self::TornBody => "torn body",
            Self::TornChunk => "torn chunk",
            Self::OverlongBody => "overlong body",
            Self::DripHead(_) => "drip head",
            Self::DripBody(_) => "drip body",
            Self::EndlessHead => "endless head",
            Self::Huge(_) => "huge",
            Self::EmptyBody => "empty body",
            Self::NoData => "no data",
            Self::WrongTypes => "wrong types",
            Self::MissingField(_) => "missing field",
            Self::EmptyTokens => "empty tokens",
            Self::Lifetime { .. } => "lifetime",
            Self::LifetimeText { .. } => "lifetime text",
            Self::ControlCharacters => "control characters",
            Self::DuplicateKeys => "duplicate keys",
            Self::DeepJson => "deep json",
            Self::Gzip => "gzip",
            Self::GzipGarbage => "gzip garbage",
            Self::Utf16 => "utf-16",
            Self::Bom => "bom",
            Self::InvalidUtf8 => "invalid utf-8",
            Self::Date(_) => "date",
        }
    }

    /// Whether the service performs the request before things go wrong: its state changes as for a success.
    #[must_use]
    pub fn executes(&self) -> bool {
        !matches!(
            self,
            Self::CloseAtOnce
                | Self::ResetBeforeReading
                | Self::StallAtOnce
                | Self::Reset
                | Self::Stall
                | Self::NotHttp
                | Self::CaptivePortal
                | Self::Status { .. }
                | Self::CodeInEnvelope(_)
                | Self::Redirect(_)
                | Self::Body { .. }
        )
    }

    /// Whether it strikes before anything is read, and therefore the next connection, whatever that asks for.
    #[must_use]
    pub fn strikes_before_reading(&self) -> bool {
        matches!(self, Self::CloseAtOnce | Self::ResetBeforeReading | Self::StallAtOnce)
    }

    /// Every kind of fault at least once, with telling values: the rows of a fault table. Only
    /// [`Fault::Hold`] is left out, since it needs somebody to open its gate.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let field = |name: &str, json: Value| Self::Lifetime { field: name.to_owned(), json };
        let text = |name: &str, text: &str| Self::LifetimeText { field: name.to_owned(), text: text.to_owned() };
        let (access, aws) = ("authenticationExpiresIn", "authorizationExpiresIn");
        let drip = Duration::from_millis(50);
        let mut all = vec![
            Self::CloseAtOnce,
            Self::ResetBeforeReading,
            Self::StallAtOnce,
            Self::Reset,
            Self::Stall,
            Self::NotHttp,
            Self::CaptivePortal,
        ];
        all.extend([400, 401, 403, 404, 405, 408, 429, 500, 501, 502, 503, 504].map(Self::status));
        all.extend(
            ["2", "1e18", "-5", "99999999999999999999", "soon", "Wed, 21 Oct 2015 07:28:00 GMT"]
                .map(|value| Self::retry_after(503, value)),
        );
        all.extend([401, 404, 429, 500].map(Self::CodeInEnvelope));
        all.extend([301, 302, 303, 307, 308].map(Self::Redirect));
        all.extend([
            Self::json(500, &json!({"code": 500, "msg": "invalid user or unauthorized", "data": null})),
            Self::Latency(Duration::from_millis(200)),
            Self::LostAnswer,
            Self::StallInHead,
            Self::StallInBody,
            Self::TornBody,
            Self::TornChunk,
            Self::OverlongBody,
            Self::DripHead(drip),
            Self::DripBody(drip),
            Self::EndlessHead,
            Self::Huge(50_000_000),
            Self::EmptyBody,
            Self::NoData,
            Self::WrongTypes,
            Self::MissingField("accessToken".to_owned()),
            Self::MissingField("refreshToken".to_owned()),
            Self::MissingField("secretKey".to_owned()),
            Self::MissingField("token".to_owned()),
            Self::EmptyTokens,
        ]);
        for value in
            [json!(0), json!(-1), json!(1_000_000_000_000_000_000_u64), json!(1e300), json!("3600"), json!(null)]
        {
            all.push(field(access, value.clone()));
            all.push(field(aws, value));
        }
        all.extend([
            text(access, "NaN"),
            text(access, "1e400"),
            text(aws, "-1e400"),
            Self::ControlCharacters,
            Self::DuplicateKeys,
            Self::DeepJson,
            Self::Gzip,
            Self::GzipGarbage,
            Self::Utf16,
            Self::Bom,
            Self::InvalidUtf8,
            Self::Date(String::new()),
            Self::Date("yesterday".to_owned()),
        ]);
        all
    }
}

/// Holds answers back until the test lets them go: for what must happen while a request is under way.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<AtomicBool>);

impl Gate {
    /// A closed gate. Clones are the same gate.
    #[must_use]
    pub fn closed() -> Self {
        Self::default()
    }

    /// Lets everything through, now and later.
    pub fn open(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl PartialEq for Gate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// The faults to come.
#[derive(Default)]
pub(crate) struct Script {
    faults: Mutex<Faults>,
}

#[derive(Default)]
struct Faults {
    once: HashMap<Endpoint, VecDeque<Fault>>,
    always: HashMap<Endpoint, Fault>,
}

impl Script {
    pub(crate) fn once(&self, endpoint: Endpoint, fault: Fault) {
        self.lock().once.entry(endpoint).or_default().push_back(fault);
    }

    pub(crate) fn always(&self, endpoint: Endpoint, fault: Fault) {
        self.lock().always.insert(endpoint, fault);
    }

    pub(crate) fn clear(&self) {
        *self.lock() = Faults::default();
    }

    pub(crate) fn waiting(&self) -> usize {
        self.lock().once.values().map(VecDeque::len).sum()
    }

    /// For a request: the endpoint's next fault, any endpoint's next, the endpoint's standing one, any's.
    pub(crate) fn take(&self, endpoint: Option<Endpoint>) -> Option<Fault> {
        let mut faults = self.lock();
        let places = [endpoint, Some(Endpoint::Any)];
        for place in places.into_iter().flatten() {
            if let Some(fault) = faults.once.get_mut(&place).and_then(VecDeque::pop_front) {
                return Some(fault);
            }
        }
        places.into_iter().flatten().find_map(|place| faults.always.get(&place).cloned())
    }

    /// For a connection of which nothing has been read: only faults that strike before reading.
    pub(crate) fn take_before_reading(&self) -> Option<Fault> {
        let mut faults = self.lock();
        let first = faults
            .once
            .values_mut()
            .find(|queue| queue.front().is_some_and(Fault::strikes_before_reading))
            .and_then(VecDeque::pop_front);
        first.or_else(|| faults.always.values().find(|fault| fault.strikes_before_reading()).cloned())
    }

    fn lock(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
