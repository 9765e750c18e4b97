//! Questions to the history: on threads that may wait, few at once.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::act::{ActError, HistoryAccess};
use crate::page::routes::{WithStatus, show};
use crate::page::site::Site;
use crate::page::view::{self, Place};
use andon_io::history::HistoryError;

/// Questions at once; the history keeps as many connections open.
const USUAL: usize = 3;
/// Questions at once that read a week's rows.
const PATIENT: usize = 1;
/// Who waits longer for a turn is told so.
const WAIT: Duration = Duration::from_secs(3);

/// How many may ask the history at once.
pub(in crate::page) struct Turns {
    usual: Arc<Semaphore>,
    patient: Arc<Semaphore>,
    pub(super) figures: super::figures::LastAsked,
}

impl Default for Turns {
    fn default() -> Self {
        let turns = |n| Arc::new(Semaphore::new(n));
        Turns { usual: turns(USUAL), patient: turns(PATIENT), figures: Default::default() }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(in crate::page) enum Unanswered {
    /// No history is kept.
    NoHistory,
    /// Others ask.
    Busy,
    /// The history says why.
    Failed(HistoryError),
}

/// The status of an answer that the history did not give.
pub(in crate::page) fn status(why: &HistoryError) -> StatusCode {
    match why {
        HistoryError::Parameter(_) => StatusCode::UNPROCESSABLE_ENTITY,
        HistoryError::Missing(_) | HistoryError::Earlier(_) | HistoryError::Store(_) | HistoryError::TooSlow(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        HistoryError::Sqlite(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Asks what is answered within milliseconds.
pub(in crate::page) async fn ask<T: Send + 'static>(
    site: &Arc<Site>,
    question: impl FnOnce(&HistoryAccess) -> Result<T, HistoryError> + Send + 'static,
) -> Result<T, Unanswered> {
    asked(site, &site.turns.usual, question).await
}

/// Asks what reads every row of a shift or a week.
pub(super) async fn ask_patiently<T: Send + 'static>(
    site: &Arc<Site>,
    question: impl FnOnce(&HistoryAccess) -> Result<T, HistoryError> + Send + 'static,
) -> Result<T, Unanswered> {
    asked(site, &site.turns.patient, question).await
}

async fn asked<T: Send + 'static>(
    site: &Arc<Site>,
    turns: &Arc<Semaphore>,
    question: impl FnOnce(&HistoryAccess) -> Result<T, HistoryError> + Send + 'static,
) -> Result<T, Unanswered> {
    if site.service.history().is_err() {
        return Err(Unanswered::NoHistory);
    }
    let turn = match timeout(WAIT, turns.clone().acquire_owned()).await {
        Ok(Ok(turn)) => turn,
        Ok(Err(_)) | Err(_) => return Err(Unanswered::Busy),
    };
    let asked = site.clone();
    // The turn is over when the question is, even if whoever asked is gone by then.
    let answer = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        asked.service.history().map(question)
    });
    match answer.await {
        Ok(Ok(answer)) => answer.map_err(Unanswered::Failed),
        Ok(Err(ActError::NoHistory)) => Err(Unanswered::NoHistory),
        Ok(Err(_)) | Err(_) => Err(Unanswered::Busy),
    }
}

impl Unanswered {
    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Unanswered::NoHistory => StatusCode::NOT_FOUND,
            Unanswered::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Unanswered::Failed(why) => status(why),
        }
    }

    /// A page that says why.
    pub fn page(&self, site: &Site, head: &HeaderMap, place: Place) -> Response {
        show(site, head, 0, place, |scene| {
            let t = scene.visitor.t;
            let contents = match self {
                Unanswered::NoHistory => view::no_history(scene),
                Unanswered::Busy => view::message(scene, t.history, t.history_busy),
                Unanswered::Failed(why) => view::message(scene, t.history, &(t.unanswered)(why)),
            };
            (t.history.to_owned(), contents)
        })
        .with_status(self.status())
    }
}
