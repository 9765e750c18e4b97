//! The parts of a picture that are anomalous.

/// At most this many regions are kept; `total` counts all.
pub const MAX_REGIONS: usize = 8;

/// A connected part of a picture whose anomaly map is at or above the threshold, in pixels of the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Region {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Pixels, to the size of a map cell.
    pub area: u32,
    /// Largest value of the map in it.
    pub peak: f32,
    /// The good patch that is nearest to the peak, where the method has such evidence.
    pub nearest: Option<NearestGood>,
}

/// A patch of a good picture that the model was learned from.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NearestGood {
    /// The picture: index into the model's sources.
    pub source: u32,
    /// Where in that picture, as shares of its width and height.
    pub at: [f32; 2],
}

/// The regions of one picture, largest peak first. No allocation: it is made on the hot lane.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Regions {
    found: [Region; MAX_REGIONS],
    /// All that there are, also those beyond [`MAX_REGIONS`].
    pub total: u32,
}

impl Regions {
    /// The kept ones.
    pub fn as_slice(&self) -> &[Region] {
        &self.found[..(self.total as usize).min(MAX_REGIONS)]
    }

    /// Adds one, keeping those of largest peak.
    pub fn push(&mut self, region: Region) {
        let kept = self.as_slice().len();
        let at = self.as_slice().partition_point(|r| r.peak >= region.peak);
        self.total += 1;
        if at < MAX_REGIONS {
            let end = (kept + 1).min(MAX_REGIONS);
            self.found[at..end].rotate_right(1);
            self.found[at] = region;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_peaks_are_kept_in_order_and_all_are_counted() {
        let mut regions = Regions::default();
        for peak in [3.0, 9.0, 1.0, 7.0, 5.0, 2.0, 8.0, 4.0, 6.0, 0.5, 10.0] {
            regions.push(Region { peak, ..Region::default() });
        }
        assert_eq!(regions.total, 11);
        let peaks: Vec<f32> = regions.as_slice().iter().map(|r| r.peak).collect();
        assert_eq!(peaks, [10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0]);
    }
}
