//! Pictures of parts: a ring of files on disk ([`PictureRing`]), and those of now in memory ([`LivePictures`]). [`PictureWriter`] fills both on the
//! `pictures` thread; whoever shows pictures holds clones of the two and reads them from any thread. No part waits for any of it.
//!
//! ```text
//! PictureRecord ─► PictureWriter ─► PictureRing: FOLDER/DAY/ID.png (or .jpg), then FOLDER/DAY/ID.json
//!                                └► LivePictures: one JPEG and one heatmap for all who watch
//! ```
//! An `ID` is that of the verdict on the wire. A picture without its `.json` is not in the ring: the note is written last and removed first, so a
//! kill in between leaves a file that the next start removes.

mod coding;
mod collector;
mod config;
mod error;
mod heat;
mod live;
mod note;
mod quality;
mod ring;
mod stored;
mod writer;

pub use coding::{PictureFormat, luma, save_png};
pub use collector::{Collection, PictureCollector};
pub use config::PicturesConfig;
pub use error::PictureError;
pub use heat::heatmap_png;
pub use live::{LivePicture, LivePictures, WatchGuard};
pub use note::PictureSummary;
pub use quality::{CameraFigures, PictureQuality, PictureSketch};
pub use ring::{PictureFilter, PictureRing, RingLimits};
pub use stored::StoredPicture;
pub use writer::PictureWriter;
