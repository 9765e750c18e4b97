//! Scores labelled pictures with a model, for `andon eval`.

use std::path::PathBuf;
use std::time::Instant;

use super::dataset::Sample;
use super::pixels::Pixels;
use super::saturation::{Channel, FILE, Saturated, Saturation};
use super::summary::{ImageResult, Summary};
use crate::fit::{RawPicture, read_raw, read_truth};
use crate::model::bundle::Bundle;
use crate::model::heatmap;
use andon_core::Detector;
use andon_core::judge;
use andon_core::{AnomalyMap, Detection, Fault, Outcome, Threshold};

/// One model on one set.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Name of the model.
    pub name: String,
    /// The heatmap's zero.
    pub baseline: f32,
    /// In the order of the samples.
    pub images: Vec<ImageResult>,
    /// Anomaly maps, for the report; empty where there is no score.
    pub maps: Vec<AnomalyMap>,
    /// The figures.
    pub summary: Summary,
}

/// Scores every picture. Pixel metrics are computed at each mask's (or picture's) own size, from maps upsampled to it.
/// With `saturation`, each mask is a defect of its own. `progress` hears how many are done.
pub fn evaluate(
    bundle: &Bundle,
    detector: &mut dyn Detector,
    threshold: Threshold,
    samples: &[Sample],
    saturation: Option<&[Saturation]>,
    progress: &mut dyn FnMut(usize),
) -> Evaluation {
    let masks = samples.iter().any(|s| !s.masks.is_empty());
    let mut pixels = masks.then(|| Pixels::new(samples.iter().filter(|s| !s.bad).count()));
    let mut saturated = saturation.filter(|_| masks).map(|s| (s, Saturated::default()));
    let (mut images, mut maps, mut without_mask) = (Vec::new(), Vec::new(), 0);
    let (mut out, mut values) = (Detection::default(), Vec::new());
    for (done, sample) in samples.iter().enumerate() {
        progress(done);
        let picture = read_raw(&sample.path);
        let start = Instant::now();
        let result = match &picture {
            Ok(p) => p.view().ok_or(Fault::BadFrame).and_then(|v| detector.detect(&v, &mut out)).map(|()| out.score),
            Err(_) => Err(Fault::BadFrame),
        };
        let ms = start.elapsed().as_secs_f64() * 1e3;
        let judged = judge(result, threshold);
        let score = judged.score.map(|s| s.get());
        let mut error = match (&picture, result) {
            (Err(e), _) => Some(e.to_string()),
            (_, Err(fault)) => Some(fault.to_string()),
            (_, Ok(_)) if score.is_none() => Some("the score is not finite".to_owned()),
            _ => None,
        };
        maps.push(if score.is_some() { out.map.clone() } else { AnomalyMap::default() });
        if let (Some(pixels), Ok(picture), Some(_)) = (&mut pixels, &picture, score) {
            let added = defects(sample, picture).and_then(|each| {
                if sample.bad && each.is_empty() {
                    without_mask += 1;
                    return Ok(());
                }
                let (width, height) = (picture.width as usize, picture.height as usize);
                heatmap::render_into(&out.map, width, height, &mut values);
                if let Some((saturation, saturated)) = &mut saturated {
                    saturate(saturation, saturated, sample, &each, &values)?;
                }
                let anywhere = |at: usize| each.iter().any(|d| d.truth[at]);
                let truth: Vec<bool> = (0..values.len()).map(anywhere).collect();
                pixels.add(&values, &truth, width, sample.bad);
                Ok(())
            });
            if let Err(why) = added {
                without_mask += 1;
                error = Some(format!("its mask: {why}"));
            }
        }
        images.push(ImageResult {
            path: sample.path.clone(),
            kind: sample.kind.clone(),
            bad: sample.bad,
            score,
            passed: matches!(judged.outcome, Outcome::Pass(_)),
            error,
            ms,
        });
    }
    progress(samples.len());
    let summary = Summary::new(&images, threshold.get(), pixels.map(Pixels::finish), without_mask);
    let summary = Summary { saturated: saturated.and_then(|(_, s)| s.finish()), ..summary };
    Evaluation { name: bundle.manifest.name.clone(), baseline: bundle.manifest.baseline, images, maps, summary }
}

/// One defect of a picture.
struct Defect {
    file: PathBuf,
    truth: Vec<bool>,
    /// Largest grey value of the mask.
    value: u16,
}

/// The defects of a picture, one for each of its masks in which anything is marked.
///
/// # Errors
/// A mask that cannot be read, or of another shape than the picture.
fn defects(sample: &Sample, picture: &RawPicture) -> Result<Vec<Defect>, String> {
    let mut each = Vec::new();
    for mask in sample.masks.iter().filter(|_| sample.bad) {
        let (truth, value) = read_truth(mask, [picture.width, picture.height]).map_err(|e| e.to_string())?;
        if truth.contains(&true) {
            each.push(Defect { file: mask.clone(), truth, value });
        }
    }
    Ok(each)
}

/// Adds a picture to what is found with saturation.
///
/// # Errors
/// A mask whose value belongs to no defect of the set.
fn saturate(
    known: &[Saturation],
    saturated: &mut Saturated,
    sample: &Sample,
    defects: &[Defect],
    scores: &[f32],
) -> Result<(), String> {
    if !sample.bad {
        saturated.good(scores);
        return Ok(());
    }
    let channel = |d: &Defect| {
        let saturation = known.iter().find(|s| s.pixel_value == d.value);
        let saturation = saturation
            .ok_or_else(|| format!("{}: no defect has the pixel_value {} in {FILE}", d.file.display(), d.value))?;
        let pixels = d.truth.iter().filter(|t| **t).count() as u64;
        Ok(Channel { truth: d.truth.clone(), saturation: saturation.area(pixels) })
    };
    let channels = defects.iter().map(channel).collect::<Result<Vec<_>, String>>()?;
    saturated.bad(&sample.kind, scores, &channels);
    Ok(())
}
