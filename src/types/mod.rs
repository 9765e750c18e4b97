//! The words of the domain, used by every other module: data, and what owns or shares it ([`Pool`], [`Machine`], a frame's
//! mapped buffer). No threads, no clocks but [`Mono::now`], no I/O.
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
//! | bundle | the `.andon` model file |

mod delivery;
mod detection;
mod frame;
mod ids;
mod machine;
mod notice;
mod outcome;
mod part;
mod pool;
mod region;
mod score;
mod secret;
mod time;
mod verdict;

pub use delivery::{Delivery, SinkCounts, SinkState};
pub use detection::{Detection, Fault, ScoreMap, StageTimes};
pub use frame::{Chroma, Frame, FrameView, PixelFormat, Pixels, Yuv, YuvMatrix};
pub use ids::{CameraId, Seq};
pub use machine::{ClockState, Machine};
pub use notice::{Detail, Notice, NoticeKind, Subject};
pub use outcome::{Outcome, Reason};
pub use part::{Belt, Fired, FrameNo, Part, PartEnd, Ticks};
pub use pool::{Pool, Pooled};
pub use region::{MAX_REGIONS, Region, Regions};
pub use score::{MAX_OVER_OWN, PassToken, Score, Threshold};
pub use secret::mask_secrets;
pub use time::{Mono, WallClock};
pub use verdict::{Counts, LatencySummary, MarginSummary, ModelTag, Stats, Verdict};
