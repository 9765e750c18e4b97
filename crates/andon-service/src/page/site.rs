//! What every handler of the page has.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};

use tokio::sync::Semaphore;

use super::PictureSource;
use super::aid::SetUps;
use super::kept::Turns;
use super::options::PageOptions;
use crate::accounts::Accounts;
use crate::act::Service;
use crate::live::Board;
use andon_line::telemetry::JudgeState;

/// What judges now, by camera.
pub type Judges = Arc<dyn Fn() -> Vec<JudgeState> + Send + Sync>;

/// What every handler of the page has.
pub(super) struct Site {
    pub options: PageOptions,
    pub board: Arc<Board>,
    pub service: Arc<Service>,
    pub judges: Judges,
    pub pictures: Option<Arc<dyn PictureSource>>,
    /// How many may ask the history at once.
    pub turns: Turns,
    /// Those of the pictures that are not in memory.
    pub readers: Semaphore,
    /// Files of pictures that are sent at once: each reads the disk for minutes.
    pub archives: Semaphore,
    /// Who sets up which camera.
    pub set_ups: SetUps,
    /// Open streams of events.
    pub streams: AtomicUsize,
    /// Requests that were refused for their Host, their origin or their token since the start.
    pub refused: AtomicU64,
    /// Logins that were wrong or too soon since the start.
    pub failed_logins: AtomicU64,
}

impl Site {
    pub fn accounts(&self) -> &Accounts {
        &self.service.accounts
    }
}
