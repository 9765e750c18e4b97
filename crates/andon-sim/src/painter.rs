//! The simulated camera: the conveyor as a painter of pictures.

use std::time::Duration;

use super::Conveyor;
use andon_io::capture::Painter;

/// Sends the conveyor's parts through a pipeline at a steady rate.
#[derive(Clone, Debug)]
pub struct ConveyorPainter {
    /// The belt.
    pub conveyor: Conveyor,
    /// Parts a second.
    pub rate: f64,
    /// Parts in all; `None` runs for ever.
    pub limit: Option<u64>,
}

impl Painter for ConveyorPainter {
    fn caps(&self, _: u64) -> String {
        let side = self.conveyor.spec().side;
        // The rate in thousandths, because caps want a fraction.
        let rate = (self.rate * 1000.0).round().max(1.0) as u64;
        format!("video/x-raw,format=RGB,width={side},height={side},framerate={rate}/1000")
    }

    fn paint(&mut self, index: u64, out: &mut Vec<u8>) {
        self.conveyor.paint(index, out);
    }

    fn due(&self, index: u64) -> Option<Duration> {
        let due = Duration::from_secs_f64(index as f64 / self.rate);
        self.limit.is_none_or(|limit| index < limit).then_some(due)
    }
}
