//! The options of `andon fit` that say what is looked at and how it becomes a score.

mod place;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use super::exit::{Exit, Failure};
use super::first_run;
use crate::assemble::fit_defaults;
use andon_vision::fit::{Augment, MAX_SIDE, Mask};
use andon_vision::import::{Asked, ImportError, Normalise, takes};
use andon_vision::model::Backbone;
use andon_vision::model::engine::EngineOptions;
use andon_vision::model::graph::{Arithmetic, Kind, OnnxGraph, Port, read_network};
use andon_vision::model::head::aggregate::Layer;
use andon_vision::model::head::score::{ImageScore, Scoring};
use andon_vision::preprocess::InputSpec;
use andon_vision::search::{Fixed, Network};

pub(super) use place::PlaceArgs;

/// What is learned and how it becomes a score, from the command line.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Recipe")]
pub(super) struct FitArgs {
    /// Size that pictures are squashed to: one number or WIDTHxHEIGHT. Smaller is faster and sees coarser. Without it, the pictures' own shape with
    /// about as many pixels as 224x224.
    #[arg(long, value_name = "SIZE")]
    size: Option<Size>,
    /// Cut large pictures into COLUMNSxROWS pieces, each squashed to the size: sees finer, costs that many times the network.
    #[arg(long, value_name = "CxR")]
    tiles: Option<Size>,
    /// An ONNX network of your own in place of the compiled-in one: input 1x3xHxW, feature maps (1xCxHxW) or the tokens of a vision transformer
    /// (1xNxC) as outputs.
    #[arg(long, value_name = "FILE", requires_all = ["layers", "normalise"])]
    backbone: Option<PathBuf>,
    /// The network's outputs that become patch features, finest first.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    layers: Option<Vec<String>>,
    /// What the network of --backbone wants: `imagenet` ((x/255 - mean) / deviation), `clip` (the same with its numbers), `unit` (x/255), `centred`
    /// ((x - 127) / 128), `bytes` (x), `caffe` (x less 104, 117, 123 of blue, green, red), or MEAN/DEVIATION of values in 0..1, such as 0.5/0.5.
    #[arg(long, value_name = "HOW", value_parser = normalise)]
    normalise: Option<Normalise>,
    /// Side of the neighbourhood that each layer is averaged over: one odd number, or one a layer; without it 3.
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    pool: Option<Vec<u32>>,
    /// Weight of each layer: one number, or one a layer.
    #[arg(long, value_name = "W,…", value_delimiter = ',', default_value = "1")]
    layer_weights: Vec<f32>,
    /// How much distances count relative to what is usual around the same patch of the memory bank, 0 to 1.
    #[arg(long, value_name = "A", default_value_t = 0.5)]
    pub local_scale: f32,
    /// Standard deviation of the smoothing of the anomaly map, in patches; without it 1.
    #[arg(long, value_name = "S")]
    pub smoothing: Option<f32>,
    /// The picture's score: `max` of the map, `top:N` (mean of the N largest) or `reweighted:B` (PatchCore's equation 7 over B patches).
    #[arg(long, value_name = "RULE", default_value = "max", value_parser = image_score)]
    score: ImageScore,
    /// Regions of fewer pixels of the network's input are not reported (the verdict does not change).
    #[arg(long, value_name = "PIXELS", default_value_t = fit_defaults::SCORING.min_area)]
    min_area: u32,
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Bring parts that turn and shift into one pose first, that of the first picture; a part that does not fit it is an ERROR, not a guess.
    #[arg(long)]
    pub align: bool,
    /// Learn from changed copies too, for when there are few pictures: `rotate` (quarter turns), `brightness` (± 15 %).
    #[arg(long, value_enum, value_delimiter = ',')]
    augment: Vec<Change>,
    /// The network was run before, by the command that this one is a part of.
    #[arg(skip)]
    pub is_tried: bool,
}

/// How pictures are normalised before a network.
pub(super) fn normalise(text: &str) -> Result<Normalise, String> {
    text.parse()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Change {
    Rotate,
    Brightness,
}

/// `N` or `WxH`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size(u32, u32);

impl Size {
    /// Columns and rows.
    pub fn sides(self) -> [u32; 2] {
        [self.0, self.1]
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 == self.1 { self.0.fmt(f) } else { write!(f, "{}x{}", self.0, self.1) }
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        let side = |t: &str| t.parse::<u32>().ok().filter(|n| (1..=4096).contains(n));
        let both = match text.split_once('x') {
            Some((w, h)) => side(w).zip(side(h)),
            None => side(text).map(|n| (n, n)),
        };
        both.map(|(w, h)| Size(w, h)).ok_or_else(|| "give a number from 1 to 4096, or two as 320x256".to_owned())
    }
}

fn image_score(text: &str) -> Result<ImageScore, String> {
    let number = |n: &str| n.parse::<u32>().map_err(|_| format!("`{n}` is no whole number"));
    match text.split_once(':') {
        None if text == "max" => Ok(ImageScore::Max),
        Some(("top", n)) => Ok(ImageScore::Top(number(n)?)),
        Some(("reweighted", n)) => Ok(ImageScore::Reweighted(number(n)?)),
        _ => Err("max, top:N or reweighted:B".to_owned()),
    }
}

/// `0.1%` or `0.001`.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.trim().strip_suffix('%') {
        Some(percent) => (percent, 100.0),
        None => (text, 1.0),
    };
    let value = number.trim().parse::<f64>().ok().map(|v| v / unit).filter(|v| *v > 0.0 && *v < 1.0);
    value.ok_or_else(|| "a share above 0 and below 100 %, as 0.1% or 0.001".to_owned())
}

/// `8ms`, `500us`, `0.02s`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a time with its unit, as 8ms, 500us or 0.02s".to_owned();
    let at = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
    let unit = match &text[at..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        _ => return Err(wrong()),
    };
    let value = text[..at].trim().parse::<f64>().ok().filter(|v| v.is_finite() && *v > 0.0 && *v < 1e6);
    value.map(|v| Duration::from_secs_f64(v * unit)).ok_or_else(wrong)
}

impl FitArgs {
    pub fn scoring(&self) -> Scoring {
        let smoothing = self.smoothing.unwrap_or(fit_defaults::SCORING.smoothing);
        Scoring { smoothing, image: self.score, min_area: self.min_area }
    }

    pub fn augment(&self) -> Augment {
        let asked = |change| self.augment.contains(&change);
        Augment { rotate: asked(Change::Rotate), brightness: asked(Change::Brightness) }
    }

    /// The network with its input and layers, for pictures of this size, if they have one.
    pub fn backbone(&self, pictures: Option<[u32; 2]>) -> anyhow::Result<Backbone> {
        let mut backbone = match &self.backbone {
            Some(path) => self.own(path)?,
            None => fit_defaults::backbone(),
        };
        if let (None, Some(layers)) = (&self.backbone, &self.layers) {
            backbone.outputs = layers.clone();
        }
        let count = backbone.outputs.len();
        let (pools, weights) = (
            each("--pool", self.pool.as_deref().unwrap_or(&[3]), count)?,
            each("--layer-weights", &self.layer_weights, count)?,
        );
        if pools.iter().any(|p| p % 2 == 0 || *p > 31) {
            bail!("--pool: a neighbourhood is an odd number up to 31");
        }
        if weights.iter().any(|w| !(w.is_finite() && *w > 0.0)) {
            bail!("--layer-weights: a weight is a number above 0");
        }
        backbone.layers = pools.into_iter().zip(weights).map(|(pool, weight)| Layer { pool, weight }).collect();
        let tiles = self.tiles.unwrap_or(Size(1, 1));
        let [columns, rows] = [tiles.0, tiles.1].map(|n| n.max(1));
        let piece = pictures.map(|[w, h]| fit_defaults::input_size([w.div_ceil(columns), h.div_ceil(rows)]));
        let [width, height] = match self.size {
            Some(size) => [size.0, size.1],
            None if self.backbone.is_some() && backbone.input.width > 0 => {
                [backbone.input.width, backbone.input.height]
            }
            None => piece.unwrap_or([fit_defaults::SIZE; 2]),
        };
        (backbone.input.width, backbone.input.height) = (width, height);
        if tiles.0.max(tiles.1) > 16 {
            bail!("--tiles: at most 16 each way");
        }
        // Pictures are no larger, so more would only be blown up; and each takes its memory several times over.
        let (width, height) = (width * tiles.0, height * tiles.1);
        if width.max(height) > MAX_SIDE {
            bail!("--size and --tiles: {width}x{height} pixels are looked at, and at most {MAX_SIDE} each way go");
        }
        backbone.tiles = [tiles.0, tiles.1];
        Ok(backbone)
    }

    /// The size of pictures for a method with networks of its own; flags about those of others are refused.
    pub fn own_size(&self, usual: [u32; 2], method: &str) -> anyhow::Result<[u32; 2]> {
        let given = [
            ("--backbone", self.backbone.is_some()),
            ("--layers", self.layers.is_some()),
            ("--pool", self.pool.is_some()),
            ("--layer-weights", self.layer_weights != [1.0]),
            ("--tiles", self.tiles.is_some()),
            ("--augment", !self.augment.is_empty()),
        ];
        if let Some((flag, _)) = given.into_iter().find(|(_, given)| *given) {
            bail!("{flag} is about features of a fixed network, and {method} trains networks of its own; leave it out");
        }
        Ok(self.size.map_or(usual, |size| [size.0, size.1]))
    }

    /// Runs the network of `--backbone` for the first time, in a process of its own; how this process is to end, if it is that one.
    pub fn first_run(&self, engine: &EngineOptions) -> Result<Option<Exit>, Failure> {
        let Some(network) = self.backbone.as_deref().filter(|_| !self.is_tried) else { return Ok(None) };
        let size = self.size.map_or([fit_defaults::SIZE; 2], Size::sides);
        first_run::of_features(network, self.normalise.unwrap_or(Normalise::Imagenet), size, engine)
    }

    fn own(&self, path: &Path) -> anyhow::Result<Backbone> {
        let layers = self.layers.as_deref().unwrap_or_default();
        let size = self.size.map_or([0; 2], Size::sides);
        network(path, self.normalise.unwrap_or(Normalise::Imagenet), layers, size)
    }

    /// The cells of a grid of patches that a mask leaves.
    pub fn cells(mask: Option<&Mask>, grid: (usize, usize)) -> anyhow::Result<Option<Vec<bool>>> {
        let cells = mask.map(|m| m.cells(grid.0, grid.1));
        if cells.as_ref().is_some_and(|c| !c.contains(&true)) {
            bail!("--mask and --roi leave nothing to look at");
        }
        Ok(cells)
    }

    /// What was said by hand, and is not tried otherwise by a search.
    pub fn fixed(&self) -> Fixed {
        Fixed {
            size: self.size.is_some() || self.tiles.is_some(),
            augment: !self.augment.is_empty(),
            align: self.align,
            smoothing: self.smoothing.is_some(),
            layers: self.layers.is_some() || self.layer_weights != [1.0],
            pool: self.pool.is_some(),
            ..Fixed::default()
        }
    }

    /// The network of `--backbone` as one that a search compares with the compiled-in one; none without the flag.
    pub fn networks(&self) -> anyhow::Result<Vec<Network>> {
        /// Sides that suit every network of the field.
        const STEP: u32 = 32;
        let Some((path, layers)) = self.backbone.as_ref().zip(self.layers.as_ref()) else { return Ok(Vec::new()) };
        let backbone = self.own(path)?;
        let normalise = self.normalise.map(|n| n.to_string());
        let flag = format!(
            "--backbone {} --layers {} --normalise {}",
            path.display(),
            layers.join(","),
            normalise.unwrap_or_default()
        );
        Ok(vec![Network { backbone, step: STEP, flag }])
    }

    /// The same with the compiled-in network.
    pub fn without_network(&self) -> FitArgs {
        let (backbone, layers, normalise) = (None, None, None);
        FitArgs { backbone, layers, normalise, ..self.clone() }
    }
}

/// A network from a file, with these outputs, for pictures of this size; 0 by 0 for that of the network, if it takes one alone. One that does not take
/// pictures as the line gives them is rewritten.
pub(super) fn network(
    path: &Path,
    normalise: Normalise,
    layers: &[String],
    [mut width, mut height]: [u32; 2],
) -> anyhow::Result<Backbone> {
    let mut onnx = read_network(path)?;
    let mut outputs = layers.to_vec();
    let graph = OnnxGraph::read(&onnx)?;
    let size = width > 0 && graph.takes().first().is_some_and(|port| port.sides.contains(&None));
    let asked = Asked { size: size.then_some([width, height]), ..Asked::default() };
    match takes(&graph, &asked) {
        // Of every size, to be run at any: only what has to be rewritten asks which.
        Err(ImportError::Ask(_)) if graph.takes().first().is_some_and(plain) => {}
        taken => {
            let taken = taken.with_context(|| path.display().to_string())?;
            let [columns, rows] = taken.size.map(|side| side as u32);
            if width > 0 && [width, height] != [columns, rows] {
                bail!(
                    "{}: it takes pictures of {columns}x{rows} alone, not of {width}x{height}: --size {columns}x{rows}, or export it for other sizes",
                    path.display()
                );
            }
            (width, height) = (columns, rows);
            // Features may have their channels last where the picture has them first.
            let turned = |port: &Port| layers.contains(&port.name) && taken.channels_last(&port.sides);
            if !OnnxGraph::takes_plainly(&taken) || graph.gives().iter().any(turned) {
                let (adapted, names) =
                    graph.adapt_features(&taken, layers).with_context(|| path.display().to_string())?;
                (onnx, outputs) = (adapted.write(), names);
            }
        }
    }
    let Arithmetic { divide, less, over } = normalise.arithmetic();
    // `(x / divide - less) / over` as `(x - mean) * scale`.
    let (mean, scale) = (less.map(|m| m * divide), over.map(|d| 1.0 / (divide * d)));
    Ok(Backbone {
        name: path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default(),
        onnx: Arc::from(onnx),
        input: InputSpec { width, height, mean, scale, range: None },
        outputs,
        layers: vec![Layer { pool: 3, weight: 1.0 }; layers.len()],
        tiles: [1, 1],
        align: None,
    })
}

/// Whether an input takes pictures in f32, colours first, or leaves open which.
fn plain(port: &Port) -> bool {
    port.kind == Kind::Float && matches!(port.sides.as_slice(), [None | Some(1), None | Some(3), _, _])
}

/// A range of 16-bit values: the camera's bits, or black and white.
pub(super) fn range(text: &str) -> Result<[u16; 2], String> {
    let wrong = || format!("`{text}` is neither 8 to 16 bits, such as 12, nor BLACK..WHITE, such as 0..4095");
    match text.split_once("..") {
        Some((black, white)) => match (black.parse(), white.trim_start_matches('=').parse()) {
            (Ok(black), Ok(white)) if black < white => Ok([black, white]),
            _ => Err(wrong()),
        },
        None => match text.trim_end_matches("bit").trim_end_matches('-').parse::<u32>() {
            Ok(bits @ 8..=16) => Ok([0, ((1u32 << bits) - 1) as u16]),
            _ => Err(wrong()),
        },
    }
}

fn each<T: Clone>(option: &str, values: &[T], count: usize) -> anyhow::Result<Vec<T>> {
    match values {
        [one] => Ok(vec![one.clone(); count]),
        all if all.len() == count => Ok(all.to_vec()),
        all => bail!("{option}: {} values for {count} layers", all.len()),
    }
}

#[cfg(test)]
#[path = "fit_args/tests.rs"]
mod tests;
