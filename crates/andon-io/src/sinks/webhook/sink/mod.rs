//! Records to a web server, from the outbox: POST of a JSON array. Only 2xx from the address itself counts as taken. A batch that
//! is refused for what it holds is cut in halves until the one record is found that the server does not want; that one is set
//! aside. Every other failure is tried again, with growing pauses.

mod answer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use self::answer::{Answer, Masked};
use super::WebhookConfig;
use crate::sinks::error::read_secret;
use crate::sinks::retry::{Backoff, Repeats, sleep, times};
use crate::sinks::store::{Outbox, Outgoing};
use crate::sinks::{RecordKind, SinkContext, SinkError};
use andon_core::{Accepted, Mono, Record, Sink};

/// Starts the sink of the table.
pub(in crate::sinks) fn start(config: &WebhookConfig, context: &SinkContext<'_>) -> Result<Box<dyn Sink>, SinkError> {
    let token = match &config.token_file {
        Some(file) => Some(read_secret("webhook.token_file", file)?),
        None => None,
    };
    let outbox = Outbox::of_sink(context, "webhook", &RecordKind::words(&config.records), config.rejects_only)?;
    Ok(Box::new(WebhookForwarder::start(WebhookSettings { url: config.url.clone(), token }, outbox)?))
}

/// The server and what it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Where to POST.
    pub url: String,
    /// Sent as `Authorization: Bearer`.
    pub token: Option<String>,
}

/// Records in one request at most.
const BATCH: usize = 100;
/// No answer for so long is a failure.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Rows are looked for this often while there are none.
const LOOK: Duration = Duration::from_millis(50);
/// The longest pause between tries, but for what the server asks for.
const PAUSE: Duration = Duration::from_secs(30);
/// So many refused records in a row, and none taken: the fault is probably the address, not the records. One record is then
/// set aside only after each pause, so that few are lost to the peer until somebody mends the address.
const SUSPICIOUS: u32 = 16;

/// The thread that forwards; it takes its records from the outbox and none from the line. It stops when this is closed or dropped, and
/// what it has not sent waits in the outbox.
pub struct WebhookForwarder {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl WebhookForwarder {
    /// Starts to forward from `outbox`; a server that is not there is tried for ever.
    ///
    /// # Errors
    /// No room for a thread.
    pub fn start(settings: WebhookSettings, outbox: Outbox) -> std::io::Result<WebhookForwarder> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let work = move || Forwarder::new(settings, outbox).run(&stopped);
        let thread = std::thread::Builder::new().name("webhook".to_owned()).spawn(work)?;
        Ok(WebhookForwarder { stop, thread: Some(thread) })
    }
}

impl Sink for WebhookForwarder {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn offer(&mut self, _: &Record) -> Accepted {
        Accepted::Ignored
    }

    fn close(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

impl Drop for WebhookForwarder {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        let Some(thread) = self.thread.take() else { return };
        let until = Mono::now() + Duration::from_secs(1);
        while !thread.is_finished() && Mono::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        if thread.is_finished() {
            drop(thread.join());
        }
    }
}

struct Forwarder {
    settings: WebhookSettings,
    /// The address as it may be written into a log.
    masked: Masked,
    agent: ureq::Agent,
    outbox: Outbox,
    /// Records in the next request at most: halved when a batch is refused, doubled when one is taken.
    batch: usize,
    backoff: Backoff,
    failures: Repeats,
    refusals: Repeats,
    /// Refused records since the last that was taken.
    refused_in_a_row: u32,
}

impl Forwarder {
    fn new(settings: WebhookSettings, outbox: Outbox) -> Forwarder {
        // Fails only if there is one already, which then serves as well.
        drop(rustls::crypto::ring::default_provider().install_default());
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("andon/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        Forwarder {
            masked: Masked::new(&settings.url),
            settings,
            agent,
            outbox,
            batch: BATCH,
            backoff: Backoff::new(Duration::from_millis(200), PAUSE),
            failures: Repeats::default(),
            refusals: Repeats::default(),
            refused_in_a_row: 0,
        }
    }

    fn run(mut self, stop: &AtomicBool) {
        while !stop.load(Relaxed) {
            let pause = self.step().unwrap_or_else(|e| self.failed(&e, None));
            sleep(pause, stop);
        }
    }

    /// One request, if anything waits. Returns how long to wait before the next, or what is wrong with the outbox.
    fn step(&mut self) -> Result<Duration, String> {
        let rows = self.outbox.next(None, self.batch).map_err(|e| e.to_string())?;
        let Some(last) = rows.last() else { return Ok(LOOK) };
        Ok(match self.post(&rows) {
            Answer::Taken => {
                self.outbox.taken(last.id, rows.len() as u64).map_err(|e| e.to_string())?;
                self.works();
                self.refused_in_a_row = 0;
                self.batch = (2 * self.batch).min(BATCH);
                Duration::ZERO
            }
            Answer::Refused { .. } if rows.len() > 1 => {
                self.batch = rows.len() / 2;
                Duration::ZERO
            }
            Answer::Refused { why } => {
                self.outbox.set_aside(last.id, last.json.len(), &why).map_err(|e| e.to_string())?;
                self.say_refused(last, &why);
                self.refused_in_a_row += 1;
                if self.refused_in_a_row < SUSPICIOUS {
                    Duration::ZERO
                } else {
                    let why =
                        format!("refuses every record: {why}; is webhook.url right, and what the server expects?");
                    self.failed(&why, None)
                }
            }
            Answer::Failed { why, wait } => {
                // A server that is too slow for many may manage a few.
                self.batch = rows.len().div_ceil(2);
                self.failed(&why, wait)
            }
        })
    }

    fn post(&self, rows: &[Outgoing]) -> Answer {
        let mut body = vec![b'['];
        for (n, row) in rows.iter().enumerate() {
            if n > 0 {
                body.push(b',');
            }
            body.extend_from_slice(&row.json);
        }
        body.push(b']');
        let mut request = self.agent.post(&self.settings.url).header("Content-Type", "application/json");
        if let Some(token) = &self.settings.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        match request.send(&body[..]) {
            Ok(response) => answer::read(response, body.len(), &self.masked),
            Err(e) => Answer::Failed { why: self.masked.mask(&e.to_string()), wait: None },
        }
    }

    fn works(&mut self) {
        self.backoff.reset();
        if self.failures.over() {
            tracing::info!("webhook {}: takes records again", self.masked.origin);
            self.outbox.counts().set_fault(None);
        }
    }

    /// Says why, at most once a minute, and returns the pause: what the server asked for, or a growing one.
    fn failed(&mut self, why: &str, wait: Option<Duration>) -> Duration {
        let why = format!("{}: {why}", self.masked.origin);
        if let Some(untold) = self.failures.again(Mono::now()) {
            tracing::warn!("webhook {why}; records wait in the outbox{}", times(untold));
        }
        self.outbox.counts().set_fault(Some(why));
        self.backoff.failed().max(wait.unwrap_or_default())
    }

    fn say_refused(&mut self, row: &Outgoing, why: &str) {
        if let Some(untold) = self.refusals.again(Mono::now()) {
            tracing::error!(
                "webhook {}: {why}; record {} ({}, {} bytes) is set aside in the table `refused` of the history file, and what \
                 is behind it goes on{}",
                self.masked.origin,
                row.id,
                row.key,
                row.json.len(),
                times(untold)
            );
        }
    }
}
