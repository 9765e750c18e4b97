//! What the `pictures` thread does with a picture: codes it, writes it into the ring, and leaves it for those who watch.

use std::sync::atomic::Ordering::Relaxed;

use ulid::Ulid;

use super::coding::{PictureFormat, jpeg, luma, png, viewable};
use super::collector::PictureCollector;
use super::config::PicturesConfig;
use super::error::PictureError;
use super::heat::heatmap_png;
use super::live::{LivePicture, LivePictures};
use super::note::{Layout, MapNote, Note, PICTURE_SCHEMA};
use super::quality::CameraFigures;
use super::ring::PictureRing;
use super::stored::QUALITY;
use crate::sinks::wire::{self, StationInfo};
use andon_core::{KeptFor, Mono, PictureLoss, PictureRecord, PictureSink};

/// The longer side of a picture in memory, at most: the live page shows no more.
const LIVE_SIDE: u32 = 960;
/// The name under which its faults and figures are told.
const NAME: &str = "pictures";

/// Fills the ring and the pictures in memory.
pub struct PictureWriter {
    station: StationInfo,
    ring: Option<PictureRing>,
    format: PictureFormat,
    quality: u8,
    with_map: bool,
    live: LivePictures,
    /// Pictures to learn from.
    collector: Option<PictureCollector>,
    /// A fault that was told and lasts.
    fault: bool,
}

impl PictureWriter {
    /// Writes into `ring`, if there is one, as the table says.
    pub fn new(
        config: &PicturesConfig,
        ring: Option<PictureRing>,
        live: LivePictures,
        station: StationInfo,
    ) -> PictureWriter {
        let writer = PictureWriter {
            station,
            ring,
            format: config.format,
            quality: config.jpeg_quality,
            with_map: config.anomaly_map,
            live,
            collector: None,
            fault: false,
        };
        writer.measure();
        writer
    }

    /// Hands pictures that are collected to learn from to this collector.
    pub fn collecting(self, collector: PictureCollector) -> PictureWriter {
        PictureWriter { collector: Some(collector), ..self }
    }

    fn keep(
        &self,
        ring: &PictureRing,
        id: Ulid,
        why: KeptFor,
        verdict: &[u8],
        record: &PictureRecord,
    ) -> Result<(), PictureError> {
        let buffer = &*record.picture;
        let (bytes, ending) = match self.format {
            PictureFormat::Lossless => (png(&buffer.frame)?, "png"),
            PictureFormat::Jpeg => {
                let view = buffer.frame.view().ok_or(PictureError::Empty)?;
                (jpeg(&viewable(&view)?, self.quality, None)?, "jpg")
            }
        };
        let baseline = record.verdict.model.baseline;
        let as_json = |source| PictureError::Note { path: ring.folder().to_owned(), source };
        let note = Note {
            schema: PICTURE_SCHEMA.to_owned(),
            id: id.to_string(),
            kept_for: why.as_str().to_owned(),
            picture: Layout::of(&buffer.frame, ending),
            map: self.with_map.then(|| MapNote::of(&buffer.map, record.verdict.threshold, baseline)).flatten(),
            verdict: serde_json::from_slice(verdict).map_err(as_json)?,
        };
        let note = serde_json::to_vec(&note).map_err(as_json)?;
        ring.store(id, ending, &bytes, &note).map_err(PictureError::file(ring.folder()))
    }

    fn show(&self, id: String, verdict: &[u8], record: &PictureRecord) -> Result<(), PictureError> {
        let buffer = &*record.picture;
        let view = buffer.frame.view().ok_or(PictureError::Empty)?;
        let heatmap_png = heatmap_png(&buffer.map, record.verdict.model.baseline, record.verdict.threshold)?;
        let set_up = self.live.is_set_up(record.verdict.camera, Mono::now());
        let figures = set_up.then(|| CameraFigures::of(&luma(&view)));
        self.live.put(LivePicture {
            id,
            camera: record.verdict.camera,
            seq: record.verdict.seq.0,
            result: record.verdict.outcome.as_str(),
            verdict_json: String::from_utf8_lossy(verdict).into_owned(),
            frame_size: [view.width as u32, view.height as u32],
            jpeg: jpeg(&viewable(&view)?, QUALITY, Some(LIVE_SIDE))?.into(),
            heatmap_png: heatmap_png.map(Into::into),
            figures,
        });
        Ok(())
    }

    /// Counts what became of a picture for the ring. A fault is said when it begins and when it is over.
    fn count(&mut self, kept: Result<(), PictureError>) {
        let counts = self.station.delivery.sink(NAME);
        match kept {
            Ok(()) => {
                counts.taken.fetch_add(1, Relaxed);
                self.station.delivery.pictures().kept.fetch_add(1, Relaxed);
                if std::mem::take(&mut self.fault) {
                    tracing::info!("pictures are kept again");
                    counts.set_fault(None);
                }
            }
            Err(e) => {
                counts.shed.fetch_add(1, Relaxed);
                self.station.delivery.pictures().lose(PictureLoss::Disk);
                if !std::mem::replace(&mut self.fault, true) {
                    tracing::error!("a picture cannot be kept: {e}; the next one is tried again, inspection goes on");
                    counts.set_fault(Some(format!(
                        "pictures cannot be kept: {e}; free some space or lower pictures.max_gb"
                    )));
                }
            }
        }
        self.measure();
    }

    fn measure(&self) {
        let Some(ring) = &self.ring else { return };
        let counts = self.station.delivery.pictures();
        counts.files.store(ring.len() as u64, Relaxed);
        counts.bytes.store(ring.bytes(), Relaxed);
    }
}

impl PictureSink for PictureWriter {
    fn take(&mut self, record: PictureRecord) {
        let names = &self.station;
        let v = &record.verdict;
        let id = wire::verdict_id(names, v.camera, v.seq, v.t_capture);
        // A record of plain numbers and texts is always JSON.
        let verdict = serde_json::to_vec(&wire::verdict(names, &names.clock.now(), v)).unwrap_or_default();
        // Who watches is waiting; the disk is not.
        if record.shown
            && let Err(e) = self.show(id.clone(), &verdict, &record)
        {
            tracing::debug!("a picture cannot be shown: {e}");
        }
        if let Some(collector) = self.collector.as_ref().filter(|_| record.collected) {
            collector.take(v.camera, &id, &record.picture.frame);
        }
        if let (Some(why), Some(ring)) = (record.kept_for, self.ring.clone())
            && let Ok(id) = Ulid::from_string(&id)
        {
            let kept = self.keep(&ring, id, why, &verdict, &record);
            drop(record);
            self.count(kept);
        }
    }

    fn tick(&mut self) {
        if let Some(ring) = &self.ring {
            ring.tidy();
            self.measure();
        }
    }
}
