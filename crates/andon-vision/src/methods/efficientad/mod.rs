//! EfficientAD: a student that learned to say of good pictures what a fixed teacher says, and an autoencoder that guesses it from the whole; the
//! map is where they do not agree. One network on the line, trained by `andon-train`. Source: Batzner, Heckler and König, "EfficientAD: Accurate
//! Visual Anomaly Detection at Millisecond-Level Latencies", WACV 2024.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::patches::PatchModel;
use super::{Facts, Learner, MapModel, Method, Param};
use crate::model::bundle::Bundle;
use crate::model::head::score::ImageScore;

/// The method. See the module.
#[derive(Debug)]
pub struct EfficientAd;

/// Its id.
pub const ID: &str = "efficientad";

/// How large its networks are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Size {
    /// For one core of a CPU.
    #[default]
    Xs,
    /// As published, small.
    S,
    /// As published, medium.
    M,
}

impl Size {
    /// All, the smallest first.
    pub const ALL: [Size; 3] = [Size::Xs, Size::S, Size::M];

    /// As options and files name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Size::Xs => "xs",
            Size::S => "s",
            Size::M => "m",
        }
    }
}

/// Whether the autoencoder's half of the map counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Half {
    /// If it finds more of the defects that are put into held-out good pictures.
    #[default]
    Auto,
    /// Always, as published.
    On,
    /// Never: half the time on the line.
    Off,
}

/// The parameters of [`EfficientAd`], as [`crate::fit::FitOptions::params`] holds them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Which networks.
    pub size: Size,
    /// Whether the autoencoder counts.
    pub autoencoder: Half,
    /// Share of the good pictures that are not trained on and give quantiles, threshold and claim; above 0, at most 0.5.
    pub held_out: f64,
    /// Rate of learning at the start; none is that of the size.
    pub rate: Option<f64>,
}

impl Default for Params {
    fn default() -> Params {
        Params { size: Size::Xs, autoencoder: Half::Auto, held_out: 0.2, rate: None }
    }
}

impl Params {
    /// Whether the values are in their ranges.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), &'static str> {
        let rules = [
            (self.held_out > 0.0 && self.held_out <= 0.5, "held_out: a share above 0, at most 0.5"),
            (self.rate.is_none_or(|rate| rate > 0.0 && rate <= 0.1), "rate: a number above 0, at most 0.1"),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, why)| Err(why))
    }
}

const PARAMS: [Param; 4] = [
    Param {
        name: "size",
        default: "xs",
        about: "`xs` for one core of a CPU, `s` and `m` as published, for a GPU; those need --teacher",
    },
    Param {
        name: "autoencoder",
        default: "auto",
        about: "whether its half of the map counts: `on`, `off`, or `auto`, if it finds more of the defects put into good pictures",
    },
    Param {
        name: "held_out",
        default: "0.2",
        about: "share of the pictures that give the threshold and are not trained on",
    },
    Param { name: "rate", default: "that of the size", about: "rate of learning at the start" },
];

/// What a model file says of how the model came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Its networks.
    pub size: Size,
    /// Training steps.
    pub steps: u64,
    /// Where the teacher comes from, as its file says.
    pub teacher: BTreeMap<String, String>,
    /// What kept the student from learning everything: photographs, or pictures made for it.
    pub penalty: String,
    /// The 0.9 and 0.995 quantiles of the student's half of the map on held-out good pictures.
    pub student: [f32; 2],
    /// The same of the autoencoder's half, if it counts.
    pub autoencoder: Option<[f32; 2]>,
    /// Each place of the halves is seen beside what is usual there.
    #[serde(default)]
    pub by_place: bool,
}

impl Method for EfficientAd {
    fn id(&self) -> &'static str {
        ID
    }

    fn about(&self) -> &'static str {
        "A student network, trained here for minutes or hours, against its teacher: learns what is usual in the part's texture and shape."
    }

    fn params(&self) -> &'static [Param] {
        &PARAMS
    }

    fn learner(&self) -> Option<&'static dyn Learner> {
        None
    }

    fn patch_model(&self, bundle: &Bundle) -> Result<Option<Box<dyn PatchModel>>, String> {
        Ok(Some(Box::new(model(bundle)?)))
    }
}

/// The model of a bundle, checked.
///
/// # Errors
/// What is missing of the method's part of the model file, or does not fit together.
pub fn model(bundle: &Bundle) -> Result<MapModel, String> {
    let m = &bundle.manifest;
    if m.method.id != ID {
        return Err(format!("it was learned by the method `{}`, not `{ID}`", m.method.id));
    }
    let about: About = m.method.read()?;
    if m.backbone.outputs.len() != 1 || m.backbone.layers.iter().any(|l| l.pool != 1 || l.weight != 1.0) {
        return Err("its network has one output, the map, which is taken as it is".to_owned());
    }
    if matches!(m.scoring.image, ImageScore::Reweighted(_)) {
        return Err("its score looks into a memory bank, and it has none".to_owned());
    }
    let ordered = |[low, high]: [f32; 2]| low.is_finite() && high.is_finite() && low < high;
    if !ordered(about.student) || !about.autoencoder.is_none_or(ordered) {
        return Err("its quantiles are not two numbers, the smaller first".to_owned());
    }
    let [columns, rows] = m.grid;
    let text = format!(
        "{} ({}), {} steps on {} pictures, {}; {} held out",
        about.size.as_str(),
        if about.autoencoder.is_some() { "student and autoencoder" } else { "student" },
        about.steps,
        m.training.trained_on.len(),
        about.penalty,
        m.training.sources.len()
    );
    let facts = Facts { label: "networks", text, bank_rows: None, dim: 1 };
    Ok(MapModel::new(columns as usize * rows as usize, m.method.params.clone(), facts))
}
