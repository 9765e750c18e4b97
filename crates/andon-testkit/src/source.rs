//! A camera that plays a script.

use std::collections::VecDeque;
use std::time::Duration;

use andon_core::{CameraState, Frame, FrameNo, Mono, Next, PixelFormat, Pixels, Pooled, Source, SourceError};

/// Width and height of a scripted frame, pixels.
const SIDE: usize = 4;

/// What a scripted camera does next.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// A grey frame whose pixels all have this value.
    Frame(u8),
    /// A frame that cannot be read.
    Broken,
    /// So many frames that the camera numbered and never delivered.
    Gap(u64),
    /// Nothing for so many milliseconds.
    Wait(u64),
}

/// Plays its steps once, then ends.
pub struct ScriptedSource(VecDeque<Step>);

impl ScriptedSource {
    /// Plays these steps.
    pub fn new(script: &[Step]) -> ScriptedSource {
        ScriptedSource(script.iter().copied().collect())
    }
}

/// A frame of each value, with 50 ms after each, so that none is pushed out of a queue.
pub fn spaced(values: &[u8]) -> Vec<Step> {
    values.iter().flat_map(|value| [Step::Frame(*value), Step::Wait(50)]).collect()
}

fn frame(pixels: Pixels) -> Next {
    Next::Frame(Frame { number: FrameNo(0), t_capture: Mono::now(), source_index: None, pixels })
}

impl Source for ScriptedSource {
    fn next(&mut self, _: Mono) -> Result<Next, SourceError> {
        Ok(match self.0.pop_front() {
            None => Next::End,
            Some(Step::Frame(value)) => frame(Pixels::Pooled {
                data: Pooled::alone(vec![value; SIDE * SIDE]),
                format: PixelFormat::Gray8,
                width: SIDE,
                height: SIDE,
                stride: SIDE,
            }),
            Some(Step::Broken) => frame(Pixels::Unreadable),
            Some(Step::Gap(missed)) => Next::Gap { missed, at: Mono::now() },
            Some(Step::Wait(ms)) => {
                std::thread::sleep(Duration::from_millis(ms));
                Next::Idle
            }
        })
    }

    fn state(&self) -> CameraState {
        CameraState::Running
    }

    fn restarts(&self) -> u64 {
        0
    }

    fn last_problem(&self) -> Option<&str> {
        None
    }
}
