//! Records to an MQTT broker, from the outbox: QoS 1, a retained birth and a will, the same JSON as everywhere. What the
//! broker has not acknowledged is sent again after an outage, with its original stamps.

mod link;
mod probe;
mod settings;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use rumqttc::{AsyncClient, MqttOptions};
use tokio::runtime::{Builder, Runtime};

use self::link::{Broke, Link, Sent};
pub use self::settings::{MqttError, MqttSettings};
use self::settings::{PACKET, options, transport};
use super::MqttConfig;
use crate::sinks::error::read_secret;
use crate::sinks::retry::{Backoff, Repeats, sleep, times};
use crate::sinks::store::Outbox;
use crate::sinks::{RecordKind, SinkContext, SinkError};
use andon_core::{Accepted, Delivery, Mono, Record, Sink};

/// Starts the sink of the table.
pub(in crate::sinks) fn start(config: &MqttConfig, context: &SinkContext<'_>) -> Result<Box<dyn Sink>, SinkError> {
    let station = context.station;
    let login = match (&config.username, &config.password_file) {
        (Some(user), Some(file)) => Some((user.clone(), read_secret("mqtt.password_file", file)?)),
        _ => None,
    };
    let kinds = RecordKind::words(&config.records);
    let settings = MqttSettings {
        host: config.host.clone(),
        port: config.port,
        client_id: config.client_id.clone().unwrap_or_default(),
        login,
        ca: config.ca.clone(),
        client: config.certificate.clone().zip(config.key.clone()),
        kinds: kinds.clone(),
        rejects_only: config.rejects_only,
        status_topic: format!("{}/status", station.station_key()),
        boot: station.boot.to_string(),
    };
    let outbox = Outbox::of_sink(context, "mqtt", &kinds, config.rejects_only)?;
    match MqttForwarder::start(settings, outbox, station.delivery.clone()) {
        Ok(forwarder) => Ok(Box::new(forwarder)),
        Err(MqttError::System(e)) => Err(e.into()),
        Err(e) => Err(SinkError::refused(e)),
    }
}

/// Publications that the broker has not acknowledged, at most.
const WINDOW: usize = 64;
/// A connection that holds for so long is a good one.
const STEADY: Duration = Duration::from_secs(10);
/// So many short connections in a row are worth a guess at their cause.
const FLAPPING: u32 = 3;
/// So often is a record sent by itself before the broker's silence about it counts as a refusal.
const TRIES: u32 = 3;
/// So many records set aside after tries, and none acknowledged: the fault is probably not theirs. The next ones are tried more often.
const SUSPICIOUS: u32 = 16;
const MANY_TRIES: u32 = 20;
/// The broker is asked at most this often how large a packet may be.
const ASK_EVERY: Duration = Duration::from_secs(3600);

/// The thread that forwards; it takes its records from the outbox and none from the line. It stops when this is closed or dropped, and
/// what it has not sent waits in the outbox.
pub struct MqttForwarder {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl MqttForwarder {
    /// Starts to forward from `outbox`; a broker that is not there is tried for ever.
    ///
    /// # Errors
    /// [`MqttError`].
    pub fn start(settings: MqttSettings, outbox: Outbox, delivery: Delivery) -> Result<MqttForwarder, MqttError> {
        let options = options(&settings)?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("mqtt".to_owned())
            .spawn(move || Forwarder::new(settings, options, outbox, delivery).run(&runtime, &stopped))?;
        Ok(MqttForwarder { stop, thread: Some(thread) })
    }
}

impl Sink for MqttForwarder {
    fn name(&self) -> &'static str {
        "mqtt"
    }

    fn offer(&mut self, _: &Record) -> Accepted {
        Accepted::Ignored
    }

    fn close(&mut self) {
        self.stop.store(true, Relaxed);
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

/// What is known from one connection to the next.
struct Forwarder {
    s: MqttSettings,
    options: MqttOptions,
    outbox: Outbox,
    delivery: Delivery,
    backoff: Backoff,
    failures: Repeats,
    refusals: Repeats,
    clashes: Repeats,
    /// Records that are still sent one by one, because a connection broke with some under way: one of them may be the cause.
    careful: usize,
    /// The record with which the connection broke when it was sent by itself, and how often.
    suspect: Option<(i64, u32)>,
    /// Bytes in a packet that the broker takes.
    limit: Option<usize>,
    asked_at: Option<Mono>,
    /// This box's birth was acknowledged once.
    born: bool,
    /// Connections in a row that came about and did not hold.
    short: u32,
    /// Records set aside after tries since the last that was acknowledged.
    set_aside: u32,
}

impl Forwarder {
    fn new(s: MqttSettings, options: MqttOptions, outbox: Outbox, delivery: Delivery) -> Forwarder {
        Forwarder {
            s,
            options,
            outbox,
            delivery,
            backoff: Backoff::new(Duration::from_millis(100), Duration::from_secs(5)),
            failures: Repeats::default(),
            refusals: Repeats::default(),
            clashes: Repeats::default(),
            careful: 0,
            suspect: None,
            limit: None,
            asked_at: None,
            born: false,
            short: 0,
            set_aside: 0,
        }
    }

    fn broker(&self) -> String {
        format!("MQTT broker {}:{}", self.s.host, self.s.port)
    }

    /// One connection after another.
    fn run(mut self, runtime: &Runtime, stop: &AtomicBool) {
        while !stop.load(Relaxed) {
            let (client, mut network) = AsyncClient::new(self.options.clone(), WINDOW + 8);
            let mut link = Link::new(&mut self, client);
            let ended = runtime.block_on(link.run(&mut network, stop));
            let (up_since, under_way) = (link.up_since, link.under_way());
            let Err(broke) = ended else { return };
            if let Err(why) = self.ended(broke, up_since, under_way, runtime) {
                self.failed(&why);
            }
            sleep(self.backoff.failed(), stop);
        }
    }

    /// Draws conclusions from the end of a connection.
    fn ended(
        &mut self,
        broke: Broke,
        up_since: Option<Mono>,
        under_way: Vec<Sent>,
        runtime: &Runtime,
    ) -> Result<(), String> {
        let why = match broke {
            Broke::Outbox(why) => return Err(why),
            Broke::Network(why) => why,
        };
        let Some(up_since) = up_since else {
            self.failed(&why);
            return Ok(());
        };
        if Mono::now().since(up_since) >= STEADY {
            self.backoff.reset();
        } else {
            self.short += 1;
        }
        let was_careful = std::mem::replace(&mut self.careful, if under_way.is_empty() { 0 } else { WINDOW }) > 0;
        if let ([sent], true, true) = (&under_way[..], was_careful, self.delivery.twins().is_empty()) {
            let tries = self.suspect.filter(|(id, _)| *id == sent.id).map_or(1, |(_, tries)| tries + 1);
            self.suspect = Some((sent.id, tries));
            self.ask_limit(runtime);
            let enough = if self.set_aside < SUSPICIOUS { TRIES } else { MANY_TRIES };
            if tries >= enough {
                if self.set_aside == 0 {
                    self.backoff.reset();
                }
                self.set_aside += 1;
                let bytes = sent.packet_bytes;
                let reason =
                    format!("the connection broke {tries} times with this record of {bytes} bytes under way: {why}");
                return self.set_aside(sent, &reason);
            }
        }
        let guess = if self.short < FLAPPING || self.suspect.is_some() {
            String::new()
        } else if self.born {
            format!(
                "; the broker ends each connection soon: does another client use the client id `{}`? (mqtt.client_id)",
                self.options.client_id()
            )
        } else {
            format!(
                "; the broker ends each connection at the first message: may this client write to {}?",
                self.s.status_topic
            )
        };
        if self.short == FLAPPING {
            self.failures.over();
        }
        self.failed(&format!("{why}{guess}"));
        Ok(())
    }

    /// Asks the broker how large a packet may be, if that is not known.
    fn ask_limit(&mut self, runtime: &Runtime) {
        let now = Mono::now();
        if self.asked_at.is_none_or(|at| now.since(at) >= ASK_EVERY) {
            self.asked_at = Some(now);
            self.limit = runtime.block_on(probe::packet_limit(&self.s));
        }
    }

    /// Whether the broker cannot take a record of this size, and why.
    fn too_large(&self, sent: &Sent) -> Option<String> {
        let limit = self.limit.unwrap_or(PACKET).min(PACKET);
        let bytes = sent.packet_bytes;
        let whose = if limit < PACKET { "the broker takes" } else { "this program sends" };
        (bytes > limit).then(|| format!("{bytes} bytes, and {whose} packets of {limit} bytes at most"))
    }

    fn set_aside(&mut self, sent: &Sent, why: &str) -> Result<(), String> {
        self.outbox.set_aside(sent.id, sent.packet_bytes, why).map_err(|e| e.to_string())?;
        self.suspect = None;
        if let Some(untold) = self.refusals.again(Mono::now()) {
            tracing::error!(
                "{}: record {} ({}) is set aside in the table `refused` of the history file, and what is behind it goes on: \
                 {why}{}",
                self.broker(),
                sent.id,
                sent.key,
                times(untold)
            );
        }
        Ok(())
    }

    fn failed(&mut self, why: &str) {
        let why = format!("{}: {why}", self.broker());
        if let Some(untold) = self.failures.again(Mono::now()) {
            tracing::warn!("{why}; records wait in the outbox{}", times(untold));
        }
        self.outbox.counts().set_fault(Some(why));
    }

    /// The connection came about.
    fn connected(&mut self) {
        if self.short >= FLAPPING {
            return;
        }
        match self.failures.over() {
            true => tracing::info!("{}: connected again", self.broker()),
            false if !self.born => tracing::info!("{}: connected", self.broker()),
            false => {}
        }
        self.outbox.counts().set_fault(None);
    }

    /// The connection has held for [`STEADY`].
    fn steady(&mut self) {
        self.backoff.reset();
        if std::mem::take(&mut self.short) >= FLAPPING && self.failures.over() {
            tracing::info!("{}: the connection holds again", self.broker());
        }
        self.outbox.counts().set_fault(None);
        self.clashes.over();
        self.delivery.set_twin("MQTT", None);
    }

    /// So many records were acknowledged, up to this one.
    fn acknowledged(&mut self, last: i64, records: u64) -> Result<(), String> {
        self.outbox.taken(last, records).map_err(|e| e.to_string())?;
        self.careful = self.careful.saturating_sub(usize::try_from(records).unwrap_or(usize::MAX));
        self.suspect = None;
        self.set_aside = 0;
        Ok(())
    }

    /// Another box announces itself on this one's status topic.
    fn clash(&mut self, boot: Option<&str>) {
        let who =
            boot.map_or_else(|| "a box with an older version".to_owned(), |boot| format!("the box with boot {boot}"));
        if let Some(untold) = self.clashes.again(Mono::now()) {
            tracing::warn!(
                "{}: {who} uses this box's topic {} too, and perhaps its client id `{}`: is a second box configured with the \
                 same site, line and station?{}",
                self.broker(),
                self.s.status_topic,
                self.options.client_id(),
                times(untold)
            );
        }
        self.delivery.set_twin("MQTT", Some(who));
    }
}
