//! A detector that does what the first pixel says.

use std::time::Duration;

use andon_core::{Detection, Detector, Fault, FrameView, Regions};

/// The first byte of a frame is its order: up to 249 it is the score.
#[derive(Clone, Copy, Debug, Default)]
pub struct ObedientDetector;

impl ObedientDetector {
    /// The score is NaN.
    pub const NAN: u8 = 255;
    /// The inspecting code panics.
    pub const PANIC: u8 = 254;
    /// The engine fails.
    pub const FAULT: u8 = 253;
    /// Takes 600 ms.
    pub const HANG: u8 = 252;
    /// Takes 20 ms.
    pub const SLOW: u8 = 251;
}

impl Detector for ObedientDetector {
    fn explain(&mut self, _: &Detection, _: f32) -> Regions {
        Regions::default()
    }

    fn warm_up(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn detect(&mut self, frame: &FrameView<'_>, out: &mut Detection) -> Result<(), Fault> {
        let order = frame.data[0];
        out.score = f32::from(order);
        match order {
            Self::NAN => out.score = f32::NAN,
            // Without the message and backtrace of a panic that nobody wanted.
            Self::PANIC => std::panic::resume_unwind(Box::new("on purpose")),
            Self::FAULT => return Err(Fault::Engine("obedient")),
            Self::HANG => std::thread::sleep(Duration::from_millis(600)),
            Self::SLOW => std::thread::sleep(Duration::from_millis(20)),
            _ => {}
        }
        Ok(())
    }

    fn engine_name(&self) -> &'static str {
        "obedient"
    }
}
