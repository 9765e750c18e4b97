//! Checks parts, belt, inputs, outputs and ejectors, and turns millimetres into ticks.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::raw::Raw;
use super::raw_line::{Cause, EncoderKind, RawEjector, SafeAction, TriggerKind};
use super::twice;
use super::window::matching;
use andon_core::{EventKind, Outcome, Reason, ReviewBand};
use andon_io::check::Check;
use andon_io::fieldio::gpio::GpioAddress;
use andon_io::fieldio::modbus::ModbusAddress;
use andon_io::fieldio::{Direction, EncoderPoint, IoAddress, IoPoint, IoTables};
use andon_line::act::{AlarmSpec, EjectOn, EjectorSpec, PulseShape};
use andon_line::decide::Matching;

/// Parts, belt and ejectors, checked.
#[derive(Clone, Debug)]
pub struct Parts {
    /// What announces a part.
    pub trigger: TriggerKind,
    /// The input that announces parts.
    pub sensor: Option<IoPoint>,
    /// Trigger to outcome at most.
    pub deadline: Duration,
    /// Before the first ejector acts.
    pub margin: Duration,
    /// The band below the threshold in which nothing passes.
    pub review: Option<ReviewBand>,
    /// Ticks between two parts.
    pub min_pitch: i64,
    /// How frames find their parts.
    pub matching: Matching,
    /// Ticks for a millimetre; `None` if nothing needs it.
    pub ticks_per_mm: Option<f64>,
    /// The encoder.
    pub encoder: Option<EncoderPoint>,
    /// Ejectors by name.
    pub ejectors: Vec<Ejector>,
    /// Alarms.
    pub alarms: AlarmSpec,
    /// On while the line is asked to stop.
    pub line_stop: Option<IoPoint>,
    /// Toggles while parts are decided.
    pub heartbeat: Option<IoPoint>,
    /// Events that do not stop the line.
    pub tolerated: Vec<EventKind>,
}

/// A checked ejector.
#[derive(Clone, Debug)]
pub struct Ejector {
    /// Name.
    pub name: String,
    /// The camera whose parts it ejects, in free run.
    pub camera: Option<String>,
    /// When it acts.
    pub spec: EjectorSpec,
    /// Its output.
    pub output: IoPoint,
    /// The sensor behind it.
    pub confirm: Option<IoPoint>,
}

/// Checks the tables `parts`, `belt`, `inputs`, `outputs`, `ejectors` and `alarms`.
pub(super) fn check(raw: &Raw, base: &Path, wrong: &mut Vec<String>) -> Parts {
    let parts = &raw.parts;
    let mut c = Check { wrong };
    let free = parts.trigger == TriggerKind::FreeRun;
    if parts.trigger == TriggerKind::Sensor && parts.sensor.is_none() {
        c.wrong.push("parts.sensor: missing; name the table [inputs.NAME] that announces parts".to_owned());
    }
    let ticks_per_mm = ticks_per_mm(raw, &mut c);
    let scale = ticks_per_mm.unwrap_or(1.0);
    let ticks = |mm: f64| (mm * scale).round() as i64;
    let encoder = encoder(raw, scale, base, &mut c);
    let matching = matching(raw, scale, &mut c);
    let ejectors: Vec<Ejector> =
        raw.ejectors.iter().map(|(name, e)| ejector(raw, name, e, &ticks, base, &mut c)).collect();
    let review = parts.review_from.and_then(ReviewBand::from_share);
    if let Some(share) = parts.review_from.filter(|_| review.is_none()) {
        c.wrong.push(format!("parts.review_from: {share} is no share of the threshold; above 0 and below 1, as 0.9"));
    }
    if parts.review_from.is_none() && names_borderline(raw) {
        c.wrong.push("ejectors: one acts on `borderline`, and without parts.review_from no part is that".to_owned());
    }
    if !ejectors.is_empty() {
        for (outcome, reason, wanted, key) in [
            (Outcome::Reject, Reason::OverThreshold, true, "reject"),
            (Outcome::Reject, Reason::Borderline, review.is_some(), "borderline"),
            (Outcome::Error, Reason::BadFrame, parts.on_error == SafeAction::Reject, "error"),
            (Outcome::Uninspected, Reason::Late, parts.on_uninspected == SafeAction::Reject, "uninspected"),
        ] {
            if wanted && !ejectors.iter().any(|e| e.spec.causes.has(&outcome, reason)) {
                c.wrong.push(format!(
                    "ejectors: none acts on `{key}`, so such parts would stay on the belt; add it to the causes of one"
                ));
            }
        }
    }
    let output = |name: &Option<String>, key: &str, c: &mut Check<'_>| {
        name.as_ref().and_then(|n| io_point(&raw.outputs, n, key, Direction::Output, base, c))
    };
    let line_stop = output(&raw.alarms.line_stop, "alarms.line_stop", &mut c);
    let heartbeat = output(&raw.alarms.heartbeat, "alarms.heartbeat", &mut c);
    let mut used: BTreeMap<&str, String> = BTreeMap::new();
    let users = raw.ejectors.iter().map(|(n, e)| (e.output.as_str(), format!("ejectors.{n}.output")));
    let others = [(&raw.alarms.line_stop, "alarms.line_stop"), (&raw.alarms.heartbeat, "alarms.heartbeat")];
    for (output, key) in users.chain(others.iter().filter_map(|(o, k)| Some((o.as_deref()?, (*k).to_owned())))) {
        if let Some(other) = used.insert(output, key.clone()) {
            c.wrong.push(format!("{key}: the output `{output}` is {other} already"));
        }
    }
    // Those that nothing uses have to be right too: they will be.
    for line in twice::unused(raw) {
        let Some((table, name)) = line.split(':').next().and_then(|key| key.split_once('.')) else { continue };
        let (tables, direction) = match table {
            "inputs" => (&raw.inputs, Direction::Input),
            _ => (&raw.outputs, Direction::Output),
        };
        io_point(tables, name, &line, direction, base, &mut c);
    }
    let share = raw.alarms.share.unwrap_or([0, 0]);
    if raw.alarms.share.is_some_and(|[n, of]| n == 0 || n > of || of > 10_000) {
        c.wrong.push(format!("alarms.share: {share:?} is not [N, M] with 1 <= N <= M <= 10000"));
    }
    let tolerated = raw.alarms.tolerate.iter().filter_map(|word| {
        let kind = EventKind::ALL.into_iter().find(|k| k.as_str() == word && k.stops_line());
        if kind.is_none() {
            let known: Vec<&str> = EventKind::ALL.iter().filter(|k| k.stops_line()).map(|k| k.as_str()).collect();
            c.wrong.push(format!("alarms.tolerate: `{word}` stops no line; there are {}", known.join(", ")));
        }
        kind
    });
    let tolerated = tolerated.collect();
    let sensor = match (&parts.sensor, parts.trigger) {
        (Some(n), TriggerKind::Sensor) => io_point(&raw.inputs, n, "parts.sensor", Direction::Input, base, &mut c),
        _ => None,
    };
    Parts {
        trigger: parts.trigger,
        sensor,
        deadline: Duration::from_millis(c.range("parts.deadline_ms", parts.deadline_ms as f64, 1.0, 60_000.0) as u64),
        margin: c.ms("parts.margin_ms", parts.margin_ms),
        review,
        min_pitch: if free { 1 } else { ticks(c.range("parts.min_pitch_mm", parts.min_pitch_mm, 0.01, 1e5)).max(1) },
        matching,
        ticks_per_mm,
        encoder,
        ejectors,
        alarms: AlarmSpec { consecutive: raw.alarms.consecutive, share_n: share[0], share_of: share[1] },
        line_stop,
        heartbeat,
        tolerated,
    }
}

/// Counts of the encoder, or microseconds at the constant speed, for a millimetre.
fn ticks_per_mm(raw: &Raw, c: &mut Check<'_>) -> Option<f64> {
    let belt = &raw.belt;
    let speed = belt.speed_m_s.map(|v| c.range("belt.speed_m_s", v, 0.001, 50.0));
    let counts = belt.counts_per_mm.map(|v| c.range("belt.counts_per_mm", v, 0.001, 10_000.0));
    let needed = !raw.ejectors.is_empty() || raw.parts.trigger != TriggerKind::FreeRun;
    match belt.encoder {
        EncoderKind::None => {
            if needed && speed.is_none() {
                c.wrong.push(format!(
                    "belt.speed_m_s: missing; without an encoder, the belt's speed turns {} into a time",
                    distances(raw)
                ));
            }
            speed.map(|v| 1000.0 / v)
        }
        EncoderKind::Gpio | EncoderKind::Modbus => {
            if speed.is_none() {
                let why = "the highest speed of the belt; a count that moves faster is a fault of the encoder";
                c.wrong.push(format!("belt.speed_m_s: missing; {why}"));
            }
            if counts.is_none() {
                c.wrong.push("belt.counts_per_mm: missing; distances are counted by the encoder".to_owned());
            }
            counts
        }
    }
}

/// The keys whose distances are needed.
fn distances(raw: &Raw) -> String {
    let mut keys: Vec<String> = raw.ejectors.keys().map(|name| format!("ejectors.{name}.distance_mm")).collect();
    if raw.parts.trigger != TriggerKind::FreeRun {
        keys.extend(raw.parts.frame_mm.map(|_| "parts.frame_mm".to_owned()));
        keys.push(format!("parts.min_pitch_mm (here {} mm)", raw.parts.min_pitch_mm));
    }
    keys.join(" and ")
}

fn encoder(raw: &Raw, scale: f64, base: &Path, c: &mut Check<'_>) -> Option<EncoderPoint> {
    let belt = &raw.belt;
    let max_rate = belt.speed_m_s.unwrap_or(1.0) * 1000.0 * scale;
    let address = match belt.encoder {
        EncoderKind::None => return None,
        EncoderKind::Gpio => IoAddress::Gpio(GpioAddress {
            chip: base.join(c.need("belt.chip", belt.chip.clone(), "such as /dev/gpiochip0")),
            line: c.need("belt.line", belt.line, "the line of channel A"),
            debounce: Duration::ZERO,
        }),
        EncoderKind::Modbus => IoAddress::Modbus(ModbusAddress {
            address: c.address("belt.address", belt.address.clone()),
            unit: belt.unit.unwrap_or(1),
            point: c.need("belt.register", belt.register, "the holding register of the count, from 0"),
            poll: Duration::from_millis(c.range("belt.poll_ms", belt.poll_ms.unwrap_or(10) as f64, 1.0, 1000.0) as u64),
            timeout: Duration::from_millis(100),
        }),
    };
    let bits = if belt.encoder == EncoderKind::Gpio { 32 } else { belt.bits.unwrap_or(16) };
    if !matches!(bits, 16 | 32) {
        c.wrong.push(format!("belt.bits: {bits} is neither 16 nor 32"));
    }
    let point = IoPoint { name: "belt".to_owned(), active_low: false, safe: false, address };
    Some(EncoderPoint { point, line_b: belt.line_b, modulus: 1 << bits, max_rate })
}

fn ejector(
    raw: &Raw,
    name: &str,
    e: &RawEjector,
    ticks: &dyn Fn(f64) -> i64,
    base: &Path,
    c: &mut Check<'_>,
) -> Ejector {
    let key = |field: &str| format!("ejectors.{name}.{field}");
    let mut mm = |field: &str, value: f64| ticks(c.range(&key(field), value, 0.0, 100_000.0));
    let (distance, length) = (mm("distance_mm", e.distance_mm), mm("part_mm", e.part_mm).max(1));
    let (before, after) = (mm("before_mm", e.before_mm), mm("after_mm", e.after_mm));
    if e.before_mm > e.distance_mm {
        c.wrong.push(format!("{}: {} would begin before the trigger", key("before_mm"), e.before_mm));
    }
    if !(0.001..=1.0).contains(&e.max_duty) {
        c.wrong.push(format!("{}: {} is not in 0.001..=1", key("max_duty"), e.max_duty));
    }
    let default =
        EjectOn::new(true, raw.parts.on_error == SafeAction::Reject, raw.parts.on_uninspected == SafeAction::Reject)
            .and_borderline(!names_borderline(raw));
    let causes = e.causes.as_ref().map_or(default, |list| {
        let has = |cause| list.contains(&cause);
        EjectOn::new(has(Cause::Reject), has(Cause::Error), has(Cause::Uninspected))
            .and_borderline(has(Cause::Borderline))
    });
    if raw.parts.trigger == TriggerKind::FreeRun {
        let cameras = raw.cameras.len();
        match &e.camera {
            Some(camera) if !raw.cameras.contains_key(camera) => {
                c.wrong.push(format!("{}: there is no camera `{camera}`", key("camera")));
            }
            None if cameras > 1 => {
                c.wrong.push(format!(
                    "{}: missing; in free run each of the {cameras} cameras has its own parts",
                    key("camera")
                ));
            }
            _ => {}
        }
    }
    let output = io_point(&raw.outputs, &e.output, &key("output"), Direction::Output, base, c);
    let confirm = e.confirm.as_ref();
    let confirm = confirm.and_then(|n| io_point(&raw.inputs, n, &key("confirm"), Direction::Input, base, c));
    let spec = EjectorSpec {
        distance,
        length,
        before,
        after,
        shape: e.pulse_ms.map_or(PulseShape::Window, |ms| PulseShape::Pulse(c.ms(&key("pulse_ms"), ms))),
        delay_on: c.ms(&key("delay_on_ms"), e.delay_on_ms),
        delay_off: c.ms(&key("delay_off_ms"), e.delay_off_ms),
        min_on: c.ms(&key("min_on_ms"), e.min_on_ms),
        min_gap: c.ms(&key("min_gap_ms"), e.min_gap_ms),
        max_on: c.ms(&key("max_on_ms"), e.max_on_ms),
        max_duty: e.max_duty,
        causes,
        confirm_within: e.confirm.as_ref().map(|_| c.ms(&key("confirm_within_ms"), e.confirm_within_ms)),
    };
    let nowhere = || IoPoint::nowhere(&e.output);
    Ejector { name: name.to_owned(), camera: e.camera.clone(), spec, output: output.unwrap_or_else(nowhere), confirm }
}

/// Whether some ejector is for borderline parts.
fn names_borderline(raw: &Raw) -> bool {
    raw.ejectors.values().any(|e| e.causes.as_ref().is_some_and(|causes| causes.contains(&Cause::Borderline)))
}

/// The input or output that a key names.
fn io_point(
    tables: &IoTables,
    name: &str,
    key: &str,
    direction: Direction,
    base: &Path,
    c: &mut Check<'_>,
) -> Option<IoPoint> {
    match tables.get(name) {
        Some(table) => Some(table.check(name, direction, base, c)),
        None => {
            c.wrong.push(format!("{key}: there is no table [{}.{name}]", direction.table()));
            None
        }
    }
}
