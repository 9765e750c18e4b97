//! Notices another box with the same site, line and station. Each start of the program has a liveliness token of its own below
//! the station's key, in a chunk that no wildcard of a reader matches.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::zenoh::Session;
use ::zenoh::liveliness::LivelinessToken;
use ::zenoh::pubsub::Subscriber;
use ::zenoh::sample::{Sample, SampleKind};
use ulid::Ulid;

use super::super::ZenohError;
use super::wait;
use crate::sinks::wire::StationInfo;
use andon_core::{Delivery, Mono};

/// A box that froze is seen to be gone after about this time.
pub(super) const LEASE: Duration = Duration::from_secs(2);
/// The token of a program that was killed is seen until its lease ends: only one that stays longer is another box.
const STAYS: Duration = LEASE.saturating_add(Duration::from_secs(1));

pub(super) struct Twins {
    seen: Arc<Mutex<Vec<Twin>>>,
    delivery: Delivery,
    station: String,
    _token: LivelinessToken,
    _others: Subscriber<()>,
}

struct Twin {
    /// Boot and box, as the token names them.
    name: String,
    since: Mono,
    told: bool,
    gone: bool,
}

impl Twins {
    pub fn declare(session: &Session, names: &StationInfo) -> Result<Twins, ZenohError> {
        let base = format!("{}/@box", names.station_key());
        let own = names.boot.to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (list, prefix) = (seen.clone(), base.len() + 1);
        let heard = move |sample: Sample| {
            let Some(name) = sample.key_expr().as_str().get(prefix..).map(|n| n.replace('/', " on box ")) else {
                return;
            };
            if name.split(' ').next().is_some_and(|boot| boot != own && Ulid::from_string(boot).is_ok()) {
                hear(&list, name, sample.kind() == SampleKind::Put, Mono::now());
            }
        };
        let others = session.liveliness().declare_subscriber(format!("{base}/*/*")).history(true).callback(heard);
        let others = wait(others)?;
        let token = wait(session.liveliness().declare_token(format!("{base}/{}/{}", names.boot, names.box_name)))?;
        let (delivery, station) = (names.delivery.clone(), names.station_key());
        Ok(Twins { seen, delivery, station, _token: token, _others: others })
    }

    /// Says what came and went; called about once a second.
    pub fn tell(&self, now: Mono) {
        let mut seen = lock(&self.seen);
        let mut changed = false;
        for twin in seen.iter_mut().filter(|t| !t.told && !t.gone && now.since(t.since) >= STAYS) {
            tracing::warn!(
                station = self.station,
                "another box has the same site, line and station: boot {}; readers cannot tell the two apart, and both are \
                 triggered and released together. Give one of them another name",
                twin.name
            );
            twin.told = true;
            changed = true;
        }
        for twin in seen.iter().filter(|t| t.told && t.gone) {
            tracing::info!(station = self.station, "the other box with the same names is gone: boot {}", twin.name);
            changed = true;
        }
        seen.retain(|t| !t.gone);
        if changed {
            let told: Vec<&str> = seen.iter().filter(|t| t.told).map(|t| t.name.as_str()).collect();
            self.delivery.set_twin("Zenoh", (!told.is_empty()).then(|| format!("boot {}", told.join(", "))));
        }
    }
}

fn hear(seen: &Mutex<Vec<Twin>>, name: String, there: bool, at: Mono) {
    let mut seen = lock(seen);
    let room = seen.len() < 64;
    match seen.iter_mut().find(|t| t.name == name) {
        Some(twin) => twin.gone = !there,
        // A plant has a handful of boxes; whoever declares thousands of tokens is not heard out.
        None if there && room => seen.push(Twin { name, since: at, told: false, gone: false }),
        None => {}
    }
}

fn lock(seen: &Mutex<Vec<Twin>>) -> MutexGuard<'_, Vec<Twin>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
