//! Starts the sinks that the configuration asks for.

use std::sync::Arc;

use super::error::BuildError;
use crate::config::Config;
use andon_core::{Control, Render, Sink};
use andon_io::sinks::wire::StationInfo;
use andon_io::sinks::{SINKS, SinkContext};
use andon_vision::model::heatmap;

/// What sinks are started with.
pub(super) struct Context<'a> {
    pub station: &'a StationInfo,
    pub control: &'a Arc<dyn Control>,
    /// Parts are announced by messages.
    pub takes_triggers: bool,
}

/// Starts all sinks that are enabled, or of these `tables` those that are enabled and built in.
///
/// # Errors
/// [`BuildError::Sink`].
pub(super) fn start(
    c: &Config,
    tables: Option<&[&str]>,
    context: Context<'_>,
) -> Result<Vec<Box<dyn Sink>>, BuildError> {
    let store = &c.sinks.store;
    let context = SinkContext {
        station: context.station,
        control: context.control,
        takes_triggers: context.takes_triggers,
        history: store.enabled.then_some(store.path.as_path()),
        render: &renderer,
    };
    let mut sinks = Vec::new();
    for kind in SINKS {
        let wanted = tables.is_none_or(|tables| tables.contains(&kind.table) && kind.is_built);
        if wanted {
            sinks.extend(kind.start(&c.sinks, &context)?);
        }
    }
    Ok(sinks)
}

/// Draws maps at the size of the network's input.
fn renderer() -> Render {
    Box::new(|record, levels| {
        let ([w, h], typical) = (record.model.picture_size, record.model.baseline);
        let mut values = Vec::new();
        heatmap::render_into(&record.map, w as usize, h as usize, &mut values);
        heatmap::to_u8(&values, typical, record.threshold, levels);
        (w, h, typical)
    })
}
