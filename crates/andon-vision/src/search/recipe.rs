//! Ways to learn, and how one differs from another.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::fit::FitOptions;
use crate::methods::fapm::Fapm;
use crate::methods::patches::FeatureMethod;
use crate::methods::pni::Pni;
use crate::methods::spade::Spade;
use crate::methods::{padim, patchcore};
use crate::model::Backbone;
use crate::model::head::aggregate::Layer;
use crate::preprocess::align::Reference;

/// A way to learn. Its mask is that of the search, not the options'.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The network, at its size.
    pub backbone: Backbone,
    /// The method and the rest.
    pub options: FitOptions,
}

/// One thing that is done otherwise.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Another size of the network's input.
    Size([u32; 2]),
    /// Columns and rows of tiles, each of the network's size.
    Tiles([u32; 2]),
    /// Parts brought into one pose.
    Align,
    /// Learning from quarter turns too.
    Rotate,
    /// Other outputs of the network, by name.
    Layers(Vec<String>),
    /// Another neighbourhood, in patches.
    Pool(u32),
    /// Another standard deviation of the map's smoothing, in patches.
    Smoothing(f32),
    /// Another number of patches in the memory bank.
    Bank(usize),
    /// Another method, with its default parameters.
    Method(&'static str),
    /// Another network: its place in [`super::Search::networks`].
    Network(usize),
}

impl Recipe {
    /// The recipe with this change. `networks` are those that [`Change::Network`] counts, `pose` is what [`Change::Align`] takes.
    pub fn with(&self, change: &Change, networks: &[super::Network], pose: Option<&Arc<Reference>>) -> Recipe {
        let mut recipe = self.clone();
        let Recipe { backbone, options } = &mut recipe;
        match change {
            Change::Size([w, h]) => (backbone.input.width, backbone.input.height) = (*w, *h),
            Change::Tiles(tiles) => backbone.tiles = *tiles,
            Change::Align => backbone.align = pose.cloned(),
            Change::Rotate => options.augment.rotate = true,
            Change::Layers(names) => {
                let layer = backbone.layers.first().copied().unwrap_or(Layer { pool: 3, weight: 1.0 });
                (backbone.layers, backbone.outputs) = (vec![layer; names.len()], names.clone());
            }
            Change::Pool(pool) => backbone.layers.iter_mut().for_each(|layer| layer.pool = *pool),
            Change::Smoothing(smoothing) => options.scoring.smoothing = *smoothing,
            Change::Bank(bank) => {
                if !options.params.is_object() {
                    options.params = Value::Object(Map::new());
                }
                options.params["bank"] = Value::from(*bank);
            }
            Change::Method(id) => {
                options.method = (*id).to_owned();
                options.params = Value::Null;
            }
            Change::Network(number) => {
                if let Some(network) = networks.get(*number) {
                    let (old, [w, h]) = (&backbone.input, [backbone.input.width, backbone.input.height]);
                    let step = network.step.max(1);
                    let near = [w, h].map(|side| (side + step / 2).div_euclid(step).max(1) * step);
                    let mut other = network.backbone.clone();
                    // One that takes a single size has it already.
                    let [w, h] = if other.input.width > 0 { [other.input.width, other.input.height] } else { near };
                    (other.input.width, other.input.height, other.input.range) = (w, h, old.range);
                    (other.tiles, other.align) = (backbone.tiles, backbone.align.clone());
                    *backbone = other;
                }
            }
        }
        recipe
    }

    /// Whether this change changes it.
    pub fn is_changed_by(&self, change: &Change) -> bool {
        let Recipe { backbone, options } = self;
        match change {
            Change::Size(size) => [backbone.input.width, backbone.input.height] != *size,
            Change::Tiles(tiles) => backbone.tiles != *tiles,
            Change::Align => backbone.align.is_none(),
            Change::Rotate => !options.augment.rotate,
            Change::Layers(names) => backbone.outputs != *names,
            Change::Pool(pool) => backbone.layers.iter().any(|layer| layer.pool != *pool),
            Change::Smoothing(smoothing) => options.scoring.smoothing != *smoothing,
            Change::Bank(bank) => {
                options.method == patchcore::ID && options.params["bank"].as_u64() != Some(*bank as u64)
            }
            Change::Method(id) => options.method != *id,
            Change::Network(_) => true,
        }
    }

    /// Pixels that the network sees of a picture.
    pub fn pixels(&self) -> u64 {
        self.backbone.picture_size().iter().map(|side| u64::from(*side)).product()
    }
}

impl Change {
    /// How many times as long a picture takes with it at least (measured with the compiled-in network on two processors).
    pub fn slower(&self, base: &Recipe) -> f64 {
        match self {
            // The finest layer's patches are four times as many.
            Change::Layers(names) if names.len() > base.backbone.outputs.len() => 2.4,
            Change::Method(padim::ID) => 1.4,
            _ => 1.0,
        }
    }

    /// For people.
    pub fn words(&self, networks: &[super::Network]) -> String {
        match self {
            Change::Size([w, h]) => format!("{w}x{h}"),
            Change::Tiles([columns, rows]) => format!("{columns}x{rows} tiles"),
            Change::Align => "aligned".to_owned(),
            Change::Rotate => "quarter turns too".to_owned(),
            Change::Layers(names) => format!("layers {}", names.join(", ")),
            Change::Pool(pool) => format!("neighbourhood of {pool}"),
            Change::Smoothing(smoothing) => format!("smoothing {smoothing}"),
            Change::Bank(bank) => format!("bank of {bank}"),
            Change::Method(id) => format!("method {id}"),
            Change::Network(number) => {
                networks.get(*number).map(|n| format!("network {}", n.backbone.name)).unwrap_or_default()
            }
        }
    }

    /// The flag of `andon fit` that makes the change.
    pub fn flag(&self, networks: &[super::Network]) -> String {
        match self {
            Change::Size([w, h]) => format!("--size {w}x{h}"),
            Change::Tiles([columns, rows]) => format!("--tiles {columns}x{rows}"),
            Change::Align => "--align".to_owned(),
            Change::Rotate => "--augment rotate".to_owned(),
            Change::Layers(names) => format!("--layers {}", names.join(",")),
            Change::Pool(pool) => format!("--pool {pool}"),
            Change::Smoothing(smoothing) => format!("--smoothing {smoothing}"),
            Change::Bank(bank) => format!("--bank {bank}"),
            Change::Method(id) => format!("--method {id}"),
            Change::Network(number) => networks.get(*number).map(|n| n.flag.clone()).unwrap_or_default(),
        }
    }
}

/// Where so many times as many pictures are learned from as candidates are compared on, changed copies are not tried: they help where pictures
/// are few, which they are in the comparison alone. On the magnetic tiles they took the bank's place from 762 pictures (docs/accuracy.md).
const MANY: usize = 3;

/// What is tried at the best size.
pub(super) fn changes(base: &Recipe, search: &super::Search<'_>) -> Vec<Change> {
    let fixed = &search.fixed;
    let mut all = Vec::new();
    if !fixed.align && search.pose.is_some() {
        all.push(Change::Align);
    }
    if !fixed.augment && search.in_all <= MANY * search.pictures.len() {
        all.push(Change::Rotate);
    }
    if !fixed.smoothing {
        all.extend([Change::Smoothing(0.5), Change::Smoothing(2.0)]);
    }
    if !fixed.layers && base.backbone.outputs.len() > 1 {
        // The coarsest alone, and with a finer one.
        let last = base.backbone.outputs.len() - 1;
        all.push(Change::Layers(base.backbone.outputs[last..].to_vec()));
        if !search.finer.is_empty() {
            all.push(Change::Layers(search.finer.iter().chain(&base.backbone.outputs).cloned().collect()));
        }
    }
    if !fixed.pool {
        all.push(Change::Pool(5));
    }
    if !fixed.method {
        // Those that were best on some set (docs/methods.md) and take as long as any.
        all.extend([padim::ID, Pni::ID, Spade::ID, Fapm::ID].map(Change::Method));
    }
    if !fixed.bank && base.options.method == patchcore::ID {
        all.push(Change::Bank(8000));
    }
    if !fixed.network {
        all.extend((0..search.networks.len()).map(Change::Network));
    }
    all.retain(|change| base.is_changed_by(change));
    all
}

/// Width and height of about `side * side` pixels in the shape of `picture`, in whole steps.
pub fn shaped(picture: [u32; 2], side: u32, step: u32) -> [u32; 2] {
    let [width, height] = picture.map(|n| f64::from(n.max(1)));
    let (scale, step) = (f64::from(side) / (width * height).sqrt(), f64::from(step.max(1)));
    // A network of a handful of columns would see nothing of them.
    [width, height]
        .map(|length| ((length * scale / step).round().clamp(64.0 / step, 4096.0 / step).ceil() * step) as u32)
}
