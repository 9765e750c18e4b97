//! What the page shows of the history: reviews, lists, counters, thresholds that are only tried. Every question goes through [`ask`](ask::ask),
//! on threads that may wait, a few at once and each with a time limit; what is changed goes through the acts.
//!
//! ```text
//! route ─► ask (turns) ─► History ─► view
//!   └────► forms::act ─► ReviewPart, StartBatch ─► Reviews
//! ```

mod archive;
mod ask;
mod counters;
mod export;
mod figures;
mod list;
mod operating;
mod part;
mod review;
mod whatif;

pub(super) use ask::{Turns, ask as ask_now, status};
pub(super) use figures::{CountedBy, keep_figures, refresh_figures};
pub(super) use list::ListFilter;
pub(super) use operating::PointAim;
pub(super) use part::{part, said_of};
pub(super) use review::{QueueChoice, Refusal, ReviewScreen};
pub(super) use whatif::{Flips, Trial};

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use super::site::Site;

/// The addresses of these pages.
pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/review", get(review::review))
        .route("/review/results", get(review::results))
        .route("/review/{id}", post(review::say_of))
        .route("/history", get(list::history))
        .route("/history.csv", get(export::csv))
        .route("/history.json", get(export::json))
        .route("/history.zip", get(archive::zip))
        .route("/counters", get(counters::counters))
        .route("/counters.csv", get(counters::csv))
        .route("/batch", post(counters::start_batch))
        .route("/counted/{by}", get(figures::counted))
        .route("/whatif", get(whatif::whatif))
        .route("/whatif/parts", get(whatif::parts))
}

/// Milliseconds since 1970, now.
pub(super) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// A stretch of time that many pages offer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stretch {
    /// The shift that runs.
    This,
    /// The shift before.
    Last,
    /// The last seven days.
    #[default]
    Week,
    /// Everything.
    All,
}

impl Stretch {
    /// The word in addresses.
    pub fn word(self) -> &'static str {
        match self {
            Stretch::This => "this",
            Stretch::Last => "last",
            Stretch::Week => "week",
            Stretch::All => "all",
        }
    }

    /// From when (included) until when (not included), milliseconds since 1970.
    fn bounds(self, calendar: &andon_io::history::ShiftCalendar, now: i64) -> (Option<i64>, Option<i64>) {
        const DAY: i64 = 86_400_000;
        match self {
            Stretch::This => (Some(calendar.at(now).start), None),
            Stretch::Last => {
                let end = calendar.at(now).start;
                (Some(calendar.at(end - 1).start), Some(end))
            }
            Stretch::Week => (Some(now - 7 * DAY), None),
            Stretch::All => (None, None),
        }
    }
}
