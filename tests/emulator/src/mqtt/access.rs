//! Who may open a connection to the MQTT broker, and why somebody may not.

use crate::message::Request;

/// A service whose credentials open connections to an MQTT broker.
pub(crate) trait MqttAccess: Send + Sync {
    /// Whether this request may open a connection.
    fn admit(&self, request: &Request) -> Result<(), MqttRefusal>;

    /// Whether the credentials are still valid that this request was admitted with.
    fn is_still_admitted(&self, request: &Request) -> bool;
}

/// Why a connection was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MqttRefusal {
    /// No opening request of a WebSocket (RFC 6455 §4.2.1).
    NotAWebSocket,
    /// The subprotocol `mqtt` is not asked for (MQTT 3.1.1 §6).
    Subprotocol,
    /// Navien: the query is no pre-signed one, or for another region or service.
    Query,
    /// Navien: no such access key.
    AccessKey,
    /// Navien: the session token is missing, or belongs to another key.
    SessionToken,
    /// Navien: the signature is not that of the key, for this host and path.
    Signature,
    /// Navien: signed in the future, by more than five minutes.
    TooEarly,
    /// Navien: signed longer ago than the address is good for.
    TooLate,
    /// Navien: the credentials have ended, or their session has.
    Ended,
    /// Settrade: a token that is unknown, used before, or of an access token that has ended.
    Ticket,
    /// There is no broker behind the emulator.
    NoBroker,
}

impl MqttRefusal {
    pub(super) fn status(self) -> u16 {
        match self {
            Self::NotAWebSocket | Self::Subprotocol => 400,
            Self::Ticket => 401,
            Self::NoBroker => 503,
            _ => 403,
        }
    }
}
