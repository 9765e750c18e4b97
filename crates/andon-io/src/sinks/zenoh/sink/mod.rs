//! Verdicts, heatmaps, statistics and control over Zenoh.
//!
//! The session is opened on a thread of its own, tried for ever; verdicts wait in a bounded ring until then. Nothing here
//! uses `CongestionControl::Block`: one frozen subscriber would stall it for seconds. Lost verdicts are made good by the
//! publisher's cache and the subscriber's recovery instead (zenoh-ext's advanced publisher).

mod control;
#[cfg_attr(not(feature = "store"), path = "history_absent.rs")]
mod history;
mod recipe;
mod session;
mod twins;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::zenoh::Wait;
use image::ImageEncoder;

use self::session::ZenohSession;
use super::{ZenohConfig, ZenohError};
use crate::sinks::wire::{self, StationInfo, Topic};
use crate::sinks::{SinkContext, SinkError};
use andon_core::Mono;
use andon_core::{Accepted, Control, MapRecord, Record, Render, Sink};

pub use session::probe;

/// Verdicts that wait for the session: 33 s at 60 parts/s. Also the publisher's cache for late or lost subscribers.
const RING: usize = 2000;

/// Starts the sink of the table.
pub(in crate::sinks) fn start(config: &ZenohConfig, context: &SinkContext<'_>) -> Result<Box<dyn Sink>, SinkError> {
    let (station, control) = (context.station.clone(), context.control.clone());
    let history = context.history.map(Path::to_owned);
    Ok(Box::new(ZenohSink::start_with_history(config.clone(), station, control, (context.render)(), history)?))
}

/// The sink.
pub struct ZenohSink {
    names: Arc<StationInfo>,
    open: Arc<Mutex<Option<ZenohSession>>>,
    /// Taken from `open` once it is there.
    session: Option<ZenohSession>,
    waiting: VecDeque<(Topic, Vec<u8>)>,
    stop: Arc<AtomicBool>,
    opener: Option<std::thread::JoinHandle<()>>,
    render: Render,
    levels: Vec<u8>,
}

impl ZenohSink {
    /// Starts to open a session and returns at once.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        options: ZenohConfig,
        names: StationInfo,
        control: Arc<dyn Control>,
        render: Render,
    ) -> std::io::Result<ZenohSink> {
        ZenohSink::start_with_history(options, names, control, render, None)
    }

    /// The same, and the history at this path can be asked.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start_with_history(
        options: ZenohConfig,
        names: StationInfo,
        control: Arc<dyn Control>,
        render: Render,
        history: Option<PathBuf>,
    ) -> std::io::Result<ZenohSink> {
        let names = Arc::new(names);
        let open = Arc::new(Mutex::new(None));
        let stop = Arc::new(AtomicBool::new(false));
        let (slot, stopped, for_session) = (open.clone(), stop.clone(), names.clone());
        let opener = std::thread::Builder::new().name("zenoh-open".to_owned()).spawn(move || {
            let mut pause = Duration::from_millis(200);
            while !stopped.load(Relaxed) {
                match ZenohSession::new(&options, &for_session, &control, history.as_deref()) {
                    Ok(session) => {
                        tracing::info!("zenoh is open");
                        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
                        return;
                    }
                    Err(why) => tracing::warn!(retry_in = ?pause, "zenoh cannot open: {why}"),
                }
                let until = Mono::now() + pause;
                while !stopped.load(Relaxed) && Mono::now() < until {
                    std::thread::sleep(Duration::from_millis(20));
                }
                pause = (pause * 2).min(Duration::from_secs(5));
            }
        })?;
        Ok(ZenohSink {
            names,
            open,
            session: None,
            waiting: VecDeque::new(),
            stop,
            opener: Some(opener),
            render,
            levels: Vec::new(),
        })
    }

    /// Takes the session over when it has come, and sends what waited for it.
    fn session(&mut self) -> Option<&ZenohSession> {
        if self.session.is_none() {
            self.session = self.open.try_lock().ok().and_then(|mut slot| slot.take());
            if let Some(session) = &self.session {
                for (kind, payload) in self.waiting.drain(..) {
                    session.put(kind, payload);
                }
            }
        }
        self.session.as_ref()
    }

    fn offer_map(&mut self, map: &MapRecord) -> Accepted {
        let wall = self.names.clock.now();
        let ZenohSink { session: Some(session), names, render, levels, .. } = self else { return Accepted::Ignored };
        if !session.wants_map(map.camera) {
            return Accepted::Ignored;
        }
        let (width, height, typical) = render(map, levels);
        let note = wire::heatmap_note(names, &wall, map, typical);
        let (Some(png), Ok(note)) = (png(levels, width, height), serde_json::to_vec(&note)) else {
            return Accepted::Shed;
        };
        session.put_heatmap(map.camera, png, note)
    }
}

impl Sink for ZenohSink {
    fn name(&self) -> &'static str {
        "zenoh"
    }

    fn offer(&mut self, record: &Record) -> Accepted {
        if let Record::Map(map) = record {
            return self.offer_map(map);
        }
        let Some((kind, payload)) = wire::json(&self.names, record) else { return Accepted::Shed };
        if let Some(session) = self.session() {
            return session.put(kind, payload);
        }
        if matches!(kind, Topic::Stats(_)) {
            return Accepted::Ignored;
        }
        let full = self.waiting.len() == RING;
        if full {
            self.waiting.pop_front();
        }
        self.waiting.push_back((kind, payload));
        if full { Accepted::Shed } else { Accepted::Taken }
    }

    fn wants_maps(&self) -> bool {
        self.session.as_ref().is_some_and(ZenohSession::wants_maps)
    }

    fn close(&mut self) {
        self.stop.store(true, Relaxed);
        self.session();
        if let Some(session) = self.session.take() {
            session.close();
        }
        if let Some(opener) = self.opener.take()
            && opener.is_finished()
        {
            drop(opener.join());
        }
    }
}

impl Drop for ZenohSink {
    fn drop(&mut self) {
        self.close();
    }
}

fn png(levels: &[u8], width: u32, height: u32) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    image::codecs::png::PngEncoder::new(&mut bytes)
        .write_image(levels, width, height, image::ExtendedColorType::L8)
        .ok()?;
    Some(bytes)
}

/// Runs a Zenoh call that may wait on its own thread pool.
fn wait<T>(resolve: impl Wait<To = ::zenoh::Result<T>>) -> Result<T, ZenohError> {
    resolve.wait().map_err(ZenohError::Network)
}
