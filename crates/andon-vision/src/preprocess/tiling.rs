//! A large picture cut into tiles, each of which the network sees by itself. One rule for learning, inspection, calibration and the
//! twin on a GPU.

use andon_core::FrameView;

/// Columns and rows of tiles; 1 x 1 is the whole picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiling {
    /// Tiles in a row.
    pub columns: usize,
    /// Rows of tiles.
    pub rows: usize,
}

/// One tile of a picture, in its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Its column among the tiles.
    pub column: usize,
    /// Its row among the tiles.
    pub row: usize,
    /// Left edge.
    pub x: usize,
    /// Upper edge.
    pub y: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Rows of pixels.
    pub height: usize,
}

impl Tiling {
    /// From the manifest's `tiles`: columns and rows. A count of 0 is taken as 1.
    pub fn new(tiles: [u32; 2]) -> Tiling {
        let [columns, rows] = tiles.map(|n| n.max(1) as usize);
        Tiling { columns, rows }
    }

    /// How many tiles there are.
    pub fn count(self) -> usize {
        self.columns * self.rows
    }

    /// First pixel and length of the `i`-th of `of` parts of an axis: the parts differ by one pixel at most and leave none out.
    pub fn part(i: usize, of: usize, pixels: usize) -> (usize, usize) {
        let first = i * pixels / of;
        (first, (i + 1) * pixels / of - first)
    }

    /// The tiles of a picture of `width x height` pixels, row by row.
    pub fn tiles(self, width: usize, height: usize) -> impl Iterator<Item = Tile> {
        let Tiling { columns, rows } = self;
        (0..rows).flat_map(move |row| {
            let (y, high) = Tiling::part(row, rows, height);
            (0..columns).map(move |column| {
                let (x, wide) = Tiling::part(column, columns, width);
                Tile { column, row, x, y, width: wide, height: high }
            })
        })
    }
}

impl Tile {
    /// The tile's pixels; `None` where the picture is too small to have any.
    pub fn of<'a>(&self, frame: &FrameView<'a>) -> Option<FrameView<'a>> {
        frame.crop(self.x, self.y, self.width, self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_every_pixel_once() {
        for (tiles, width, height) in [([1, 1], 7, 5), ([3, 2], 10, 7), ([4, 4], 4, 4), ([0, 0], 3, 3)] {
            let mut seen = vec![0; width * height];
            for tile in Tiling::new(tiles).tiles(width, height) {
                for y in tile.y..tile.y + tile.height {
                    for x in tile.x..tile.x + tile.width {
                        seen[y * width + x] += 1;
                    }
                }
            }
            assert!(seen.iter().all(|n| *n == 1), "{tiles:?}: {seen:?}");
        }
    }
}
