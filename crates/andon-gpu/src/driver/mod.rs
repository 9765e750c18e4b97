//! The driver: one GPU, one stream on it, events and graphs. Every other module enqueues its work through [`Device`].

mod device;
mod stream;

pub use device::Device;
pub(crate) use stream::{GraphExec, StreamProgress};
