//! The saturated overlap of MVTec LOCO (Bergmann et al., IJCV 2022, "Beyond Dents and Scratches"): a logical defect is found when enough
//! of it is marked, not when all of it is. A part that is missing could lie anywhere in a large area; marking as much as the part is large
//! finds it.
//!
//! Each file of a picture's masks is one defect. Its saturation area comes from `defects_config.json`, by the value of its pixels:
//! `sPRO = min(|found and defect| / saturation, 1)`, averaged over the defects of a kind, against the false positive rate over all pixels
//! without defect, of the good pictures and those of the kind; the area up to a rate, linear between steps, divided by that rate.
//! The figure of a set is the mean over its kinds (logical and structural).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::pixels::{Area, order};

/// Limits of the false positive rate.
const LIMITS: [f64; 2] = [0.3, 0.05];
/// The file beside `test` that gives the saturation areas.
pub(super) const FILE: &str = "defects_config.json";

/// How large a found part of a defect is enough.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Saturation {
    /// Name of the defect.
    pub defect_name: String,
    /// The value of its pixels in its mask.
    pub pixel_value: u16,
    /// Pixels, or a share of the defect's.
    pub saturation_threshold: f64,
    /// Whether it is a share.
    pub relative_saturation: bool,
}

impl Saturation {
    /// The saturation area of a defect of so many pixels, at least one.
    pub fn area(&self, pixels: u64) -> u64 {
        let area = match self.relative_saturation {
            true => (self.saturation_threshold * pixels as f64) as u64,
            false => (self.saturation_threshold as u64).min(pixels),
        };
        area.clamp(1, pixels.max(1))
    }
}

/// Why the saturation areas cannot be read.
#[derive(Debug, Error)]
#[error("{path}: {why}; it must be a list of defect_name, pixel_value, saturation_threshold and relative_saturation")]
pub struct SaturationError {
    path: PathBuf,
    why: String,
}

/// The saturation areas of a set; `None` where it has no such file.
///
/// # Errors
/// [`SaturationError`].
pub(super) fn read(root: &Path) -> Result<Option<Vec<Saturation>>, SaturationError> {
    let path = root.join(FILE);
    let wrong = |why: String| SaturationError { path: path.clone(), why };
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(wrong(e.to_string())),
    };
    let all: Vec<Saturation> = serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string()))?;
    for s in &all {
        let most = if s.relative_saturation { 1.0 } else { f64::MAX };
        if !(s.saturation_threshold > 0.0 && s.saturation_threshold <= most) {
            return Err(wrong(format!("`{}` has the saturation_threshold {}", s.defect_name, s.saturation_threshold)));
        }
    }
    Ok(Some(all))
}

/// A defect of one picture: where it is, and how much of it is enough.
pub struct Channel {
    /// `true` where it is.
    pub truth: Vec<bool>,
    /// Its saturation area in pixels.
    pub saturation: u64,
}

/// The figures of a set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SaturatedOverlap {
    /// Up to a false positive rate of 0.3.
    pub auspro_30: f64,
    /// Up to a false positive rate of 0.05.
    pub auspro_5: f64,
    /// By kind, up to 0.3 and up to 0.05.
    pub kinds: BTreeMap<String, [f64; 2]>,
    /// Defects.
    pub defects: usize,
}

/// Collects pixels by kind of defect. Memory: 8 bytes a pixel.
#[derive(Debug, Default)]
pub struct Saturated {
    good: Vec<u32>,
    kinds: BTreeMap<String, Kind>,
}

#[derive(Debug, Default)]
struct Kind {
    /// Order-preserving bits of the scores of pixels without defect.
    clean: Vec<u32>,
    /// Those of a defect's pixels above, its number below; a pixel of several defects stands for each.
    found: Vec<u64>,
    saturation: Vec<u64>,
}

impl Saturated {
    /// Adds a good picture.
    pub fn good(&mut self, scores: &[f32]) {
        self.good.extend(scores.iter().map(|s| order(*s)));
    }

    /// Adds a defective picture with all of its defects, each of as many pixels as `scores`.
    pub fn bad(&mut self, kind: &str, scores: &[f32], channels: &[Channel]) {
        let kind = self.kinds.entry(kind.to_owned()).or_default();
        for (at, score) in scores.iter().enumerate() {
            let mut clean = true;
            for (n, _) in channels.iter().enumerate().filter(|(_, c)| c.truth[at]) {
                clean = false;
                kind.found.push(u64::from(order(*score)) << 32 | (kind.saturation.len() + n) as u64);
            }
            if clean {
                kind.clean.push(order(*score));
            }
        }
        kind.saturation.extend(channels.iter().map(|c| c.saturation));
    }

    /// The figures; `None` without defects or without any pixel that has none.
    pub fn finish(mut self) -> Option<SaturatedOverlap> {
        self.good.sort_unstable_by(|a, b| b.cmp(a));
        let mut kinds = BTreeMap::new();
        let mut defects = 0;
        for (name, kind) in self.kinds.into_iter().filter(|(_, k)| !k.saturation.is_empty()) {
            defects += kind.saturation.len();
            kinds.insert(name, kind.areas(&self.good)?);
        }
        if kinds.is_empty() {
            return None;
        }
        let mean = |n: usize| kinds.values().map(|areas| areas[n]).sum::<f64>() / kinds.len() as f64;
        Some(SaturatedOverlap { auspro_30: mean(0), auspro_5: mean(1), kinds, defects })
    }
}

impl Kind {
    /// Walks down the scores of the good pictures (sorted, highest first) and of this kind's; each different score is a step.
    fn areas(mut self, good: &[u32]) -> Option<[f64; 2]> {
        self.clean.sort_unstable_by(|a, b| b.cmp(a));
        self.found.sort_unstable_by(|a, b| b.cmp(a));
        let negatives = good.len() + self.clean.len();
        if negatives == 0 {
            return None;
        }
        let mut counts = vec![0u64; self.saturation.len()];
        let mut areas = LIMITS.map(Area::new);
        let (mut g, mut c, mut f, mut overlap) = (0, 0, 0, 0.0f64);
        loop {
            let next = [good.get(g), self.clean.get(c)].into_iter().flatten().copied();
            let Some(step) = next.chain(self.found.get(f).map(|v| (v >> 32) as u32)).max() else { break };
            while good.get(g) == Some(&step) {
                g += 1;
            }
            while self.clean.get(c) == Some(&step) {
                c += 1;
            }
            while let Some(found) = self.found.get(f).filter(|v| (**v >> 32) as u32 == step) {
                let n = *found as u32 as usize;
                if counts[n] < self.saturation[n] {
                    counts[n] += 1;
                    overlap += 1.0 / self.saturation[n] as f64;
                }
                f += 1;
            }
            let point = ((g + c) as f64 / negatives as f64, overlap / self.saturation.len() as f64);
            areas.iter_mut().for_each(|a| a.add(point));
        }
        Some(areas.map(|a| a.share()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saturation(threshold: f64, relative: bool) -> Saturation {
        let defect_name = "missing".to_owned();
        Saturation { defect_name, pixel_value: 255, saturation_threshold: threshold, relative_saturation: relative }
    }

    #[test]
    fn the_area_is_pixels_or_a_share_and_never_nothing() {
        assert_eq!(saturation(0.5, true).area(41), 20);
        assert_eq!(saturation(0.01, true).area(3), 1, "a share of a tiny defect");
        assert_eq!((saturation(100.0, false).area(400), saturation(100.0, false).area(30)), (100, 30));
    }

    /// The definition, threshold by threshold: counts anew at each.
    fn by_definition(pictures: &[(Vec<f32>, Vec<Channel>)], limit: f64) -> f64 {
        let mut thresholds: Vec<f32> = pictures.iter().flat_map(|p| p.0.clone()).collect();
        thresholds.sort_by(|a, b| b.total_cmp(a));
        thresholds.dedup();
        let mut curve = vec![(0.0, 0.0)];
        for t in thresholds {
            let (mut wrong, mut clean, mut overlaps) = (0.0, 0.0, Vec::new());
            for (scores, channels) in pictures {
                for (at, score) in scores.iter().enumerate() {
                    if channels.iter().all(|c| !c.truth[at]) {
                        clean += 1.0;
                        wrong += f64::from(u8::from(*score >= t));
                    }
                }
                for c in channels {
                    let found = scores.iter().zip(&c.truth).filter(|(s, d)| **d && **s >= t).count();
                    overlaps.push((found as f64 / c.saturation as f64).min(1.0));
                }
            }
            curve.push((wrong / clean, overlaps.iter().sum::<f64>() / overlaps.len() as f64));
        }
        let mut area = 0.0;
        for pair in curve.windows(2) {
            let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
            if x0 >= limit || x1 <= x0 {
                continue;
            }
            let end = x1.min(limit);
            let y = y0 + (y1 - y0) * (end - x0) / (x1 - x0);
            area += (end - x0) * (y0 + y) / 2.0;
        }
        area / limit
    }

    #[test]
    fn the_walk_gives_what_the_definition_gives() {
        let mut seed = 7u64;
        let mut next = move || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as f32 / (1u64 << 31) as f32
        };
        let mut pictures = Vec::new();
        for n in 0..6 {
            // Few different scores, so that there are ties.
            let mut scores: Vec<f32> = (0..64).map(|_| (next() * 20.0).floor()).collect();
            let mut channels = Vec::new();
            for k in 0..n % 3 {
                // The two defects of a picture overlap.
                let truth: Vec<bool> = (0..64).map(|at| (8 * k..8 * k + 16).contains(&at)).collect();
                scores.iter_mut().zip(&truth).filter(|(_, d)| **d).for_each(|(s, _)| *s += 6.0);
                channels.push(Channel { truth, saturation: [5, 16][k] });
            }
            pictures.push((scores, channels));
        }
        let mut collected = Saturated::default();
        for (scores, channels) in &pictures {
            if channels.is_empty() {
                collected.good(scores);
            } else {
                collected.bad("logical", scores, channels);
            }
        }
        let got = collected.finish().unwrap();
        let want = [by_definition(&pictures, 0.3), by_definition(&pictures, 0.05)];
        assert!((got.auspro_30 - want[0]).abs() < 1e-12 && (got.auspro_5 - want[1]).abs() < 1e-12, "{got:?} {want:?}");
        assert!(got.auspro_5 < got.auspro_30 && got.defects == 6);
    }

    #[test]
    fn what_is_found_of_a_saturated_defect_is_enough() {
        let truth: Vec<bool> = (0..100).map(|at| at < 50).collect();
        let scores: Vec<f32> = (0..100).map(|at| if at < 10 { 2.0 } else { 1.0 }).collect();
        let mut set = Saturated::default();
        set.good(&[0.5; 100]);
        set.bad("logical", &scores, &[Channel { truth, saturation: 10 }]);
        assert!((set.finish().unwrap().auspro_5 - 1.0).abs() < 1e-12, "ten of fifty pixels are all that is asked for");
    }
}
