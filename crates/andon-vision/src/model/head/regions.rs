//! Connected regions of a map at or above a threshold.

use andon_core::{AnomalyMap, NearestGood, Region, Regions};

/// Finds the regions (8-connected, as the evaluations of the field do) of `map` at or above `threshold` in a picture of
/// `width x height` pixels, and tells `nearest` for the cell of each peak. Regions of fewer than `min_cells` cells are left out.
/// `label` is scratch memory.
pub fn regions(
    map: &AnomalyMap,
    threshold: f32,
    (width, height): (usize, usize),
    min_cells: f32,
    label: &mut Vec<u32>,
    nearest: impl Fn(usize) -> Option<NearestGood>,
) -> Regions {
    let mut found = Regions::default();
    label.clear();
    // The first half marks what was seen, the second is the stack.
    label.resize(map.data.len(), 0);
    let cells = map.data.len();
    for start in 0..cells {
        // NaN is no region: a picture that holds one has no score and is never rejected for it.
        let above = map.data[start] >= threshold;
        if label[start] != 0 || !above {
            continue;
        }
        let (mut low, mut high) = ([usize::MAX; 2], [0usize; 2]);
        let (mut count, mut peak, mut at) = (0usize, f32::NEG_INFINITY, start);
        label[start] = 1;
        label.push(start as u32);
        while label.len() > cells {
            let Some(cell) = label.pop() else { break };
            let cell = cell as usize;
            let (x, y) = (cell % map.width, cell / map.width);
            count += 1;
            (low, high) = ([low[0].min(x), low[1].min(y)], [high[0].max(x), high[1].max(y)]);
            if map.data[cell] > peak {
                (peak, at) = (map.data[cell], cell);
            }
            for ny in y.saturating_sub(1)..=(y + 1).min(map.height - 1) {
                for nx in x.saturating_sub(1)..=(x + 1).min(map.width - 1) {
                    let next = ny * map.width + nx;
                    if label[next] == 0 && map.data[next] >= threshold {
                        label[next] = 1;
                        label.push(next as u32);
                    }
                }
            }
        }
        if count as f32 >= min_cells {
            let edge = |cell: usize, of: usize, pixels: usize| (cell * pixels / of) as u32;
            let (x, y) = (edge(low[0], map.width, width), edge(low[1], map.height, height));
            let (right, bottom) = (edge(high[0] + 1, map.width, width), edge(high[1] + 1, map.height, height));
            let area = (count as f64 * (width * height) as f64 / cells as f64).round() as u32;
            let nearest = nearest(at);
            found.push(Region { x, y, width: right - x, height: bottom - y, area, peak, nearest });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_told_apart_with_their_boxes_and_peaks() {
        #[rustfmt::skip]
        let data = vec![
            0.0, 5.0, 0.0, 0.0, 0.0,
            0.0, 0.0, 6.0, 0.0, 9.0,
            0.0, 0.0, 0.0, 0.0, 8.0,
            f32::NAN, 0.0, 0.0, 0.0, 0.0,
        ];
        let map = AnomalyMap { width: 5, height: 4, data };
        let mut scratch = Vec::new();
        let find = |min, scratch: &mut Vec<u32>| {
            regions(&map, 5.0, (50, 80), min, scratch, |cell| Some(NearestGood { source: cell as u32, at: [0.0; 2] }))
        };
        let found = find(0.0, &mut scratch);
        assert_eq!(found.total, 2);
        let [right, left] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((right.x, right.y, right.width, right.height, right.area), (40, 20, 10, 40, 400));
        assert_eq!((right.peak, right.nearest.unwrap().source), (9.0, 9));
        assert_eq!((left.x, left.y, left.width, left.height, left.area), (10, 0, 20, 40, 400), "diagonals touch");
        assert_eq!((left.peak, left.nearest.unwrap().source), (6.0, 7));
        assert_eq!(find(3.0, &mut scratch).total, 0);
    }
}
