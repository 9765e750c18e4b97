//! The contract of a program that makes its own pictures: the simulator and tests.

use std::time::Duration;

/// Makes pictures. Called on the feed's own thread.
pub trait Painter: Send {
    /// Caps of picture `index`; the caps of the stream change when they do.
    fn caps(&self, index: u64) -> String;

    /// Writes picture `index` whole into `out`, which keeps its storage from picture to picture.
    fn paint(&mut self, index: u64, out: &mut Vec<u8>);

    /// How long after the feed's start picture `index` is due; `None` ends the stream.
    fn due(&self, index: u64) -> Option<Duration>;
}
