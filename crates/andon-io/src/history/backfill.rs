//! Gives the rows of an earlier version their columns, newest first, in short transactions between those of the line. Each transaction
//! notes how far it came together with what it wrote, so that a program that is killed goes on where it was.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::StoreError;
use super::columns::Columns;
use super::schema;
use super::shifts::ShiftCalendar;

/// Rows of one transaction: about 20 ms of work.
pub(crate) const SLICE_ROWS: i64 = 1000;

/// Rows that have no columns yet, at most: gaps that were swept count too.
pub(super) fn waiting(connection: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT coalesce(sum(high - low + 1), 0) FROM backfill";
    let rows: i64 = connection.prepare_cached(sql)?.query_row([], |r| r.get(0))?;
    Ok(u64::try_from(rows).unwrap_or(0))
}

/// Gives at most `rows` rows their columns. False when none is left.
///
/// # Errors
/// SQLite's; nothing of the slice is in the file then.
pub(crate) fn slice(connection: &mut Connection, columns: &mut Columns, rows: i64) -> rusqlite::Result<bool> {
    // Asked outside of a transaction first: mostly there is nothing to do.
    if waiting(connection)? == 0 {
        return Ok(false);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let more = fill(&transaction, columns, rows).and_then(|more| transaction.commit().map(|()| more));
    if more.is_err() {
        columns.forget();
    }
    more
}

fn fill(transaction: &Transaction<'_>, columns: &mut Columns, rows: i64) -> rusqlite::Result<bool> {
    let range = "SELECT rowid, low, high FROM backfill ORDER BY high DESC LIMIT 1";
    let found = transaction.query_row(range, [], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).optional()?;
    let Some((range, low, high)): Option<(i64, i64, i64)> = found else { return Ok(false) };
    columns.begin(transaction)?;
    let sql = "SELECT id, kind, json FROM record WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC LIMIT ?3";
    let mut statement = transaction.prepare_cached(sql)?;
    let mut found = statement.query(params![low, high, rows])?;
    let mut reached = None;
    let mut count = 0;
    while let Some(row) = found.next()? {
        let id: i64 = row.get(0)?;
        columns.add(transaction, id, row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_bytes()?)?;
        (reached, count) = (Some(id), count + 1);
    }
    columns.finish(transaction, None)?;
    match reached {
        Some(id) if count == rows && id > low => {
            transaction.execute("UPDATE backfill SET high = ?2 WHERE rowid = ?1", params![range, id - 1])?;
            Ok(true)
        }
        _ => {
            transaction.execute("DELETE FROM backfill WHERE rowid = ?1", [range])?;
            waiting(transaction).map(|rows| rows > 0)
        }
    }
}

/// Brings a file that no line writes to this program's version: all of its rows have columns when it returns. `progress` is told how many
/// rows wait still, after each slice, and answers whether to go on.
///
/// # Errors
/// [`StoreError`].
pub fn migrate(path: &Path, shifts: ShiftCalendar, mut progress: impl FnMut(u64) -> bool) -> Result<(), StoreError> {
    let mut connection = schema::open(path)?;
    let failed = |e| StoreError::new(path, e);
    let mut columns = Columns::new(shifts, Vec::new());
    while progress(waiting(&connection).map_err(failed)?) {
        if !slice(&mut connection, &mut columns, SLICE_ROWS * 5).map_err(failed)? {
            return Ok(());
        }
    }
    Ok(())
}
