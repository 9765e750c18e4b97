//! What a detector says of a frame: score, anomaly map, times; and the faults that leave a frame without a score.

use thiserror::Error;

/// The anomaly map before upsampling, row by row: one value per patch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnomalyMap {
    /// Cells in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height` values in the units of the score.
    pub data: Vec<f32>,
}

impl AnomalyMap {
    /// Leaves no cells, and keeps the storage.
    pub fn clear(&mut self) {
        (self.width, self.height) = (0, 0);
        self.data.clear();
    }

    /// Copies `other` into `self`, reusing the storage.
    pub fn copy_from(&mut self, other: &AnomalyMap) {
        self.width = other.width;
        self.height = other.height;
        self.data.clear();
        self.data.extend_from_slice(&other.data);
    }
}

/// How long each step of one detection took, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// Crop, resize, normalise.
    pub preprocess_ns: u64,
    /// The network.
    pub infer_ns: u64,
    /// Aggregation of the feature maps.
    pub aggregate_ns: u64,
    /// The method: from features to the map and the score.
    pub score_ns: u64,
}

/// The output slot of a detector, owned by the caller and reused. `score` is raw: it may be NaN, and only
/// `decide::judge` says what that means.
#[derive(Clone, Debug, Default)]
pub struct Detection {
    /// Raw image score.
    pub score: f32,
    /// Anomaly map.
    pub map: AnomalyMap,
    /// For each cell of the map, the good patch that is nearest to it, numbered as the method does; empty where the method has no such
    /// evidence.
    pub nearest_patch: Vec<u32>,
    /// Width and height of the frame.
    pub frame: (usize, usize),
    /// Times of the steps.
    pub times: StageTimes,
}

/// Why a frame could not be scored. Small and without allocation: it is made on the hot lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The frame's bytes cannot be read as what the source says.
    #[error("the frame's buffer does not hold the picture that its caps describe")]
    BadFrame,
    /// The frame's size differs from the one that the model was learned on.
    #[error("frame of {got_w}x{got_h}, the model was learned on {want_w}x{want_h}")]
    WrongSize {
        /// Width that came.
        got_w: u32,
        /// Height that came.
        got_h: u32,
        /// Width of the training images.
        want_w: u32,
        /// Height of the training images.
        want_h: u32,
    },
    /// The frame is of a kind that the model was not learned for.
    #[error("a frame with {got}; the model was learned from {want}")]
    WrongKind {
        /// What came.
        got: &'static str,
        /// What was learned.
        want: &'static str,
    },
    /// A 16-bit value above the range that the model was learned for.
    #[error(
        "a value of {got} where the model's range ends at {white}; learn with a wider --range if such values are right"
    )]
    OutOfRange {
        /// The largest value of the frame.
        got: u16,
        /// The end of the range.
        white: u16,
    },
    /// The part does not lie in any pose in which it looks like those learned from.
    #[error("it does not fit the pose that was learned: {residual} % off, at most {most} % are taken for the part")]
    NotAligned {
        /// 1 less the correlation, in percent.
        residual: u8,
        /// What is taken at most.
        most: u8,
    },
    /// The engine failed.
    #[error("the inference engine failed: {0}")]
    Engine(&'static str),
    /// The inspecting code panicked; it was caught at the stage's border.
    #[error("the inspector panicked on this frame")]
    Panic,
}
