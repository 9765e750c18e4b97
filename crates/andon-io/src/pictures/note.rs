//! The note beside a picture: how to read it, its anomaly map, and the verdict on its part.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use andon_core::{AnomalyMap, OwnedFrame, PixelFormat, Yuv, YuvMatrix};

/// Schema name of a note.
pub(super) const PICTURE_SCHEMA: &str = "andon.picture.v1";

/// The note of one picture, as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Note {
    /// [`PICTURE_SCHEMA`].
    pub schema: String,
    /// The id of the verdict, and the name of the files.
    pub id: String,
    /// `not_passed`, `near_miss` or `nth_pass`.
    pub kept_for: String,
    /// How the picture is to be read.
    pub picture: Layout,
    /// The anomaly map, where one was made and is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<MapNote>,
    /// The verdict as on the wire.
    pub verdict: Value,
}

/// How a picture is to be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Layout {
    /// `png` (lossless) or `jpg`: the end of the file's name.
    pub file: String,
    /// The camera's layout of pixels: `rgb8`, `bgr8`, `rgba8`, `bgra8`, `gray8`, `gray16le`, `gray16be`, `rgb16le`, or `nv12`.
    pub pixels: String,
    /// Pixels in a row of the frame.
    pub width: usize,
    /// Rows of the frame.
    pub height: usize,
    /// Of NV12: the weights of luma and colour differences: `bt601`, `bt709`, `bt2020`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matrix: Option<String>,
    /// Of NV12: luma from 0 to 255.
    #[serde(default)]
    pub full_range: bool,
    /// Of NV12: whether the frame begins at an odd column or row of its pairs.
    #[serde(default)]
    pub odd: [usize; 2],
}

/// An anomaly map with its scale.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct MapNote {
    /// Cells in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// The threshold that was in force, in the units of the map.
    pub threshold: f32,
    /// What a typical good patch has: the low end of the scale of colours.
    pub baseline: f32,
    /// `width * height` values, f32, the low byte first, as base64.
    pub values: String,
}

const FORMATS: [(&str, PixelFormat); 8] = [
    ("rgb8", PixelFormat::Rgb8),
    ("bgr8", PixelFormat::Bgr8),
    ("rgba8", PixelFormat::Rgba8),
    ("bgra8", PixelFormat::Bgra8),
    ("gray8", PixelFormat::Gray8),
    ("gray16le", PixelFormat::Gray16Le),
    ("gray16be", PixelFormat::Gray16Be),
    ("rgb16le", PixelFormat::Rgb16Le),
];

const MATRICES: [(&str, YuvMatrix); 3] =
    [("bt601", YuvMatrix::Bt601), ("bt709", YuvMatrix::Bt709), ("bt2020", YuvMatrix::Bt2020)];

impl Layout {
    /// Of a frame that is kept in a file with this ending.
    pub fn of(frame: &OwnedFrame, file: &str) -> Layout {
        let (width, height) = frame.size();
        let (pixels, matrix, full_range) = match frame.format() {
            PixelFormat::Nv12(yuv) => {
                let name = MATRICES.iter().find(|(_, m)| *m == yuv.matrix).map(|(name, _)| (*name).to_owned());
                ("nv12", name, yuv.full_range)
            }
            other => (FORMATS.iter().find(|(_, f)| *f == other).map_or("", |(name, _)| name), None, false),
        };
        Layout { file: file.to_owned(), pixels: pixels.to_owned(), width, height, matrix, full_range, odd: frame.odd() }
    }

    /// The layout of pixels; `None` for a name that does not exist.
    pub fn format(&self) -> Option<PixelFormat> {
        if self.pixels == "nv12" {
            let name = self.matrix.as_deref()?;
            let matrix = MATRICES.iter().find(|(known, _)| *known == name)?.1;
            return Some(PixelFormat::Nv12(Yuv { matrix, full_range: self.full_range }));
        }
        FORMATS.iter().find(|(name, _)| *name == self.pixels).map(|(_, format)| *format)
    }
}

impl MapNote {
    /// Of a map with its scale; `None` for a map without cells.
    pub fn of(map: &AnomalyMap, threshold: f32, baseline: f32) -> Option<MapNote> {
        let bytes: Vec<u8> = map.data.iter().flat_map(|v| v.to_le_bytes()).collect();
        let values = STANDARD.encode(bytes);
        let AnomalyMap { width, height, .. } = *map;
        (!map.data.is_empty()).then_some(MapNote { width, height, threshold, baseline, values })
    }

    /// The map; `None` if the values are not as many as the cells.
    pub fn map(&self) -> Option<AnomalyMap> {
        let bytes = STANDARD.decode(&self.values).ok()?;
        let (values, rest) = bytes.as_chunks::<4>();
        let data: Vec<f32> = values.iter().map(|v| f32::from_le_bytes(*v)).collect();
        let fits = rest.is_empty() && self.width.checked_mul(self.height)? == data.len();
        fits.then_some(AnomalyMap { width: self.width, height: self.height, data })
    }
}

/// What a list of pictures shows of each.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PictureSummary {
    /// Id of the verdict.
    pub id: String,
    /// Name of the camera.
    pub camera: String,
    /// When the picture was taken, RFC 3339 UTC.
    pub t_capture: String,
    /// `PASS`, `REJECT`, `UNINSPECTED` or `ERROR`.
    pub result: String,
    /// Why it has this outcome.
    pub reason: String,
    /// The score; `None` unless it is finite and came in time.
    pub score: Option<f64>,
    /// The threshold that was in force.
    pub threshold: f64,
    /// Why the picture is kept: `not_passed`, `near_miss` or `nth_pass`.
    pub kept_for: String,
}

impl PictureSummary {
    pub(super) fn of(note: &Note) -> PictureSummary {
        let text = |key: &str| note.verdict.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = |key: &str| note.verdict.get(key).and_then(Value::as_f64);
        PictureSummary {
            id: note.id.clone(),
            camera: text("camera"),
            t_capture: text("t_capture"),
            result: text("result"),
            reason: text("reason"),
            score: number("score"),
            threshold: number("threshold").unwrap_or(f64::NAN),
            kept_for: note.kept_for.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_comes_back_to_the_last_bit_and_values_that_are_not_its_own_are_refused() {
        let data = vec![1.1, f32::NAN, -0.0, f32::INFINITY, 3.402_823_4e38, 1e-45];
        let map = AnomalyMap { width: 3, height: 2, data };
        let note = MapNote::of(&map, 2.0, 1.0).unwrap();
        let bits = |map: &AnomalyMap| map.data.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&note.map().unwrap()), bits(&map));
        assert!(MapNote { height: 3, ..note.clone() }.map().is_none());
        assert!(MapNote { values: "?".into(), ..note.clone() }.map().is_none());
        assert!(MapNote { width: usize::MAX, height: usize::MAX, ..note }.map().is_none());
        assert!(MapNote::of(&AnomalyMap::default(), 2.0, 1.0).is_none());
    }

    #[test]
    fn every_layout_is_named_and_read_again() {
        let yuv = MATRICES.iter().map(|(_, m)| PixelFormat::Nv12(Yuv { matrix: *m, full_range: true }));
        for format in FORMATS.iter().map(|(_, f)| *f).chain(yuv) {
            let bytes = if matches!(format, PixelFormat::Nv12(_)) { 6 } else { 4 * format.bytes_per_pixel() };
            let frame = OwnedFrame::new(format, (2, 2), [0; 2], vec![0; bytes]).unwrap();
            let layout = Layout::of(&frame, "png");
            let read: Layout = serde_json::from_slice(&serde_json::to_vec(&layout).unwrap()).unwrap();
            assert_eq!((read.format(), &read), (Some(format), &layout));
        }
        let unknown = Layout { pixels: "cmyk".into(), ..Layout::of(&OwnedFrame::default(), "png") };
        assert_eq!(unknown.format(), None);
    }
}
