//! An open session with everything that is declared on it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use ::zenoh::bytes::Encoding;
use ::zenoh::liveliness::LivelinessToken;
use ::zenoh::pubsub::{Publisher, Subscriber};
use ::zenoh::qos::{CongestionControl, Priority};
use ::zenoh::query::{Query, Queryable};
use ::zenoh::sample::Sample;
use ::zenoh::{Config, Session};
use zenoh_ext::{AdvancedPublisher, AdvancedPublisherBuilderExt, CacheConfig, MissDetectionConfig};

use super::super::{ZenohConfig, ZenohError, ZenohMode};
use super::control::{self, Refusals, Refused};
use super::twins::{LEASE, Twins};
use super::{RING, history, recipe, wait};
use crate::sinks::wire::{self, StationInfo, Topic};
use andon_core::{Accepted, Actor, Control};
use andon_core::{CameraId, Mono};

/// Heartbeat period of sample-miss detection: a subscriber knows of a lost record after this at the latest.
const HEARTBEAT: Duration = Duration::from_millis(250);
/// Nothing that this program takes in is larger.
const MAX_MESSAGE: u32 = 16 << 20;

pub(super) struct ZenohSession {
    session: Session,
    cameras: Vec<CameraEndpoints>,
    lanes: Vec<LanePublishers>,
    /// What takes orders for the whole station: triggers, and the release of the line.
    subscriptions: (Subscriber<()>, Queryable<()>),
    _recipe: Queryable<()>,
    twins: Twins,
    /// Answers questions about the history, if one is kept.
    history: Option<Queryable<()>>,
}

/// The publishers of one lane, as reliable as those of verdicts.
struct LanePublishers {
    part: AdvancedPublisher<'static>,
    eject: AdvancedPublisher<'static>,
    event: AdvancedPublisher<'static>,
}

/// What is declared for one camera.
struct CameraEndpoints {
    verdict: AdvancedPublisher<'static>,
    heatmap: Publisher<'static>,
    stats: Publisher<'static>,
    /// Somebody subscribes to the heatmap.
    watched: Arc<AtomicBool>,
    _alive: LivelinessToken,
    _queryables: [Queryable<()>; 3],
}

impl ZenohSession {
    pub fn new(
        options: &ZenohConfig,
        names: &Arc<StationInfo>,
        control: &Arc<dyn Control>,
        history_path: Option<&Path>,
    ) -> Result<ZenohSession, ZenohError> {
        let session = wait(::zenoh::open(config(options)?))?;
        let lanes = (0..names.lanes.len() as u8)
            .map(|n| {
                let publisher = |kind: Topic, schema| declare_reliable(&session, kind.key(names), schema);
                let part = publisher(Topic::Part(n), wire::PART_SCHEMA)?;
                let eject = publisher(Topic::Eject(n), wire::EJECT_SCHEMA)?;
                Ok(LanePublishers { part, eject, event: publisher(Topic::Event(n), wire::EVENT_SCHEMA)? })
            })
            .collect::<Result<_, ZenohError>>()?;
        let base = names.station_key();
        let refusals = Arc::new(Refusals::new(names.delivery.clone()));
        let subscriptions =
            (triggers(&session, &base, control, &refusals)?, release(&session, &base, control, &refusals, options)?);
        let recipe = recipe::declare(&session, &base, control, &refusals, options.allow_control)?;
        let twins = Twins::declare(&session, names)?;
        let history = history::declare(&session, names, history_path)?;
        // Last, for these say that the box is alive.
        let cameras = (0..names.cameras.len())
            .map(|n| declare(&session, CameraId(n as u8), names, control, &refusals, options.allow_control))
            .collect::<Result<_, _>>()?;
        Ok(ZenohSession { session, cameras, lanes, subscriptions, _recipe: recipe, twins, history })
    }

    pub fn put(&self, kind: Topic, payload: Vec<u8>) -> Accepted {
        // Statistics come once a second.
        if matches!(kind, Topic::Stats(_)) {
            self.twins.tell(Mono::now());
        }
        let sent = match kind {
            Topic::Verdict(c) => self.cameras.get(c.index()).map(|c| wait(c.verdict.put(payload))),
            Topic::Stats(c) => self.cameras.get(c.index()).map(|c| wait(c.stats.put(payload))),
            Topic::Part(n) => self.lanes.get(usize::from(n)).map(|l| wait(l.part.put(payload))),
            Topic::Eject(n) => self.lanes.get(usize::from(n)).map(|l| wait(l.eject.put(payload))),
            Topic::Event(n) => self.lanes.get(usize::from(n)).map(|l| wait(l.event.put(payload))),
        };
        sent.map_or(Accepted::Ignored, taken)
    }

    pub fn put_heatmap(&self, camera: CameraId, png: Vec<u8>, note: Vec<u8>) -> Accepted {
        self.cameras.get(camera.index()).map_or(Accepted::Ignored, |c| taken(wait(c.heatmap.put(png).attachment(note))))
    }

    pub fn wants_map(&self, camera: CameraId) -> bool {
        self.cameras.get(camera.index()).is_some_and(|c| c.watched.load(Relaxed))
    }

    pub fn wants_maps(&self) -> bool {
        self.cameras.iter().any(|c| c.watched.load(Relaxed))
    }

    /// Leaves the network, so that others see it at once. Zenoh's own close may wait for a dead peer: two seconds at most.
    pub fn close(self) {
        let (done, closed) = crossbeam_channel::bounded::<()>(1);
        let closer = std::thread::Builder::new().name("zenoh-close".to_owned()).spawn(move || {
            drop((self.cameras, self.lanes, self.subscriptions, self.twins, self.history));
            if let Err(why) = wait(self.session.close()) {
                tracing::debug!("zenoh did not close cleanly: {why}");
            }
            drop(done);
        });
        if closer.is_ok()
            && closed.recv_timeout(Duration::from_secs(2)) == Err(crossbeam_channel::RecvTimeoutError::Timeout)
        {
            tracing::warn!("zenoh did not close within two seconds; leaving it");
        }
    }
}

fn taken(result: Result<(), ZenohError>) -> Accepted {
    match result {
        Ok(()) => Accepted::Taken,
        Err(_) => Accepted::Shed,
    }
}

/// Opens a session for a moment, for `andon doctor`.
///
/// # Errors
/// [`ZenohError`].
pub fn probe(options: &ZenohConfig) -> Result<(), ZenohError> {
    let session = wait(::zenoh::open(config(options)?))?;
    wait(session.close())
}

fn config(options: &ZenohConfig) -> Result<Config, ZenohError> {
    let mut config = match &options.config_file {
        Some(path) => {
            Config::from_file(path).map_err(|source| ZenohError::ConfigFile { path: path.clone(), source })?
        }
        None => Config::default(),
    };
    let path = |p: &Option<std::path::PathBuf>| serde_json::json!(p.as_ref().map(|p| p.display().to_string()));
    // A client's open fails without its router, and our own thread tries again. A peer's succeeds, and Zenoh tries again only if it may
    // take for ever: with 0 it tries once.
    let connect_timeout_ms = if options.mode == ZenohMode::Client { 0 } else { -1 };
    let mut settings = vec![
        ("mode", serde_json::json!(options.mode.as_str())),
        ("listen/endpoints", serde_json::json!(options.listen)),
        ("connect/endpoints", serde_json::json!(options.connect)),
        // The line starts without its router, and finds it later.
        ("connect/exit_on_failure", serde_json::json!(false)),
        ("connect/timeout_ms", serde_json::json!(connect_timeout_ms)),
        // A plant network is no place for discovery; endpoints are named.
        ("scouting/multicast/enabled", serde_json::json!(false)),
        ("transport/link/tx/lease", serde_json::json!(LEASE.as_millis() as u64)),
        ("transport/link/rx/max_message_size", serde_json::json!(MAX_MESSAGE)),
        // The cache that serves recovery needs time stamps.
        ("timestamping/enabled", serde_json::json!(true)),
    ];
    if options.tls.ca.is_some() {
        settings.push(("transport/link/tls/root_ca_certificate", path(&options.tls.ca)));
    }
    if options.tls.certificate.is_some() && options.tls.key.is_some() {
        settings.push(("transport/link/tls/listen_certificate", path(&options.tls.certificate)));
        settings.push(("transport/link/tls/listen_private_key", path(&options.tls.key)));
        settings.push(("transport/link/tls/connect_certificate", path(&options.tls.certificate)));
        settings.push(("transport/link/tls/connect_private_key", path(&options.tls.key)));
        settings.push(("transport/link/tls/enable_mtls", serde_json::json!(true)));
    }
    for (key, value) in settings {
        config.insert_json5(key, &value.to_string()).map_err(|source| ZenohError::Setting { key, source })?;
    }
    Ok(config)
}

/// A publisher whose subscribers get again what they missed, from its cache. It sends at the highest priority and never waits.
fn declare_reliable(session: &Session, key: String, schema: &str) -> Result<AdvancedPublisher<'static>, ZenohError> {
    wait(
        session
            .declare_publisher(key)
            .encoding(Encoding::from(format!("application/json;schema={schema}")))
            .priority(Priority::RealTime)
            .congestion_control(CongestionControl::Drop)
            .express(true)
            .cache(CacheConfig::default().max_samples(RING))
            .sample_miss_detection(MissDetectionConfig::default().sporadic_heartbeat(HEARTBEAT))
            .publisher_detection(),
    )
}

/// `ctl/trigger`: a put announces a part.
fn triggers(
    session: &Session,
    base: &str,
    control: &Arc<dyn Control>,
    refusals: &Arc<Refusals>,
) -> Result<Subscriber<()>, ZenohError> {
    let own = format!("{base}/ctl/trigger");
    let (key, control, refusals) = (own.clone(), control.clone(), refusals.clone());
    let taken = move |sample: Sample| {
        if let Err(why) = control::triggered(&key, &sample).and_then(|id| Ok(control.trigger(id)?)) {
            refusals.note(&key, sample.key_expr().as_str(), &control::sender(&sample), &why);
        }
    };
    wait(session.declare_subscriber(own).callback(taken))
}

/// `ctl/release`: a query takes the request to stop the line back.
fn release(
    session: &Session,
    base: &str,
    control: &Arc<dyn Control>,
    refusals: &Arc<Refusals>,
    options: &ZenohConfig,
) -> Result<Queryable<()>, ZenohError> {
    let own = format!("{base}/ctl/release");
    let (key, control, allowed) = (own.clone(), control.clone(), options.allow_control);
    queryable(session, own, Some(refusals.clone()), move |query| {
        if !control::released(&key, query)? {
            return Ok(serde_json::json!({ "released": false, "needs": control::RELEASE }).to_string());
        }
        if !allowed {
            return Err(Refused::Off);
        }
        tracing::info!(key, from = control::asker(query), "the line is released");
        control.release(&Actor::zenoh(control::asker(query)))?;
        Ok(serde_json::json!({ "released": true }).to_string())
    })
}

fn declare(
    session: &Session,
    camera: CameraId,
    names: &Arc<StationInfo>,
    control: &Arc<dyn Control>,
    refusals: &Arc<Refusals>,
    allow_control: bool,
) -> Result<CameraEndpoints, ZenohError> {
    let base = names.key(camera);
    let verdict = declare_reliable(session, format!("{base}/verdict"), wire::VERDICT_SCHEMA)?;
    let heatmap = wait(
        session
            .declare_publisher(format!("{base}/heatmap"))
            .encoding(Encoding::IMAGE_PNG)
            .priority(Priority::DataLow)
            .congestion_control(CongestionControl::Drop),
    )?;
    let watched = Arc::new(AtomicBool::new(false));
    let seen = watched.clone();
    wait(heatmap.matching_listener().callback(move |status| seen.store(status.matching(), Relaxed)).background())?;
    // A subscriber may have been there before the listener was.
    watched.store(wait(heatmap.matching_status())?.matching(), Relaxed);
    let stats = wait(
        session
            .declare_publisher(format!("{base}/stats"))
            .encoding(Encoding::from(format!("application/json;schema={}", wire::STATS_SCHEMA)))
            .priority(Priority::Background)
            .congestion_control(CongestionControl::Drop),
    )?;
    let c = control.clone();
    let own = format!("{base}/ctl/threshold");
    let key = own.clone();
    let threshold = queryable(session, own, Some(refusals.clone()), move |query| {
        serve_threshold(query, &key, camera, &*c, allow_control)
    })?;
    let c = control.clone();
    let cfg = queryable(session, format!("{base}/cfg"), None, move |_| Ok(c.config_json()))?;
    let name = names.camera(camera).to_owned();
    let status = queryable(session, format!("{base}/status"), None, move |_| {
        Ok(serde_json::json!({"camera": name, "alive": true}).to_string())
    })?;
    // Who sees it can use all of the above.
    let alive = wait(session.liveliness().declare_token(format!("{base}/status")))?;
    Ok(CameraEndpoints { verdict, heatmap, stats, watched, _alive: alive, _queryables: [threshold, cfg, status] })
}

/// Answers every query on `key`, with an error reply where `answer` has one; never with silence. Errors are noted as refusals.
fn queryable(
    session: &Session,
    key: String,
    refusals: Option<Arc<Refusals>>,
    answer: impl Fn(&Query) -> Result<String, Refused> + Send + Sync + 'static,
) -> Result<Queryable<()>, ZenohError> {
    let own = key.clone();
    wait(session.declare_queryable(key).callback(move |query| {
        let sent = match answer(&query) {
            Ok(json) => wait(query.reply(own.as_str(), json).encoding(Encoding::APPLICATION_JSON)),
            Err(why) => {
                if let Some(refusals) = &refusals {
                    refusals.note(&own, query.key_expr().as_str(), &control::asker(&query), &why);
                }
                wait(query.reply_err(why.to_string()).encoding(Encoding::TEXT_PLAIN))
            }
        };
        if let Err(why) = sent {
            tracing::debug!("a reply on {own} was not taken: {why}");
        }
    }))
}

/// `ctl/threshold` reads; `ctl/threshold?set=12.5`, or the payload `{"set": 12.5}`, changes.
fn serve_threshold(
    query: &Query,
    own: &str,
    camera: CameraId,
    control: &dyn Control,
    allowed: bool,
) -> Result<String, Refused> {
    if let Some(wanted) = control::wanted_threshold(own, query)? {
        if !allowed {
            return Err(Refused::Off);
        }
        let before = control.threshold(camera);
        control.set_threshold(camera, wanted, &Actor::zenoh(control::asker(query)), &control::reason(query))?;
        tracing::warn!(
            key = own,
            from = control::asker(query),
            before,
            now = wanted,
            "the threshold was changed until the next start"
        );
    }
    Ok(serde_json::json!({ "threshold": control.threshold(camera) }).to_string())
}
