//! A recording of what a lane was fed, and feeding it again. One JSON object a line; floating point values are written as their bits, so that
//! a replay gives the same records to the last byte.
//!
//! The recording holds events, not how the lane was set up: a replay needs the [`LaneSetup`] of then, and records made with the model and
//! threshold of then, of every model by its number.

use std::io::{BufRead, Write};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{LaneAction, LaneController, LaneInput, LaneSetup};
use crate::decide::{FrameSeen, Observed, Trigger};
use andon_core::{
    Belt, ChallengeSign, EncoderFault, Fault, FrameNo, Mono, NearestGood, Region, Regions, StageTimes, Threshold, Ticks,
};

/// What one lane was fed at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TapeEntry {
    /// The lane's number.
    pub lane: u8,
    /// When.
    pub at: Mono,
    /// The belt then.
    pub belt: Belt,
    /// What.
    pub input: LaneInput,
}

/// Why a recording cannot be written or read.
#[derive(Debug, Error)]
pub enum TapeError {
    /// The file.
    #[error("the recording cannot be read or written: {0}")]
    Io(#[from] std::io::Error),
    /// Its text.
    #[error("line {line} of the recording: {why}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
}

impl TapeEntry {
    /// Writes the entry as a line.
    ///
    /// # Errors
    /// [`TapeError::Io`].
    pub fn write(&self, to: &mut dyn Write) -> Result<(), TapeError> {
        let line = Line {
            lane: self.lane,
            at: self.at.0,
            ticks: self.belt.ticks.0,
            belt_at: self.belt.at.0,
            rate: self.belt.rate.to_bits(),
            input: Written::from(&self.input),
        };
        serde_json::to_writer(&mut *to, &line).map_err(std::io::Error::from)?;
        Ok(to.write_all(b"\n")?)
    }

    /// Reads all entries of a recording.
    ///
    /// # Errors
    /// [`TapeError`] with the first line that is none.
    pub fn read_all(from: &mut dyn BufRead) -> Result<Vec<TapeEntry>, TapeError> {
        let mut entries = Vec::new();
        for (n, line) in from.lines().enumerate() {
            let wrong = |why: String| TapeError::Line { line: n + 1, why };
            let line: Line = serde_json::from_str(&line?).map_err(|e| wrong(e.to_string()))?;
            entries.push(TapeEntry {
                lane: line.lane,
                at: Mono(line.at),
                belt: Belt { at: Mono(line.belt_at), ticks: Ticks(line.ticks), rate: f64::from_bits(line.rate) },
                input: line.input.read().map_err(|why| wrong(why.to_owned()))?,
            });
        }
        Ok(entries)
    }
}

/// Feeds a recording to a fresh lane.
#[derive(Debug)]
pub struct Replay {
    controller: LaneController,
    lane: u8,
}

impl Replay {
    /// The lane of this number, as it was set up when it was recorded.
    pub fn new(lane: u8, setup: LaneSetup) -> Replay {
        Replay { controller: LaneController::new(setup), lane }
    }

    /// Feeds the entries of this lane, and hands out what the lane decides.
    pub fn run(&mut self, entries: &[TapeEntry], act: &mut dyn FnMut(LaneAction)) {
        for entry in entries.iter().filter(|entry| entry.lane == self.lane) {
            self.controller.handle(entry.input, entry.at, entry.belt, act);
        }
    }

    /// The lane after what it was fed.
    pub fn controller(&self) -> &LaneController {
        &self.controller
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    lane: u8,
    at: u64,
    belt_at: u64,
    ticks: i64,
    rate: u64,
    input: Written,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Written {
    Trigger { at: u64, ticks: i64, id: Option<u64> },
    Frame { place: usize, frame: u64, t_capture: u64, ticks: i64, source_index: Option<u64> },
    Missing { place: usize, count: u64, at: u64, ticks: i64 },
    Evicted { place: usize, frame: u64 },
    Observed(Box<WrittenObserved>),
    Confirm { ejector: u8, at: u64 },
    InputWorks { input: u8, works: bool },
    OutputWorks { output: u8, works: bool },
    CameraWorks { place: usize, works: bool },
    Challenge { place: usize, sign: String },
    EncoderReset,
    EncoderLost,
    EncoderBack,
    Release,
    Step,
    Stop,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenObserved {
    place: usize,
    frame: u64,
    result: WrittenResult,
    threshold: u32,
    /// Recordings from before models could be changed have none.
    #[serde(default)]
    model: u16,
    #[serde(default)]
    recipe: u16,
    queue_ns: u64,
    /// Preprocess, infer, aggregate, score.
    times: [u64; 4],
    regions_total: u32,
    regions: Vec<WrittenRegion>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum WrittenResult {
    /// Bits of the score.
    Score(u32),
    BadFrame,
    WrongSize([u32; 4]),
    WrongKind,
    OutOfRange([u16; 2]),
    NotAligned([u8; 2]),
    Engine,
    Panic,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRegion {
    /// Left, top, columns, rows, area.
    place: [u32; 5],
    peak: u32,
    nearest: Option<(u32, [u32; 2])>,
}

impl From<&LaneInput> for Written {
    fn from(input: &LaneInput) -> Written {
        match *input {
            LaneInput::Trigger(t) => Written::Trigger { at: t.at.0, ticks: t.ticks.0, id: t.id },
            LaneInput::Frame { place, seen } => Written::Frame {
                place,
                frame: seen.frame.0,
                t_capture: seen.t_capture.0,
                ticks: seen.ticks.0,
                source_index: seen.source_index,
            },
            LaneInput::Missing { place, count, at, ticks } => {
                Written::Missing { place, count, at: at.0, ticks: ticks.0 }
            }
            LaneInput::Evicted { place, frame } => Written::Evicted { place, frame: frame.0 },
            LaneInput::Observed { place, seen } => Written::Observed(Box::new(WrittenObserved::new(place, &seen))),
            LaneInput::Confirm { ejector, at } => Written::Confirm { ejector, at: at.0 },
            LaneInput::InputWorks { input, works } => Written::InputWorks { input, works },
            LaneInput::OutputWorks { output, works } => Written::OutputWorks { output, works },
            LaneInput::CameraWorks { place, works } => Written::CameraWorks { place, works },
            LaneInput::Challenge { place, sign } => Written::Challenge { place, sign: sign.as_str().to_owned() },
            LaneInput::Encoder(EncoderFault::Reset) => Written::EncoderReset,
            LaneInput::Encoder(EncoderFault::Lost) => Written::EncoderLost,
            LaneInput::Encoder(EncoderFault::Back) => Written::EncoderBack,
            LaneInput::Release => Written::Release,
            LaneInput::Step => Written::Step,
            LaneInput::Stop => Written::Stop,
        }
    }
}

impl Written {
    fn read(self) -> Result<LaneInput, &'static str> {
        Ok(match self {
            Written::Trigger { at, ticks, id } => LaneInput::Trigger(Trigger { at: Mono(at), ticks: Ticks(ticks), id }),
            Written::Frame { place, frame, t_capture, ticks, source_index } => LaneInput::Frame {
                place,
                seen: FrameSeen {
                    frame: FrameNo(frame),
                    t_capture: Mono(t_capture),
                    ticks: Ticks(ticks),
                    source_index,
                },
            },
            Written::Missing { place, count, at, ticks } => {
                LaneInput::Missing { place, count, at: Mono(at), ticks: Ticks(ticks) }
            }
            Written::Evicted { place, frame } => LaneInput::Evicted { place, frame: FrameNo(frame) },
            Written::Observed(seen) => LaneInput::Observed { place: seen.place, seen: seen.read()? },
            Written::Confirm { ejector, at } => LaneInput::Confirm { ejector, at: Mono(at) },
            Written::InputWorks { input, works } => LaneInput::InputWorks { input, works },
            Written::OutputWorks { output, works } => LaneInput::OutputWorks { output, works },
            Written::CameraWorks { place, works } => LaneInput::CameraWorks { place, works },
            Written::Challenge { place, sign } => {
                LaneInput::Challenge { place, sign: ChallengeSign::of(&sign).ok_or("its sign is none")? }
            }
            Written::EncoderReset => LaneInput::Encoder(EncoderFault::Reset),
            Written::EncoderLost => LaneInput::Encoder(EncoderFault::Lost),
            Written::EncoderBack => LaneInput::Encoder(EncoderFault::Back),
            Written::Release => LaneInput::Release,
            Written::Step => LaneInput::Step,
            Written::Stop => LaneInput::Stop,
        })
    }
}

impl WrittenObserved {
    fn new(place: usize, seen: &Observed) -> WrittenObserved {
        let t = seen.times;
        WrittenObserved {
            place,
            frame: seen.frame.0,
            result: match seen.result {
                Ok(score) => WrittenResult::Score(score.to_bits()),
                Err(Fault::BadFrame) => WrittenResult::BadFrame,
                Err(Fault::WrongSize { got_w, got_h, want_w, want_h }) => {
                    WrittenResult::WrongSize([got_w, got_h, want_w, want_h])
                }
                Err(Fault::WrongKind { .. }) => WrittenResult::WrongKind,
                Err(Fault::OutOfRange { got, white }) => WrittenResult::OutOfRange([got, white]),
                Err(Fault::NotAligned { residual, most }) => WrittenResult::NotAligned([residual, most]),
                Err(Fault::Engine(_)) => WrittenResult::Engine,
                Err(Fault::Panic) => WrittenResult::Panic,
            },
            threshold: seen.threshold.get().to_bits(),
            model: seen.model,
            recipe: seen.recipe,
            queue_ns: seen.queue_ns,
            times: [t.preprocess_ns, t.infer_ns, t.aggregate_ns, t.score_ns],
            regions_total: seen.regions.total,
            regions: seen.regions.as_slice().iter().map(WrittenRegion::from).collect(),
        }
    }

    fn read(&self) -> Result<Observed, &'static str> {
        let [preprocess_ns, infer_ns, aggregate_ns, score_ns] = self.times;
        let mut regions = Regions::default();
        self.regions.iter().for_each(|region| regions.push(region.read()));
        regions.total = self.regions_total;
        Ok(Observed {
            frame: FrameNo(self.frame),
            result: match self.result {
                WrittenResult::Score(bits) => Ok(f32::from_bits(bits)),
                WrittenResult::BadFrame => Err(Fault::BadFrame),
                WrittenResult::WrongSize([got_w, got_h, want_w, want_h]) => {
                    Err(Fault::WrongSize { got_w, got_h, want_w, want_h })
                }
                // The words of a fault are no part of a record.
                WrittenResult::WrongKind => Err(Fault::WrongKind { got: "recorded", want: "recorded" }),
                WrittenResult::OutOfRange([got, white]) => Err(Fault::OutOfRange { got, white }),
                WrittenResult::NotAligned([residual, most]) => Err(Fault::NotAligned { residual, most }),
                WrittenResult::Engine => Err(Fault::Engine("recorded")),
                WrittenResult::Panic => Err(Fault::Panic),
            },
            threshold: Threshold::new(f32::from_bits(self.threshold)).ok_or("its threshold is none")?,
            model: self.model,
            recipe: self.recipe,
            queue_ns: self.queue_ns,
            times: StageTimes { preprocess_ns, infer_ns, aggregate_ns, score_ns },
            regions,
        })
    }
}

impl From<&Region> for WrittenRegion {
    fn from(r: &Region) -> WrittenRegion {
        WrittenRegion {
            place: [r.x, r.y, r.width, r.height, r.area],
            peak: r.peak.to_bits(),
            nearest: r.nearest.map(|n| (n.source, n.at.map(f32::to_bits))),
        }
    }
}

impl WrittenRegion {
    fn read(&self) -> Region {
        let [x, y, width, height, area] = self.place;
        let nearest = self.nearest.map(|(source, at)| NearestGood { source, at: at.map(f32::from_bits) });
        Region { x, y, width, height, area, peak: f32::from_bits(self.peak), nearest }
    }
}
