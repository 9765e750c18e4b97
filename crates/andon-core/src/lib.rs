//! The words of the domain and the contracts between its rooms, used by every other crate: data, what owns or shares it ([`Pool`],
//! [`HardwareHealth`], a frame's mapped buffer), and the traits of sources, detectors, inputs, outputs and sinks. No I/O.
//!
//! # Glossary
//! | word | meaning |
//! |---|---|
//! | part | one thing on the belt; in free run, one frame is one part |
//! | frame | one picture from one camera, with its strides, never reinterpreted |
//! | trigger | the moment a part is announced: a sensor's edge, a message, or its picture itself |
//! | lane | one stream of parts with the cameras that look at it |
//! | ticks | position of the belt: encoder counts, or microseconds where there is no encoder |
//! | seq | number of a part, gap-free per camera and boot |
//! | memory bank | the patch features of good parts that new patches are compared with |
//! | coreset | the small subset of all training patches that is kept as the bank |
//! | patch | one cell of the feature grid |
//! | anomaly map | one value per patch: distance, scaled and smoothed; the heatmap is its upsampled picture |
//! | region | connected part of the map at or above the threshold |
//! | score | raw units of the method (PatchCore: scaled L2 distance); higher is worse |
//! | threshold | same units as the score; `score < threshold` passes |
//! | margin | `score / threshold`: below 1 passes |
//! | outcome | PASS, REJECT, UNINSPECTED or ERROR: exactly one for every part |
//! | verdict | outcome with its reason, score, times and provenance |
//! | notice | something odd that people have to know; `event` on the wire |
//! | box | one computer that runs andon |
//! | picture | a frame with its anomaly map that is kept or shown after its part was judged |
//! | bundle | the `.andon` model file |

mod actor;
mod belt;
mod challenge;
mod control;
mod delivery;
mod detection;
mod detector;
mod fieldio;
mod frame;
pub mod heatmap;
mod ids;
mod interval;
mod judge;
mod machine;
mod event;
mod outcome;
mod owned_frame;
mod part;
mod picture;
mod picture_wants;
mod pool;
mod queue;
mod random;
mod recorder;
mod region;
mod score;
mod secret;
mod sink;
mod source;
mod threads;
mod time;
mod verdict;
mod yuv;

pub use actor::{Actor, Role, Via};
pub use belt::{ClockBelt, EncoderFault, EncoderTracker, ReadingKind, SharedEncoder};
pub use challenge::{ChallengeSign, ChallengeState};
pub use control::{Control, ControlError, RecipeState};
pub use delivery::{Delivery, PictureCounts, PictureLoss, SinkCounts, SinkState};
pub use detection::{AnomalyMap, Detection, Fault, StageTimes};
pub use detector::Detector;
pub use event::{Detail, EventKind, LineEvent, Subject};
pub use fieldio::{BeltSource, Edge, Encoder, FieldError, Input, Output};
pub use frame::{Chroma, Frame, FrameView, PixelFormat, Pixels, Yuv, YuvMatrix};
pub use ids::{CameraId, Seq};
pub use interval::{Interval, wilson};
pub use judge::{Judgement, PassToken, ReviewBand, judge};
pub use machine::{HardwareHealth, ThermalReading};
pub use outcome::{Outcome, Reason};
pub use owned_frame::OwnedFrame;
pub use part::{Belt, Ejection, FrameNo, Part, PartVerdict, Ticks};
pub use picture::{KeptFor, PictureBuffer, PictureRecord, PictureRules, PictureSink};
pub use picture_wants::PictureWants;
pub use pool::{Pool, Pooled};
pub use queue::{EvictOldest, LatestOnly, ParkedReceiver, RefuseNewest, refuse};
pub use random::SplitMix64;
pub use recorder::{RecordedEdge, Recorder};
pub use region::{MAX_REGIONS, NearestGood, Region, Regions};
pub use score::{MAX_OVER_OWN, Score, Threshold, ThresholdError};
pub use secret::mask_secrets;
pub use sink::{Accepted, MapRecord, Record, Render, Sink};
pub use source::{CameraState, Next, Source, SourceError};
pub use threads::{NamedThread, lowest_priority, real_time, spawn};
pub use time::{Mono, WallClock};
pub use verdict::{CameraVerdict, Counts, LatencySummary, MarginSummary, ModelTag, Stats};
pub use yuv::{YuvWeights, yuv_row_into};
