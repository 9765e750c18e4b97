//! Which cells of the grid lie around which.

/// For each judged cell the judged cells within `reach` columns and rows, itself included: their places among the judged cells, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::methods) struct Around {
    start: Vec<u32>,
    places: Vec<u32>,
}

impl Around {
    /// `cells` are the judged cells of a grid of `width` columns, ascending.
    pub fn new(cells: &[u32], width: usize, reach: usize) -> Around {
        let at = |cell: u32| (cell as usize % width, cell as usize / width);
        let mut around = Around { start: vec![0], places: Vec::new() };
        for cell in cells {
            let (x, y) = at(*cell);
            // Ascending cells stand row by row, so those that may be near are one range.
            let from = cells.partition_point(|c| (*c as usize) < y.saturating_sub(reach) * width);
            let to = cells
                .partition_point(|c| (*c as usize) < (y.saturating_add(reach)).saturating_add(1).saturating_mul(width));
            let near = (from..to).filter(|place| at(cells[*place]).0.abs_diff(x) <= reach);
            around.places.extend(near.map(|place| place as u32));
            around.start.push(around.places.len() as u32);
        }
        around
    }

    /// Those around the judged cell at this place.
    pub fn of(&self, place: usize) -> &[u32] {
        &self.places[self.start[place] as usize..self.start[place + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_around_is_what_a_search_over_all_cells_finds() {
        let (width, height) = (5, 4);
        let cells: Vec<u32> = (0..width * height).filter(|c| c % 7 != 3).map(|c| c as u32).collect();
        for reach in [0, 1, 2, 100] {
            let around = Around::new(&cells, width, reach);
            for (place, cell) in cells.iter().enumerate() {
                let want: Vec<u32> = (0..cells.len())
                    .filter(|other| {
                        let (a, b) = (*cell as usize, cells[*other] as usize);
                        (a % width).abs_diff(b % width) <= reach && (a / width).abs_diff(b / width) <= reach
                    })
                    .map(|other| other as u32)
                    .collect();
                assert_eq!(around.of(place), want, "{cell} within {reach}");
            }
        }
    }
}
