//! How a frame finds its part, and whether it can come in time.

use super::raw::Raw;
use super::raw_line::TriggerKind;
use andon_io::check::Check;
use andon_line::decide::Matching;

/// The rule, in ticks; `scale` are ticks a millimetre.
pub(super) fn matching(raw: &Raw, scale: f64, c: &mut Check<'_>) -> Matching {
    let parts = &raw.parts;
    let given = [parts.frame_ms.is_some(), parts.frame_mm.is_some(), parts.frame_id_offset.is_some()];
    let free = parts.trigger == TriggerKind::FreeRun;
    match (free, given.iter().filter(|g| **g).count()) {
        (true, 0) => return Matching::Free,
        (true, _) => {
            c.wrong.push("parts.frame_ms, frame_mm, frame_id_offset: in free run every frame is a part".to_owned())
        }
        (false, 1) => {}
        (false, n) => c.wrong.push(format!(
            "parts: {n} of frame_ms, frame_mm and frame_id_offset given; exactly one says how a frame finds its part"
        )),
    }
    if let Some([from, to]) = parts.frame_ms {
        window("parts.frame_ms", "ms", [from, to], c);
        late(raw, "parts.frame_ms", to, raw.belt.speed_m_s.map(|v| to * v), c);
        return Matching::Window { from_ns: (from * 1e6) as i64, to_ns: (to * 1e6) as i64 };
    }
    if let Some([from, to]) = parts.frame_mm {
        window("parts.frame_mm", "mm", [from, to], c);
        // At its highest speed the belt needs the least time.
        late(raw, "parts.frame_mm", raw.belt.speed_m_s.map_or(0.0, |v| to / v), Some(to), c);
        return Matching::Range { from: (from * scale) as i64, to: (to * scale).ceil() as i64 };
    }
    Matching::Id { offset: parts.frame_id_offset.unwrap_or(0) }
}

fn window(key: &str, unit: &str, [from, to]: [f64; 2], c: &mut Check<'_>) {
    if !(from.is_finite() && to.is_finite() && from <= to) {
        c.wrong.push(format!("{key}: [{from}, {to}] is not [from, to]"));
    } else if to < 0.0 {
        c.wrong.push(format!("{key}: the window ends at {to} {unit}, before the trigger"));
    }
}

/// A frame from the window's end has to be taken before the part is at the first ejector, and within the deadline.
fn late(raw: &Raw, key: &str, end_ms: f64, end_mm: Option<f64>, c: &mut Check<'_>) {
    let acts = |e: &super::raw_line::RawEjector| e.distance_mm - e.before_mm;
    let first = raw.ejectors.iter().min_by(|a, b| acts(a.1).total_cmp(&acts(b.1)));
    if let (Some((name, ejector)), Some(mm)) = (first, end_mm)
        && mm > acts(ejector)
    {
        let (at, told) = (acts(ejector), rounded(mm));
        c.wrong.push(format!(
            "{key}: the window ends {told} mm behind the trigger, and ejectors.{name} acts at {} mm; a frame has to be taken before that",
            rounded(at)
        ));
    }
    let deadline = raw.parts.deadline_ms;
    if end_ms > deadline as f64 {
        c.wrong.push(format!(
            "{key}: the window ends {} ms after the trigger, and parts.deadline_ms is {deadline}; a frame has to be taken before that",
            rounded(end_ms)
        ));
    }
}

fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
