//! Records to a web server, from the outbox: POST of a JSON array, again until it answers with 2xx.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use crate::publish::store::Outbox;
use crate::types::Mono;

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

/// The thread that forwards.
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
        let work = move || forward(&settings, &outbox, &stopped);
        let thread = std::thread::Builder::new().name("webhook".to_owned()).spawn(work)?;
        Ok(WebhookForwarder { stop, thread: Some(thread) })
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

fn forward(s: &WebhookSettings, outbox: &Outbox, stop: &AtomicBool) {
    // Fails only if there is one already, which then serves as well.
    drop(rustls::crypto::ring::default_provider().install_default());
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .user_agent(concat!("andon/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let mut pause = LOOK;
    let mut told = false;
    while !stop.load(Relaxed) {
        pause = match send(s, &agent, outbox) {
            Ok(true) => {
                told = false;
                Duration::ZERO
            }
            Ok(false) => LOOK,
            Err(why) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!("webhook {}: {why}; records wait in the outbox", s.url);
                }
                (2 * pause.max(Duration::from_millis(100))).min(Duration::from_secs(30))
            }
        };
        let until = Mono::now() + pause;
        while Mono::now() < until && !stop.load(Relaxed) {
            std::thread::sleep(Duration::from_millis(10).min(pause));
        }
    }
}

/// Whether anything was sent.
fn send(s: &WebhookSettings, agent: &ureq::Agent, outbox: &Outbox) -> Result<bool, String> {
    let rows = outbox.next(None, BATCH).map_err(|e| e.to_string())?;
    let Some(last) = rows.last().map(|r| r.id) else { return Ok(false) };
    let mut body = vec![b'['];
    for (n, row) in rows.iter().enumerate() {
        if n > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&row.json);
    }
    body.push(b']');
    let mut request = agent.post(&s.url).header("Content-Type", "application/json");
    if let Some(token) = &s.token {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    request.send(&body[..]).map_err(|e| e.to_string())?;
    outbox.taken(last).map_err(|e| e.to_string())?;
    Ok(true)
}
