//! Asks a broker what MQTT 3.1.1 has no words for.

use std::time::Duration;

use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use tokio::time::timeout;

use super::{MqttSettings, transport};
use andon_core::Mono;

/// The broker answers within this time or is not asked.
const LIMIT: Duration = Duration::from_secs(3);

/// Bytes in a packet that the broker takes at most, which it tells those who connect with MQTT 5; `None` where it does not say. The
/// caller must not be connected: the same client identifier is used, because the broker may know no other.
pub(super) async fn packet_limit(s: &MqttSettings) -> Option<usize> {
    let mut options = MqttOptions::new(&s.client_id, &s.host, s.port);
    options.set_keep_alive(Duration::from_secs(5)).set_clean_start(true);
    if let Some((user, password)) = &s.login {
        options.set_credentials(user, password);
    }
    if let Some(transport) = transport(s).ok()? {
        options.set_transport(transport);
    }
    let (client, mut network) = AsyncClient::new(options, 4);
    let until = Mono::now() + LIMIT;
    let left = || until.since(Mono::now());
    let limit = loop {
        match timeout(left(), network.poll()).await {
            Ok(Ok(Event::Incoming(Packet::ConnAck(ack)))) => break ack.properties.and_then(|p| p.max_packet_size),
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => return None,
        }
    };
    if client.try_disconnect().is_ok() {
        // The broker may close first; either way the connection is gone.
        while let Ok(Ok(_)) = timeout(left(), network.poll()).await {}
    }
    limit.and_then(|bytes| usize::try_from(bytes).ok())
}
