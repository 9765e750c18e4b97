use std::time::Instant;

use super::dataset::Sample;
use super::pixels::Pixels;
use super::summary::{ImageResult, Summary};
use crate::decide::judge;
use crate::fit::{ImageError, RawPicture, read_raw, read_truth};
use crate::model::bundle::Bundle;
use crate::model::{Detector, heatmap};
use crate::types::{Detection, Fault, Outcome, ScoreMap, Threshold};

/// One model on one set.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Name of the model.
    pub name: String,
    /// The heatmap's zero.
    pub typical: f32,
    /// In the order of the samples.
    pub images: Vec<ImageResult>,
    /// Anomaly maps, for the report; empty where there is no score.
    pub maps: Vec<ScoreMap>,
    /// The figures.
    pub summary: Summary,
}

/// Scores every picture. Pixel metrics are computed at each mask's (or picture's) own size, from maps upsampled to it.
/// `progress` hears how many are done.
pub fn evaluate(
    bundle: &Bundle,
    detector: &mut dyn Detector,
    threshold: Threshold,
    samples: &[Sample],
    progress: &mut dyn FnMut(usize),
) -> Evaluation {
    let masks = samples.iter().any(|s| !s.masks.is_empty());
    let mut pixels = masks.then(|| Pixels::new(samples.iter().filter(|s| !s.bad).count()));
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
        maps.push(if score.is_some() { out.map.clone() } else { ScoreMap::default() });
        if let (Some(pixels), Ok(picture), Some(_)) = (&mut pixels, &picture, score) {
            match truth(sample, picture) {
                Ok(Some((truth, width, height))) => {
                    heatmap::render_into(&out.map, width, height, &mut values);
                    pixels.add(&values, &truth, width, sample.bad);
                }
                Ok(None) => without_mask += 1,
                Err(e) => {
                    without_mask += 1;
                    error = Some(format!("its mask: {e}"));
                }
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
    Evaluation { name: bundle.manifest.name.clone(), typical: bundle.manifest.typical, images, maps, summary }
}

/// Where a picture is defective, and its columns and rows.
type Truth = (Vec<bool>, usize, usize);

/// Where the picture is defective: where any of its masks says so. `None` for a defective one without a mask or with empty ones.
///
/// # Errors
/// A mask that cannot be read, or of another shape than the picture.
fn truth(sample: &Sample, picture: &RawPicture) -> Result<Option<Truth>, ImageError> {
    let (w, h) = (picture.width as usize, picture.height as usize);
    let mut all = vec![false; w * h];
    for mask in sample.masks.iter().filter(|_| sample.bad) {
        let [width, height] = [picture.width, picture.height];
        for (to, defect) in all.iter_mut().zip(read_truth(mask, [width, height])?) {
            *to |= defect;
        }
    }
    Ok((!sample.bad || all.contains(&true)).then_some((all, w, h)))
}
