//! What stands in for the operator's page in a build without it.

use std::path::Path;
use std::sync::Arc;

use super::cameras::CameraParts;
use super::error::BuildError;
use super::pictures::Pictures;
use crate::config::{Config, Loaded, Recipe};
use andon_core::{Control, Sink};
use andon_io::NotBuilt;
use andon_io::sinks::wire::StationInfo;
use andon_line::runtime::{DetectorSwap, Status};

/// No page can be made in this build.
pub enum Page {}

impl Page {
    /// Nothing can be taught without a page.
    pub fn teaching(self, _: &Config, _: &Path) -> Page {
        self
    }

    /// Nothing is remembered without a page's file.
    ///
    /// # Errors
    /// None.
    pub fn last_recipe(&self) -> Result<Option<String>, BuildError> {
        match *self {}
    }

    /// Nothing is remembered without a page's file.
    ///
    /// # Errors
    /// None.
    pub fn keep_recipe(&self, _: Option<&str>) -> Result<(), BuildError> {
        match *self {}
    }

    /// The recipes of a configuration.
    pub fn recipes(c: &Config) -> Vec<Recipe> {
        c.recipes.clone()
    }

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
    pub server: Option<RunningPage>,
    pub sink: Option<Box<dyn Sink>>,
    pub control: Arc<dyn Control>,
}

#[allow(dead_code, reason = "what a page would stand beside")]
pub(super) struct Beside<'a> {
    pub station: &'a StationInfo,
    pub frames: &'a [Option<[u32; 2]>],
    pub pictures: &'a Pictures,
    pub status: &'a Arc<Status>,
    pub cameras: &'a [CameraParts],
    pub swaps: &'a [Arc<DetectorSwap>],
    pub recipes: &'a [Recipe],
    pub recipe: Option<&'a str>,
}

pub(super) fn serve(page: Page, _: Beside<'_>, _: Arc<dyn Control>) -> Result<ServedPage, BuildError> {
    match page {}
}

pub(super) fn url(page: &RunningPage) -> String {
    match *page {}
}

pub(super) enum RunningPage {}
