//! The figures of the history on the live page: asked for while somebody looks, at most every two seconds, however many look.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use tokio::time::{Instant, sleep};

use super::ask::{Unanswered, ask};
use super::{Stretch, now_ms};
use crate::act::HistoryAccess;
use crate::live::Figures;
use crate::page::routes::Camera;
use crate::page::site::Site;
use crate::page::visitor::{COUNTED, set};
use andon_io::history::{Filter, HistoryError, Period};

/// Figures are asked for again after this.
const FRESH: Duration = Duration::from_secs(2);
/// Rows of counters at most: cameras and lanes of one box.
const ROWS: u32 = 200;

/// When the figures were asked for last.
pub(super) type LastAsked = Mutex<Option<Instant>>;

/// What the counters of the live page are counted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::page) enum CountedBy {
    /// The shift that runs.
    #[default]
    Shift,
    /// The batch that runs.
    Batch,
    /// The hour that runs.
    Hour,
    /// From the start of the program.
    Start,
}

impl CountedBy {
    /// All of them.
    pub const ALL: [CountedBy; 4] = [CountedBy::Shift, CountedBy::Batch, CountedBy::Hour, CountedBy::Start];

    /// The word in addresses and in the cookie.
    pub fn word(self) -> &'static str {
        match self {
            CountedBy::Shift => "shift",
            CountedBy::Batch => "batch",
            CountedBy::Hour => "hour",
            CountedBy::Start => "start",
        }
    }

    /// The one of a word.
    pub fn of(word: &str) -> Option<CountedBy> {
        CountedBy::ALL.into_iter().find(|by| by.word() == word)
    }
}

/// Chooses what the counters are counted by, for this browser.
pub(super) async fn counted(
    State(site): State<Arc<Site>>,
    Path(word): Path<String>,
    Query(asked): Query<Camera>,
) -> Response {
    let by = CountedBy::of(&word).unwrap_or_default();
    let mut response = Redirect::to(&format!("/?camera={}", asked.camera)).into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("{}; Max-Age=31536000", set(&site, COUNTED, by.word()))) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

/// Keeps the figures fresh while somebody looks.
pub(in crate::page) async fn keep_figures(site: Arc<Site>) {
    if site.service.history().is_err() {
        return;
    }
    loop {
        sleep(FRESH).await;
        if site.streams.load(Relaxed) > 0 {
            refresh_figures(&site).await;
        }
    }
}

/// Brings the figures up to date, unless they are.
pub(in crate::page) async fn refresh_figures(site: &Arc<Site>) {
    {
        let mut last = site.turns.figures.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|at| at.elapsed() < FRESH) {
            return;
        }
        *last = Some(Instant::now());
    }
    match ask(site, of_now).await {
        Ok(figures) => site.board.set_figures(figures),
        Err(Unanswered::NoHistory) => {}
        Err(why) => {
            let trouble = match why {
                Unanswered::Failed(why) => why.to_string(),
                Unanswered::NoHistory | Unanswered::Busy => "busy".to_owned(),
            };
            tracing::debug!("no figures of the history: {trouble}");
            let last = site.board.snapshot().figures.map(|f| Figures::clone(&f)).unwrap_or_default();
            site.board.set_figures(Figures { trouble: Some(trouble), ..last });
        }
    }
}

/// The next page that looks gets new figures: something was reviewed.
pub(super) fn outdated(site: &Site) {
    *site.turns.figures.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

fn of_now(access: &HistoryAccess) -> Result<Figures, HistoryError> {
    let now = now_ms();
    let at = Filter { from: Some(now), to: Some(now + 1), limit: Some(ROWS), ..Filter::default() };
    let history = &access.history;
    let mut batch = history.counters(Period::Batch, &at)?;
    // Of the batches the one that was started last.
    let newest = batch.first().map(|row| row.start);
    batch.retain(|row| Some(row.start) == newest);
    let (from, to) = Stretch::Week.bounds(history.calendar(), now);
    Ok(Figures {
        shift: history.counters(Period::Shift, &at)?,
        batch,
        hour: history.counters(Period::Hour, &at)?,
        waiting: history.queue_counts(&Filter { from, to, ..Filter::default() }, access.every)?,
        trouble: None,
    })
}
