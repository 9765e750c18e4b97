//! What stands in for the operator's page in a build without it.

use std::path::Path;
use std::sync::Arc;

use super::error::BuildError;
use super::pictures::Pictures;
use crate::config::{Config, Loaded};
use andon_core::{Control, Sink};
use andon_io::NotBuilt;
use andon_io::sinks::wire::StationInfo;
use andon_line::runtime::Status;

/// No page can be made in this build.
pub enum Page {}

impl Page {
    /// Refuses a page that the configuration wants.
    ///
    /// # Errors
    /// [`BuildError::NoPage`].
    pub fn configured(loaded: &Loaded, _: &Path) -> Result<Option<Page>, BuildError> {
        if loaded.config.page_enabled {
            Err(BuildError::NoPage(NotBuilt::new("page.enabled", "page")))
        } else {
            Ok(None)
        }
    }
}

pub(super) fn not_writable(_: &Config) -> Option<String> {
    None
}

pub(super) struct ServedPage {
    pub server: RunningPage,
    pub sink: Box<dyn Sink>,
    pub control: Arc<dyn Control>,
}

pub(super) fn serve(
    page: Page,
    _: &StationInfo,
    _: &[Option<[u32; 2]>],
    _: &Pictures,
    _: Arc<dyn Control>,
    _: &Arc<Status>,
) -> Result<ServedPage, BuildError> {
    match page {}
}

pub(super) fn url(page: &RunningPage) -> String {
    match *page {}
}

pub(super) enum RunningPage {}
