//! AWS signature version 4: pre-signed addresses for MQTT over WebSocket at AWS IoT Core. Pure functions, tested
//! against botocore.

mod encode;
mod mqtt;
mod sigv4;

pub use self::mqtt::{InvalidEndpoint, Mqtt};
