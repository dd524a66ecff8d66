//! AWS: pre-signed addresses for MQTT over WebSocket. Pure functions, checked against botocore.

mod encode;
mod mqtt;
mod sigv4;

pub use self::mqtt::{InvalidEndpoint, Mqtt, PresignedUrl};
