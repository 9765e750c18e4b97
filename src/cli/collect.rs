//! `andon collect`: pictures to learn from, by the camera that will judge.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use anyhow::Context;
use atomic_write_file::AtomicWriteFile;
use clap::Args;
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::progress::Progress;
use super::{limits, output, setup};
use crate::assemble::open_source;
use crate::config::{self, Camera};
use andon_core::{Frame, Mono, Next, OwnedFrame, Source};
use andon_io::pictures::{PictureQuality, PictureSketch, luma, save_png};

/// `andon collect`.
#[derive(Debug, Args)]
pub(super) struct Collect {
    /// The configuration with the camera; its model need not exist yet.
    #[arg(short, long, value_name = "FILE", default_value = "andon.toml")]
    config: PathBuf,
    /// Name of the camera; not needed where there is one.
    #[arg(long, value_name = "NAME")]
    camera: Option<String>,
    /// Pictures to keep.
    #[arg(long, default_value_t = 300, value_parser = limits::whole(1..=100_000u64))]
    count: u64,
    /// Folder for the pictures; it is made if it is not there.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// From one picture to the next at least: 0.5s. Without it, every frame.
    #[arg(long, value_parser = limits::time_up_to(Duration::from_secs(3600)), default_value = "0s")]
    every: Duration,
    /// Keep pictures that show the same as one that is there: a belt that stands, a part twice.
    #[arg(long)]
    keep_copies: bool,
    /// Add to the pictures that the folder has; nothing is overwritten.
    #[arg(long)]
    more: bool,
    /// The figures as JSON.
    #[arg(long)]
    json: bool,
}

/// What was collected.
#[derive(Debug, Default, Serialize)]
struct Collected {
    schema: &'static str,
    camera: String,
    folder: String,
    /// Pictures that were written.
    kept: u64,
    /// Pixels in a row and rows of the last one.
    size: Option<[usize; 2]>,
    /// Pictures that show what one that is there shows.
    near_copies: u64,
    /// Frames that the camera numbered and that never came.
    dropped: u64,
    /// Frames that came before their turn.
    between: u64,
    /// Frames that could not be read.
    unreadable: u64,
    /// Of the last picture.
    last: Option<PictureQuality>,
    best_sharpness: f64,
    /// Ended by a signal.
    stopped: bool,
}

/// How often the stop flag is looked at while no frame comes.
const TICK: Duration = Duration::from_millis(50);

impl Collect {
    pub fn run(self, log: Option<&str>) -> Result<Exit, Failure> {
        let loaded = config::load(Some(&self.config), config::environment(), &[]).map_err(Failure::config)?;
        let c = &loaded.config;
        let _log = setup::logging(log, "warn", c.log_json)?;
        let camera = self.camera(&c.cameras)?;
        let next_number = self.folder()?;
        let mut source = open_source(camera, &c.allow_elements)
            .map_err(|e| Failure::config(anyhow::anyhow!("camera `{}`: {e}", camera.name)))?;
        let stop = setup::stop_flag()?;
        let mut collector = Collector {
            options: &self,
            camera,
            next_number,
            due: Mono(0),
            there: false,
            frame: OwnedFrame::default(),
            sketches: Vec::new(),
            figures: Collected {
                schema: "andon.collect.v1",
                camera: camera.name.clone(),
                folder: self.output.display().to_string(),
                ..Collected::default()
            },
        };
        let bar = Progress::new();
        bar.set_length(self.count);
        let ended = collector.collect(&mut *source, &stop, &bar);
        bar.finish_and_clear();
        collector.figures.stopped = stop.load(Relaxed);
        self.report(&collector.figures)?;
        ended?;
        if collector.figures.kept == 0 {
            let why = source.last_problem().map_or("no frame came".to_owned(), str::to_owned);
            return Err(anyhow::anyhow!("camera `{}` gave no picture to keep: {why}", camera.name).into());
        }
        Ok(Exit::Ok)
    }

    fn camera<'a>(&self, cameras: &'a [Camera]) -> Result<&'a Camera, Failure> {
        let names = || cameras.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
        let usage = |text: String| Failure::new(Exit::Usage, anyhow::anyhow!(text));
        match (&self.camera, cameras) {
            (_, []) => Err(Failure::config(anyhow::anyhow!("cameras: none; add a table [cameras.NAME]"))),
            (None, [only]) => Ok(only),
            (None, _) => Err(usage(format!("--camera: several are configured; name one of {}", names()))),
            (Some(name), _) => cameras
                .iter()
                .find(|c| c.name == *name)
                .ok_or_else(|| usage(format!("--camera: there is no camera `{name}`; there are {}", names()))),
        }
    }

    /// Makes the folder, or looks into it: the number of the first picture.
    fn folder(&self) -> Result<u64, Failure> {
        let path = &self.output;
        std::fs::create_dir_all(path).with_context(|| format!("cannot make the folder {}", path.display()))?;
        let entries = std::fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
        let names: Vec<String> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        if !names.is_empty() && !self.more {
            let why = format!("{} is not empty; name another folder, or add to it with --more", path.display());
            return Err(Failure::new(Exit::Usage, anyhow::anyhow!(why)));
        }
        output::writable(&path.join("x.png"))?;
        let number = |name: &String| name.strip_suffix(".png")?.rsplit('-').next()?.parse::<u64>().ok();
        Ok(names.iter().filter_map(number).max().map_or(0, |last| last.saturating_add(1)))
    }

    fn report(&self, figures: &Collected) -> std::io::Result<()> {
        if self.json {
            return output::json(figures);
        }
        let Collected { kept, near_copies, dropped, between, unreadable, best_sharpness, .. } = figures;
        let size = figures.size.map_or(String::new(), |[w, h]| format!(" of {w}x{h}"));
        let mut text = format!("{kept} pictures{size} in {}", figures.folder);
        for (n, what) in [
            (near_copies, "near-copies left out (--keep-copies keeps them)"),
            (between, "frames left out by --every"),
            (dropped, "frames dropped by the camera"),
            (unreadable, "frames that could not be read"),
        ] {
            if *n > 0 {
                text.push_str(&format!("; {n} {what}"));
            }
        }
        output::line(&text)?;
        if let Some(last) = figures.last {
            output::line(&format!("sharpness {:.1}, best {best_sharpness:.1}; {}", last.sharpness, exposure(&last)))?;
        }
        if *kept > 0 {
            let (folder, camera) = (&figures.folder, &figures.camera);
            output::line(&format!(
                "next, once defects and near-misses are out of it: andon fit {folder} -o {camera}.andon"
            ))?;
        }
        Ok(())
    }
}

fn exposure(quality: &PictureQuality) -> String {
    format!("{:.1} % of the pixels black, {:.1} % white", quality.dark * 100.0, quality.bright * 100.0)
}

/// Takes frames until there are enough pictures.
struct Collector<'a> {
    options: &'a Collect,
    camera: &'a Camera,
    next_number: u64,
    /// When the next picture may be taken.
    due: Mono,
    /// A part is in the band of presence.
    there: bool,
    frame: OwnedFrame,
    sketches: Vec<PictureSketch>,
    figures: Collected,
}

impl Collector<'_> {
    fn collect(&mut self, source: &mut dyn Source, stop: &AtomicBool, bar: &Progress) -> Result<(), Failure> {
        while self.figures.kept < self.options.count && !stop.load(Relaxed) {
            match source.next(Mono::now() + TICK)? {
                Next::Frame(frame) => self.take(&frame)?,
                Next::Gap { missed, .. } => self.figures.dropped += missed,
                Next::Idle => {}
                Next::End => break,
            }
            bar.set_position(self.figures.kept);
            bar.describe(match (&self.figures.last, source.last_problem()) {
                (Some(last), _) => self.describe(last),
                (None, Some(why)) => format!("no frame yet: {why}"),
                (None, None) => "waiting for the camera".to_owned(),
            });
        }
        match source.broken() {
            Some(e) => Err(e.into()),
            None => Ok(()),
        }
    }

    fn describe(&self, last: &PictureQuality) -> String {
        let f = &self.figures;
        let sharpness = format!("sharpness {:.1} (best {:.1})", last.sharpness, f.best_sharpness);
        format!(
            "{} kept, {sharpness}, {}, {} near-copies, {} dropped",
            f.kept,
            exposure(last),
            f.near_copies,
            f.dropped
        )
    }

    fn take(&mut self, frame: &Frame) -> Result<(), Failure> {
        let Some(view) = frame.view() else {
            self.figures.unreadable += 1;
            return Ok(());
        };
        if let Some(presence) = &self.camera.presence {
            let before = self.there;
            self.there = presence.sees(&view, before);
            if before || !self.there {
                return Ok(());
            }
        }
        let now = Mono::now();
        if now < self.due {
            self.figures.between += 1;
            return Ok(());
        }
        let grey = luma(&view);
        let quality = PictureQuality::of(&grey);
        self.figures.last = Some(quality);
        self.figures.best_sharpness = self.figures.best_sharpness.max(quality.sharpness);
        let sketch = PictureSketch::of(&grey);
        if self.sketches.iter().any(|kept| kept.is_near_copy(&sketch)) {
            self.figures.near_copies += 1;
            if !self.options.keep_copies {
                return Ok(());
            }
        }
        self.frame.copy_from(&view);
        self.write()?;
        self.due = now + self.options.every;
        self.sketches.push(sketch);
        self.figures.kept += 1;
        self.figures.size = Some([view.width, view.height]);
        Ok(())
    }

    fn write(&mut self) -> Result<(), Failure> {
        let bytes = save_png(&self.frame)?;
        let path = loop {
            let path = self.options.output.join(format!("{}-{:06}.png", self.camera.name, self.next_number));
            self.next_number += 1;
            // Somebody else may put files there meanwhile.
            if !path.exists() {
                break path;
            }
        };
        write_whole(&path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(())
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = AtomicWriteFile::open(path)?;
    file.write_all(bytes)?;
    file.commit()
}
