//! Records to an MQTT broker, from the outbox: QoS 1, a retained birth and a will, the same JSON as everywhere. What the
//! broker has not acknowledged is sent again after an outage, with its original stamps.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use rumqttc::{
    AsyncClient, Event, EventLoop, LastWill, MqttOptions, Outgoing as Sent, Packet, QoS, TlsConfiguration, Transport,
};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::publish::store::{Outbox, Outgoing, StoreError};
use crate::types::Mono;

/// The broker and what it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttSettings {
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Client identifier; unique at the broker.
    pub client_id: String,
    /// User and password.
    pub login: Option<(String, String)>,
    /// Certificate of the authority, for TLS.
    pub ca: Option<PathBuf>,
    /// The box's own certificate and key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Kinds of records: verdict, part, eject, event.
    pub kinds: Vec<String>,
    /// Of verdicts and parts only those that did not pass.
    pub rejects_only: bool,
    /// Topic of the retained birth and will.
    pub status_topic: String,
}

/// Publications that the broker has not acknowledged, at most.
const WINDOW: usize = 64;
/// Rows are looked for this often while there are none.
const LOOK: Duration = Duration::from_millis(20);

/// The thread that forwards.
pub struct MqttForwarder {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl MqttForwarder {
    /// Starts to forward from `outbox`; a broker that is not there is tried for ever.
    ///
    /// # Errors
    /// A certificate cannot be read, or there is no room for a thread.
    pub fn start(settings: MqttSettings, outbox: Outbox) -> Result<MqttForwarder, String> {
        let options = options(&settings)?;
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("mqtt".to_owned())
            .spawn(move || forward(&settings, &options, &runtime, &outbox, &stopped))
            .map_err(|e| e.to_string())?;
        Ok(MqttForwarder { stop, thread: Some(thread) })
    }
}

impl Drop for MqttForwarder {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        let Some(thread) = self.thread.take() else { return };
        let until = Mono::now() + Duration::from_secs(2);
        while !thread.is_finished() && Mono::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        if thread.is_finished() {
            drop(thread.join());
        }
    }
}

fn options(s: &MqttSettings) -> Result<MqttOptions, String> {
    let mut options = MqttOptions::new(&s.client_id, &s.host, s.port);
    options.set_keep_alive(Duration::from_secs(5));
    options.set_inflight(WINDOW as u16);
    options.set_max_packet_size(1 << 20, 1 << 20);
    let gone = LastWill::new(&s.status_topic, r#"{"online":false}"#, QoS::AtLeastOnce, true);
    options.set_last_will(gone);
    if let Some((user, password)) = &s.login {
        options.set_credentials(user, password);
    }
    if let Some(ca) = &s.ca {
        // Fails only if there is one already, which then serves as well.
        drop(rustls::crypto::ring::default_provider().install_default());
        let read = |path: &PathBuf| std::fs::read(path).map_err(|e| format!("mqtt: {}: {e}", path.display()));
        let client_auth = match &s.client {
            Some((certificate, key)) => Some((read(certificate)?, read(key)?)),
            None => None,
        };
        let tls = TlsConfiguration::Simple { ca: read(ca)?, alpn: None, client_auth };
        options.set_transport(Transport::Tls(tls));
    }
    Ok(options)
}

/// One connection after another.
fn forward(s: &MqttSettings, options: &MqttOptions, runtime: &Runtime, outbox: &Outbox, stop: &AtomicBool) {
    let mut backoff = Duration::from_millis(100);
    let mut told = false;
    while !stop.load(Relaxed) {
        let (client, mut network) = AsyncClient::new(options.clone(), WINDOW + 8);
        let mut link = Link { s, client, waiting: VecDeque::new(), unacked: VecDeque::new(), up: false, read: None };
        let ended = runtime.block_on(link.run(&mut network, outbox, stop));
        if link.up {
            backoff = Duration::from_millis(100);
            told = false;
        }
        match ended {
            Ok(()) => return,
            Err(why) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!("MQTT broker {}:{}: {why}; records wait in the outbox", s.host, s.port);
                }
            }
        }
        let until = Mono::now() + backoff;
        while Mono::now() < until && !stop.load(Relaxed) {
            std::thread::sleep(Duration::from_millis(10));
        }
        backoff = (2 * backoff).min(Duration::from_secs(5));
    }
}

struct Link<'a> {
    s: &'a MqttSettings,
    client: AsyncClient,
    /// Rows handed to the client that have no packet number yet; `None` for the birth.
    waiting: VecDeque<Option<i64>>,
    /// Rows by packet number in the order of their numbers, and whether they were acknowledged.
    unacked: VecDeque<(u16, Option<i64>, bool)>,
    up: bool,
    /// The last row that was handed over.
    read: Option<i64>,
}

impl Link<'_> {
    async fn run(&mut self, network: &mut EventLoop, outbox: &Outbox, stop: &AtomicBool) -> Result<(), String> {
        let mut look = Mono::now();
        loop {
            let Some(event) = self.next(network, outbox, stop, &mut look).await? else {
                return self.leave(network).await;
            };
            if let Some(taken) = self.heard(&event)? {
                outbox.taken(taken).map_err(|e| e.to_string())?;
            }
        }
    }

    /// What the connection does next, with rows handed over meanwhile; `None` once the program stops.
    async fn next(
        &mut self,
        network: &mut EventLoop,
        outbox: &Outbox,
        stop: &AtomicBool,
        look: &mut Mono,
    ) -> Result<Option<Event>, String> {
        // One future until it is ready: dropped halfway it would begin its connection anew, and a broker that is farther
        // away than one look would never be reached.
        let mut event = pin!(network.poll());
        loop {
            if stop.load(Relaxed) {
                return Ok(None);
            }
            if self.up && self.in_flight() < WINDOW && Mono::now() >= *look {
                let rows = outbox.next(self.read, WINDOW - self.in_flight()).map_err(|e: StoreError| e.to_string())?;
                if rows.is_empty() {
                    *look = Mono::now() + LOOK;
                }
                rows.into_iter().try_for_each(|row| self.publish(row))?;
            }
            if let Ok(event) = timeout(LOOK, event.as_mut()).await {
                return event.map(Some).map_err(|e| e.to_string());
            }
        }
    }

    fn in_flight(&self) -> usize {
        self.waiting.len() + self.unacked.len()
    }

    fn publish(&mut self, row: Outgoing) -> Result<(), String> {
        self.client.try_publish(row.key, QoS::AtLeastOnce, false, row.json).map_err(|e| e.to_string())?;
        self.waiting.push_back(Some(row.id));
        self.read = Some(row.id);
        Ok(())
    }

    /// The row up to which everything is acknowledged, if that grew.
    fn heard(&mut self, event: &Event) -> Result<Option<i64>, String> {
        match event {
            Event::Incoming(Packet::ConnAck(_)) => {
                tracing::info!("MQTT broker {}:{} is there", self.s.host, self.s.port);
                self.up = true;
                self.client
                    .try_publish(&self.s.status_topic, QoS::AtLeastOnce, true, r#"{"online":true}"#)
                    .map_err(|e| e.to_string())?;
                self.waiting.push_back(None);
            }
            Event::Outgoing(Sent::Publish(packet)) => {
                if let Some(row) = self.waiting.pop_front() {
                    self.unacked.push_back((*packet, row, false));
                }
            }
            Event::Incoming(Packet::PubAck(ack)) => {
                if let Some(entry) = self.unacked.iter_mut().find(|(packet, _, done)| *packet == ack.pkid && !done) {
                    entry.2 = true;
                }
                let mut last = None;
                while let Some((_, row, _)) = self.unacked.front().filter(|(_, _, done)| *done).copied() {
                    last = row.or(last);
                    self.unacked.pop_front();
                }
                return Ok(last);
            }
            _ => {}
        }
        Ok(None)
    }

    /// Says that the box goes, as its will would.
    async fn leave(&mut self, network: &mut EventLoop) -> Result<(), String> {
        if self.up {
            let gone = self.client.try_publish(&self.s.status_topic, QoS::AtLeastOnce, true, r#"{"online":false}"#);
            gone.and_then(|()| self.client.try_disconnect()).map_err(|e| e.to_string())?;
            let said =
                async { while !matches!(network.poll().await, Ok(Event::Outgoing(Sent::Disconnect)) | Err(_)) {} };
            // A broker that does not listen any more sends the will.
            drop(timeout(Duration::from_secs(1), said).await);
        }
        Ok(())
    }
}
