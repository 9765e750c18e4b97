//! Opens outputs that only remember what they were told.

use super::Address;
use crate::fieldio::{Devices, EncoderPoint, IoPoint};
use andon_core::{Encoder, FieldError, Input, Output, Recorder};

/// An output that remembers its edges.
pub(in crate::fieldio) fn open_output(
    point: &IoPoint,
    _: &Address,
    _: &mut Devices,
) -> Result<Box<dyn Output>, FieldError> {
    Ok(Box::new(Recorder::new(&point.name)))
}

/// No edge would ever come; the configuration refuses it too.
pub(in crate::fieldio) fn open_input(point: &IoPoint, _: &Address) -> Result<Box<dyn Input>, FieldError> {
    Err(point.not_built())
}

/// No count would ever come.
pub(in crate::fieldio) fn open_encoder(encoder: &EncoderPoint, _: &Address) -> Result<Box<dyn Encoder>, FieldError> {
    Err(encoder.point.not_built())
}
