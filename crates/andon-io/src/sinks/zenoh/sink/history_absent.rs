//! What stands in for the history's key in a build without a store: the key is not declared.

use std::path::Path;
use std::sync::Arc;

use ::zenoh::Session;
use ::zenoh::query::Queryable;

use super::super::ZenohError;
use crate::sinks::wire::StationInfo;

/// Declares nothing: a configuration that keeps a history is refused before.
pub(super) fn declare(
    _: &Session,
    _: &Arc<StationInfo>,
    _: Option<&Path>,
) -> Result<Option<Queryable<()>>, ZenohError> {
    Ok(None)
}
