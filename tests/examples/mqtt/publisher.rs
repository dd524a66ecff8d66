//! Somebody who sends, straight to the broker and with no credentials to renew: the yardstick.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rumqttc::{AsyncClient, ConnectionError, Event, MqttOptions, Packet, QoS};
use tokio::task::JoinHandle;

/// Sends messages 0, 1, 2, … with QoS 1, each when the broker has acknowledged the one before.
pub(crate) struct Publisher {
    stop: Arc<AtomicBool>,
    work: JoinHandle<Result<u64, ConnectionError>>,
}

impl Publisher {
    /// Begins, with a pause after each message, or none.
    pub(crate) fn start(broker: SocketAddr, topic: &str, pause: Option<Duration>) -> Self {
        let options = MqttOptions::new("publisher", broker.ip().to_string(), broker.port());
        let stop = Arc::new(AtomicBool::new(false));
        let work = tokio::spawn(publish(options, topic.to_owned(), pause, stop.clone()));
        Self { stop, work }
    }

    /// Ends; how many messages the broker has taken. Fewer are none of the subscriber's fault.
    pub(crate) async fn finish(self) -> Result<u64, ConnectionError> {
        self.stop.store(true, Ordering::Relaxed);
        self.work.await.unwrap_or(Err(ConnectionError::RequestsDone))
    }
}

async fn publish(
    options: MqttOptions,
    topic: String,
    pause: Option<Duration>,
    stop: Arc<AtomicBool>,
) -> Result<u64, ConnectionError> {
    let (client, mut events) = AsyncClient::new(options, 4);
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let _ = client.publish(&topic, QoS::AtLeastOnce, false, number.to_string()).await;
        while !matches!(events.poll().await?, Event::Incoming(Packet::PubAck(_))) {}
        number += 1;
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
    }
    Ok(number)
}
