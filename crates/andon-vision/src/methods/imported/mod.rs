//! A network that was trained elsewhere and gives an anomaly map, a score, or both (`andon import`). What it gives is taken as it is, moved and
//! stretched so that map and score are on one scale from 0 on; the threshold comes from good pictures.

use serde::{Deserialize, Serialize};

use super::patches::PatchModel;
use super::{Facts, Learner, MapModel, Method, Param};
use crate::model::bundle::Bundle;
use crate::model::head::score::ImageScore;

/// The method. See the module.
#[derive(Debug)]
pub struct Imported;

/// Its id.
pub const ID: &str = "imported";

/// What a model file says of the network that was brought in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// The file's name.
    pub file: String,
    /// BLAKE3 of the file as it came.
    pub digest: String,
    /// The name of its input.
    pub input: String,
    /// The value that became the map; none, if the network gives a score only.
    pub map: Option<Taken>,
    /// The value that became the score; none, if it is the largest of the map.
    pub score: Option<Taken>,
    /// What was not said and had to be found out, in words.
    pub found_out: Vec<String>,
}

/// A value of the network, and what was done to it: `value * factor + shift`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    /// Its name in the network's file.
    pub value: String,
    /// Below 0 where high meant good.
    pub factor: f32,
    /// Added.
    pub shift: f32,
}

impl Method for Imported {
    fn id(&self) -> &'static str {
        ID
    }

    fn about(&self) -> &'static str {
        "A network that was trained elsewhere and gives an anomaly map or a score (`andon import`)."
    }

    fn params(&self) -> &'static [Param] {
        &[]
    }

    fn learner(&self) -> Option<&'static dyn Learner> {
        None
    }

    fn is_learned(&self) -> bool {
        false
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
    let own_score = about.map.is_some() && about.score.is_some();
    if m.backbone.outputs.len() != 1 + usize::from(own_score)
        || m.backbone.layers.iter().any(|l| l.pool != 1 || l.weight != 1.0)
    {
        return Err("its network gives map and score, which are taken as they are".to_owned());
    }
    if own_score && (m.scoring.image != ImageScore::Max || bundle.mask.contains(&0)) {
        return Err("its score is the network's own, of the whole picture, and it asks for another".to_owned());
    }
    if matches!(m.scoring.image, ImageScore::Reweighted(_)) {
        return Err("its score looks into a memory bank, and it has none".to_owned());
    }
    let name = |taken: &Option<Taken>| taken.as_ref().map(|t| t.value.clone());
    let text = match (name(&about.map), name(&about.score)) {
        (Some(map), Some(score)) => format!("{}: map `{map}`, score `{score}`", about.file),
        (Some(map), None) => format!("{}: map `{map}`, whose largest value is the score", about.file),
        (None, score) => format!("{}: score `{}`, no map", about.file, score.unwrap_or_default()),
    };
    let cells = m.grid[0] as usize * m.grid[1] as usize;
    let facts = Facts { label: "brought in", text, bank_rows: None, dim: 1 };
    let model = MapModel::new(cells, m.method.params.clone(), facts);
    Ok(if own_score { model.with_own_score() } else { model })
}
