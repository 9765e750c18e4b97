//! Numbers of cameras and parts.

use std::fmt;

/// Index of a camera in the configuration's order (by name).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CameraId(pub u8);

impl CameraId {
    /// One station with more cameras than this is split over several boxes.
    pub const MAX: usize = 16;

    /// The index as `usize`, for tables per camera.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for CameraId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of a part: starts at 0 for each camera at each boot and has no gaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seq(pub u64);

impl Seq {
    /// The number after this one.
    pub fn next(self) -> Seq {
        Seq(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
