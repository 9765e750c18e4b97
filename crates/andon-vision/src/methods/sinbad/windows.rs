//! Parts of a grid: all of it, and nine of half its sides, a quarter apart.

/// Sizes of parts.
pub(super) const SIZES: usize = 2;
/// Parts at most.
pub(super) const MOST: usize = 10;

/// For each part the places of its judged cells. Parts without any are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Windows {
    places: Vec<Vec<u32>>,
    size: Vec<usize>,
    /// For each place how many parts it lies in.
    cover: Vec<u32>,
}

impl Windows {
    /// `cells` are the judged cells of the grid (columns, rows), ascending.
    pub fn new(cells: &[u32], [columns, rows]: [usize; 2]) -> Windows {
        let (mut places, mut size) = (Vec::new(), Vec::new());
        let mut add = |x: [usize; 2], y: [usize; 2], of_size: usize| {
            let inside = |cell: &u32| {
                let (column, row) = (*cell as usize % columns, *cell as usize / columns);
                (x[0]..x[1]).contains(&column) && (y[0]..y[1]).contains(&row)
            };
            let found: Vec<u32> =
                (0u32..).zip(cells).filter(|(_, cell)| inside(cell)).map(|(place, _)| place).collect();
            if !found.is_empty() {
                places.push(found);
                size.push(of_size);
            }
        };
        add([0, columns], [0, rows], 0);
        // From quarter to quarter, rounded to whole cells; a half is never empty.
        let half = |side: usize, quarter: usize| {
            let from = side * quarter / 4;
            [from, (side * (quarter + 2)).div_ceil(4)]
        };
        for down in 0..3 {
            for across in 0..3 {
                add(half(columns, across), half(rows, down), 1);
            }
        }
        let mut cover = vec![0; cells.len()];
        places.iter().flatten().for_each(|place| cover[*place as usize] += 1);
        Windows { places, size, cover }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// The places of the judged cells of a part, ascending.
    pub fn places(&self, window: usize) -> &[u32] {
        &self.places[window]
    }

    /// 0 for the whole, 1 for halves.
    pub fn size_of(&self, window: usize) -> usize {
        self.size[window]
    }

    /// The parts of a size.
    pub fn of_size(&self, size: usize) -> impl Iterator<Item = usize> + '_ {
        self.size.iter().enumerate().filter(move |(_, of)| **of == size).map(|(window, _)| window)
    }

    /// How many parts the cell at a place lies in, at least 1.
    pub fn cover(&self, place: usize) -> u32 {
        self.cover[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_judged_cell_lies_in_the_whole_and_in_halves_and_parts_without_any_are_left_out() {
        let all: Vec<u32> = (0..48).collect();
        let windows = Windows::new(&all, [8, 6]);
        assert_eq!((windows.count(), windows.places(0).len()), (MOST, 48));
        // Halves of 4 columns; rows 0..3, 1..5 (from 6 / 4 up to 6 * 3 / 4, rounded outwards) and 3..6.
        assert_eq!([1, 4, 7].map(|window| windows.places(window).len()), [12, 16, 12]);
        assert!((0..48).all(|place| windows.cover(place) >= 2));
        let corner = Windows::new(&[0], [8, 6]);
        assert_eq!((corner.count(), corner.cover(0)), (2, 2));
        assert_eq!(Windows::new(&[0], [1, 1]).count(), MOST);
    }
}
