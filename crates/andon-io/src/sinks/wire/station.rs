//! The station that records come from: the names of the box and of what hangs on it, and the ids that are made of them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use ulid::Ulid;

use crate::history::ShiftCalendar;
use andon_core::{CameraId, Delivery, HardwareHealth, Mono, WallClock};

/// Which box speaks, what hangs on it, and what its records are stamped with. Clones share the clock, the states of the hardware and the
/// counters of the sinks.
#[derive(Clone, Debug, Default)]
pub struct StationInfo {
    /// Plant.
    pub site: String,
    /// Line.
    pub line: String,
    /// Station.
    pub station: String,
    /// This computer, among those that use the same names.
    pub box_name: String,
    /// Cameras by id.
    pub cameras: Vec<String>,
    /// Lanes by number: the camera's name in free run, else `belt`.
    pub lanes: Vec<String>,
    /// Ejectors by lane and number.
    pub ejectors: Vec<Vec<String>>,
    /// Outputs by lane and number.
    pub outputs: Vec<Vec<String>>,
    /// Inputs by lane and number.
    pub inputs: Vec<Vec<String>>,
    /// Pictures come from the simulator.
    pub simulated: bool,
    /// This start of the program.
    pub boot: Ulid,
    /// The clock by which every way out stamps the same record alike.
    pub clock: SharedClock,
    /// Temperatures and clocks, as they were read last.
    pub machine: HardwareHealth,
    /// What became of the records, by sink.
    pub delivery: Delivery,
    /// The shifts that the history counts by.
    pub shifts: ShiftCalendar,
}

/// One pair of clocks for all ways out, so that a record has the same UTC stamps wherever it goes.
#[derive(Clone, Debug, Default)]
pub struct SharedClock(Arc<Mutex<Option<Pairs>>>);

#[derive(Clone, Copy, Debug)]
struct Pairs {
    first: WallClock,
    last: WallClock,
    at: Mono,
}

/// UTC may be stepped; a fresh pair of clocks is taken this often.
const CLOCK: Duration = Duration::from_secs(10);

impl SharedClock {
    /// The pair of now.
    pub fn now(&self) -> WallClock {
        self.pairs().last
    }

    /// The pair that was taken first: what is derived from it stays the same when UTC is stepped.
    pub fn first(&self) -> WallClock {
        self.pairs().first
    }

    fn pairs(&self) -> Pairs {
        let mut pairs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Mono::now();
        match *pairs {
            Some(known) if now.since(known.at) <= CLOCK => known,
            known => {
                let last = WallClock::read();
                *pairs.insert(Pairs { first: known.map_or(last, |k| k.first), last, at: now })
            }
        }
    }
}

impl StationInfo {
    /// Name of a camera.
    pub fn camera(&self, id: CameraId) -> &str {
        self.cameras.get(id.index()).map_or("", String::as_str)
    }

    /// Name of a lane.
    pub fn lane(&self, n: u8) -> &str {
        self.lanes.get(usize::from(n)).map_or("", String::as_str)
    }

    /// Name of an ejector of a lane.
    pub fn ejector(&self, lane: u8, n: u8) -> &str {
        of_lane(&self.ejectors, lane, n)
    }

    /// Name of an output of a lane.
    pub fn output(&self, lane: u8, n: u8) -> &str {
        of_lane(&self.outputs, lane, n)
    }

    /// Name of an input of a lane.
    pub fn input(&self, lane: u8, n: u8) -> &str {
        of_lane(&self.inputs, lane, n)
    }

    /// A ULID that is the same for the same record, whoever sends it again: its time is `at`, its rest a hash of the start and
    /// of what tells the record from every other of this start. A verdict is told by its camera and its number alone.
    pub fn id(&self, at: Mono, what: &[&[u8]]) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.boot.to_bytes());
        for part in what {
            hasher.update(part);
        }
        let mut rest = [0u8; 16];
        rest.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Ulid::from_parts(self.clock.first().unix_ms(at), u128::from_le_bytes(rest)).to_string()
    }

    /// The head of a record.
    pub fn origin(&self, id: String) -> Origin<'_> {
        let StationInfo { site, line, station, box_name, boot, .. } = self;
        Origin { id, boot: boot.to_string(), site, line, station, box_name }
    }

    /// `andon/<site>/<line>/<station>`.
    pub fn station_key(&self) -> String {
        format!("andon/{}/{}/{}", self.site, self.line, self.station)
    }

    /// `andon/<site>/<line>/<station>/<camera>`.
    pub fn key(&self, id: CameraId) -> String {
        format!("{}/{}", self.station_key(), self.camera(id))
    }

    /// `andon/<site>/<line>/<station>/<lane>`.
    pub fn lane_key(&self, n: u8) -> String {
        format!("{}/{}", self.station_key(), self.lane(n))
    }
}

fn of_lane(names: &[Vec<String>], lane: u8, n: u8) -> &str {
    names.get(usize::from(lane)).and_then(|l| l.get(usize::from(n))).map_or("", String::as_str)
}

/// What every record begins with: which one it is and which box it comes from.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Origin<'a> {
    /// ULID of this record: the same for the same record, whoever sends it again.
    pub id: String,
    /// ULID of the program's start; `seq` counts within it.
    pub boot: String,
    /// Plant.
    pub site: &'a str,
    /// Line.
    pub line: &'a str,
    /// Station.
    pub station: &'a str,
    /// The computer.
    #[serde(rename = "box")]
    pub box_name: &'a str,
}
