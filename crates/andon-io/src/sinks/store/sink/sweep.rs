//! Removes the oldest rows, a bounded number at a time, so that the rows of the line never wait long for their turn.

use std::sync::atomic::Ordering::Relaxed;

use rusqlite::{Connection, params};

use super::StoreOptions;
use andon_core::Delivery;

/// Rows that one sweep removes at most: about a tenth of a second of work.
const AT_ONCE: i64 = 5000;
/// Counts of ten minutes are kept for so many of them: 90 days.
const KEPT_SLOTS: i64 = 90 * 144;

/// What a sweep did.
pub(super) struct Swept {
    /// Ways out that had not sent what was removed, each with the number of its records lost so.
    pub unsent: Vec<String>,
    /// There is more to remove than was removed at once.
    pub is_more: bool,
}

/// Removes the oldest rows over the limits.
pub(super) fn sweep(connection: &Connection, options: &StoreOptions, delivery: &Delivery) -> rusqlite::Result<Swept> {
    let (Some(low), Some(high)) = (end(connection, "min")?, end(connection, "max")?) else {
        return Ok(Swept { unsent: Vec::new(), is_more: false });
    };
    let keep = i64::try_from(options.max_rows).unwrap_or(i64::MAX);
    let mut up_to = high.saturating_sub(keep);
    let page = |name: &str| connection.pragma_query_value(None, name, |r| r.get::<_, i64>(0));
    let used = (page("page_count")? - page("freelist_count")?) * page("page_size")?;
    if used > i64::try_from(options.max_bytes).unwrap_or(i64::MAX) {
        let kept_from = low.max(up_to.saturating_add(1));
        up_to = up_to.max(kept_from + (high - kept_from) / 10);
    }
    let now = up_to.min(low.saturating_add(AT_ONCE - 1));
    let unsent = if now >= low { remove(connection, low, now, delivery)? } else { Vec::new() };
    Ok(Swept { unsent, is_more: now < up_to })
}

/// The lowest or highest number of a row. Each by itself is a look at one end of the table; both in one statement would read all of it.
fn end(connection: &Connection, which: &str) -> rusqlite::Result<Option<i64>> {
    connection.prepare_cached(&format!("SELECT {which}(id) FROM record"))?.query_row([], |r| r.get(0))
}

/// Removes these rows. Those that an outbox has still to send are lost to its peer, and counted as shed there. The columns of parts that
/// somebody reviewed stay; their JSON goes with the others.
fn remove(connection: &Connection, low: i64, up_to: i64, delivery: &Delivery) -> rusqlite::Result<Vec<String>> {
    let transaction = connection.unchecked_transaction()?;
    let mut lost = Vec::new();
    for way in delivery.sinks().into_iter().filter(|s| s.waiting.is_some()) {
        let unsent = "SELECT count(*) FROM cursor c JOIN way w ON w.name = c.name JOIN record r ON r.id > c.last
             WHERE c.name = ?1 AND r.id <= ?2 AND instr(w.kinds, ',' || r.kind || ',') > 0 AND (r.pass = 0 OR w.rejects_only = 0)";
        let unsent: i64 = transaction.query_row(unsent, params![way.sink, up_to], |r| r.get(0))?;
        if let Ok(unsent @ 1..) = u64::try_from(unsent) {
            lost.push((way.sink, unsent));
        }
    }
    transaction.execute("DELETE FROM record WHERE id <= ?1", [up_to])?;
    transaction.execute("DELETE FROM verdict WHERE record BETWEEN ?1 AND ?2 AND review = 0", [low, up_to])?;
    transaction.execute("DELETE FROM lane_record WHERE record BETWEEN ?1 AND ?2", [low, up_to])?;
    transaction.execute("UPDATE backfill SET low = ?1 + 1 WHERE low <= ?1", [up_to])?;
    transaction.execute("DELETE FROM backfill WHERE low > high", [])?;
    transaction.execute("DELETE FROM bin WHERE slot < (SELECT max(slot) FROM bin) - ?1", [KEPT_SLOTS])?;
    transaction.commit()?;
    let count = |(sink, unsent): (String, u64)| {
        let before = delivery.sink(&sink).shed.fetch_add(unsent, Relaxed);
        format!("{sink} {}", before + unsent)
    };
    Ok(lost.into_iter().map(count).collect())
}
