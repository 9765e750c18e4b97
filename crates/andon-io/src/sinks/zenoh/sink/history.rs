//! `andon/<site>/<line>/<station>/history`: the same questions as `andon history`, by the same names. Zenoh's threads only hand a query over;
//! a thread of its own reads the file, one query after the other, so that a slow one holds up no verdict.

use std::path::Path;
use std::sync::Arc;

use ::zenoh::bytes::Encoding;
use ::zenoh::query::{Query, Queryable};
use ::zenoh::{Session, Wait};
use crossbeam_channel::{Receiver, bounded};
use thiserror::Error;

use super::super::ZenohError;
use super::wait;
use crate::history::{Filter, History, HistoryError, ParameterError, Period};
use crate::sinks::wire::StationInfo;

/// Queries that wait for their turn; further ones are refused with a word.
const WAITING: usize = 16;

/// Why a query has no page.
#[derive(Debug, Error)]
enum Unanswered {
    #[error(transparent)]
    History(#[from] HistoryError),
    #[error("{0}: no such kind of counters; hour, shift or batch")]
    Period(String),
    #[error("no part with this id in the history")]
    NoSuchPart,
    #[error("the answer cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

impl From<ParameterError> for Unanswered {
    fn from(error: ParameterError) -> Unanswered {
        HistoryError::from(error).into()
    }
}

/// Declares the key if a history is kept at `path`.
pub(super) fn declare(
    session: &Session,
    names: &Arc<StationInfo>,
    path: Option<&Path>,
) -> Result<Option<Queryable<()>>, ZenohError> {
    let Some(path) = path else { return Ok(None) };
    let own = format!("{}/history", names.station_key());
    let history = History::new(path, names.shifts.clone());
    let (to, queries) = bounded::<Query>(WAITING);
    let key = own.clone();
    // Ends when the queryable, and with it the channel, is gone.
    let answering =
        std::thread::Builder::new().name("zenoh-history".to_owned()).spawn(move || serve(&key, &history, &queries));
    if let Err(e) = answering {
        tracing::error!("zenoh answers no questions about the history: its thread cannot start: {e}");
        return Ok(None);
    }
    let declared = session.declare_queryable(own).callback(move |query| {
        if let Err(refused) = to.try_send(query) {
            refuse(&refused.into_inner(), "too many questions about the history at once; ask again");
        }
    });
    wait(declared).map(Some)
}

fn serve(own: &str, history: &History, queries: &Receiver<Query>) {
    for query in queries {
        // A dashboard that reads everything under the station does not mean the history.
        if query.key_expr().as_str() != own {
            refuse(&query, &format!("the history is asked by its exact key, {own}"));
            continue;
        }
        let pairs: Vec<(String, String)> =
            query.parameters().iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        match answer(history, &pairs) {
            Ok(json) => {
                if let Err(why) = query.reply(own, json).encoding(Encoding::APPLICATION_JSON).wait() {
                    tracing::debug!("a reply on {own} was not taken: {why}");
                }
            }
            Err(why) => refuse(&query, &why.to_string()),
        }
    }
}

fn refuse(query: &Query, why: &str) {
    if let Err(why) = query.reply_err(why).encoding(Encoding::TEXT_PLAIN).wait() {
        tracing::debug!("an error reply about the history was not taken: {why}");
    }
}

/// `part=ID` is everything about a part, `counters=hour|shift|batch` counters; else a page of what the filter finds.
fn answer(history: &History, pairs: &[(String, String)]) -> Result<String, Unanswered> {
    let given = |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    if let Some(id) = given("part") {
        let part = history.part(id)?.ok_or(Unanswered::NoSuchPart)?;
        return Ok(serde_json::to_string(&part)?);
    }
    let filter =
        pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).filter(|(name, _)| *name != "counters");
    let filter = Filter::parse(filter, history.calendar())?;
    if let Some(by) = given("counters") {
        let period = match by {
            "hour" => Period::Hour,
            "shift" => Period::Shift,
            "batch" => Period::Batch,
            _ => return Err(Unanswered::Period(format!("counters={}", by.escape_debug()))),
        };
        return Ok(serde_json::to_string(&history.counters(period, &filter)?)?);
    }
    if filter.kinds.is_empty() {
        Ok(serde_json::to_string(&history.query(&filter)?)?)
    } else {
        Ok(serde_json::to_string(&history.events(&filter)?)?)
    }
}
