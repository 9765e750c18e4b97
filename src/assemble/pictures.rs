//! Pictures of a line's parts: the ring on disk, if the configuration wants one, and those of now in memory.

use std::sync::Arc;

use super::error::BuildError;
use crate::config::Config;
use andon_core::PictureWants;
use andon_io::pictures::{LivePictures, PictureCollector, PictureRing, PictureWriter};
use andon_io::sinks::wire::StationInfo;
use andon_line::runtime::PictureSpec;

/// Where the pictures of a running line are found. Clones share them.
#[derive(Clone, Debug)]
pub struct Pictures {
    /// Those on disk, if any are kept.
    pub ring: Option<PictureRing>,
    /// Those of now, in memory. Nothing is kept there until somebody watches, or asks for the last parts that did not pass.
    pub live: LivePictures,
    /// Those that are collected to learn from.
    pub collector: PictureCollector,
}

/// Opens the ring if `keeps` and the table is enabled.
///
/// # Errors
/// [`BuildError::Pictures`].
pub(super) fn open(c: &Config, keeps: bool, station: &StationInfo) -> Result<(PictureSpec, Pictures), BuildError> {
    let (table, wants) = (&c.pictures, Arc::new(PictureWants::default()));
    let ring = match keeps && table.enabled {
        true => {
            wants.keep_ring();
            Some(PictureRing::open(&table.path, table.limits())?)
        }
        false => None,
    };
    let live = LivePictures::new(station.cameras.len(), wants.clone());
    let collector = PictureCollector::new(station.cameras.len(), wants.clone());
    let sink = PictureWriter::new(table, ring.clone(), live.clone(), station.clone()).collecting(collector.clone());
    let spec = PictureSpec { rules: table.rules(), wants, sink: Box::new(sink) };
    Ok((spec, Pictures { ring, live, collector }))
}
