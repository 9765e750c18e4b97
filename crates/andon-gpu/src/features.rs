//! From frames to patch features on the GPU: upload, preprocess, network, aggregate, keep the unmasked cells. The first half of every method
//! that scores features; `pipeline` puts a method's head behind it. One thread; waits for nothing and allocates only for a new frame layout.

use andon_core::FrameView;
use andon_vision::model::head::aggregate::Layer;
use andon_vision::preprocess::InputSpec;

use crate::backbone::GpuBackbone;
use crate::driver::Device;
use crate::error::CudaError;
use crate::memory::Buffer;
use crate::ops::aggregate::{PatchLayout, aggregate};
use crate::ops::preprocess::GpuPreprocessor;
use crate::ops::shape::Grid;

/// Which features of a frame are wanted.
#[derive(Clone, Copy)]
pub struct FeatureSpec<'a> {
    /// The network's input.
    pub input: &'a InputSpec,
    /// Columns and rows of tiles that a frame is cut into.
    pub tiles: [usize; 2],
    /// Pooling and weight of each of the network's outputs.
    pub layers: &'a [Layer],
    /// Columns and rows of the map of a whole frame.
    pub grid: [usize; 2],
    /// The cells of that grid whose features are kept, ascending: those that are not masked, or all.
    pub cells: &'a [u32],
}

/// A step of a frame's way that a timing event ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Start,
    Preprocess,
    Network,
    Aggregate,
    Score,
}

/// Frames to features, on one device.
pub struct FeatureStage {
    backbone: Box<dyn GpuBackbone>,
    preprocessor: GpuPreprocessor,
    layers: Vec<Layer>,
    layout: PatchLayout,
    /// Tiles of a frame.
    tiles: usize,
    /// Rows and columns of a tile's patches.
    grid: (usize, usize),
    dim: usize,
    features: Buffer<f32>,
}

impl FeatureStage {
    /// Allocates everything that does not depend on the layout of frames.
    ///
    /// # Errors
    /// What the network gives does not fit the specification, no memory, or the device is lost.
    pub fn new(
        device: &Device,
        mut backbone: Box<dyn GpuBackbone>,
        spec: &FeatureSpec<'_>,
    ) -> Result<FeatureStage, CudaError> {
        let tiles = spec.tiles[0] * spec.tiles[1];
        let frames = backbone.images() / tiles.max(1);
        let shape = |what: String| CudaError::Shape(what);
        if tiles == 0 || frames == 0 {
            let images = backbone.images();
            return Err(shape(format!("the network takes {images} images, a frame has {tiles} pieces")));
        }
        let (dim, grid) = match backbone.maps() {
            [first, ..] => (channels(backbone.as_ref()), (first.height, first.width)),
            [] => return Err(shape("the network has no outputs".to_owned())),
        };
        if spec.layers.len() != backbone.maps().len() {
            let (maps, layers) = (backbone.maps().len(), spec.layers.len());
            return Err(shape(format!("the network has {maps} outputs, the model wants {layers}")));
        }
        let needed = frames * tiles * spec.input.len();
        let held = backbone.input().len();
        if held < needed {
            return Err(shape(format!("the network's input holds {held} values, {needed} are needed")));
        }
        let [columns, rows] = spec.grid;
        if (rows, columns) != (grid.0 * spec.tiles[1], grid.1 * spec.tiles[0]) {
            return Err(shape(format!(
                "the network gives {}x{} patches a piece, the model has {columns}x{rows}",
                grid.1, grid.0
            )));
        }
        if spec.cells.iter().any(|cell| *cell as usize >= rows * columns) {
            return Err(shape("a cell lies outside of the grid".to_owned()));
        }
        let slots = slots(spec.cells, grid, spec.tiles);
        Ok(FeatureStage {
            preprocessor: GpuPreprocessor::new(device, spec.input.clone(), spec.tiles, frames)?,
            layers: spec.layers.to_vec(),
            layout: PatchLayout::new(device, &slots, tiles, spec.cells.len())?,
            tiles,
            grid,
            dim,
            features: device.zeros(frames * spec.cells.len() * dim)?,
            backbone,
        })
    }

    /// Frames that it takes at a time, at most.
    pub fn frames(&self) -> usize {
        self.backbone.images() / self.tiles
    }

    /// Cells of a frame whose features are kept.
    pub fn cells(&self) -> usize {
        self.layout.rows()
    }

    /// Values of a patch.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The network's name.
    pub fn name(&self) -> &'static str {
        self.backbone.name()
    }

    /// Whether what it enqueues can be captured into a graph.
    pub fn can_be_captured(&self) -> bool {
        self.backbone.can_be_captured()
    }

    /// Copies frame `n` of the next [`FeatureStage::enqueue`] into staging memory; true if a graph that was captured before must not be
    /// launched any more.
    ///
    /// # Errors
    /// A frame too many, of another layout than the first, or too small to be cut; no memory, or work of before was not waited for.
    pub fn stage_frame(&mut self, device: &Device, n: usize, frame: &FrameView<'_>) -> Result<bool, CudaError> {
        self.preprocessor.stage_frame(device, n, frame)
    }

    /// Whether frames are staged that can be enqueued; none are after a failure to allocate for a new layout.
    pub fn has_layout(&self) -> bool {
        self.preprocessor.has_layout()
    }

    /// Whether a frame has the layout of those that are staged.
    pub fn accepts_layout(&self, frame: &FrameView<'_>) -> bool {
        self.preprocessor.accepts_layout(frame)
    }

    /// Enqueues the way from the first `frames` staged frames to their features; `done` enqueues what marks the end of each step.
    ///
    /// # Errors
    /// No frame was staged, more frames than it takes, or a launch that fails.
    pub(crate) fn enqueue(
        &mut self,
        device: &Device,
        frames: usize,
        done: impl Fn(Step) -> Result<(), CudaError>,
    ) -> Result<(), CudaError> {
        let images = frames * self.tiles;
        done(Step::Start)?;
        self.preprocessor.enqueue(device, frames, self.backbone.input())?;
        done(Step::Preprocess)?;
        self.backbone.enqueue(device, images)?;
        done(Step::Network)?;
        let grid = Grid { images, height: self.grid.0, width: self.grid.1 };
        let (layout, dim, out) = (&self.layout, self.dim, &mut self.features);
        let mut base = 0;
        for (map, layer) in self.backbone.maps().iter().zip(&self.layers) {
            let (size, pool) = ((map.channels, map.height, map.width), layer.pool as usize);
            aggregate(device, &map.values, size, pool, layer.weight, grid, layout, dim, base, out)?;
            base += map.channels;
        }
        done(Step::Aggregate)
    }

    /// The features: `frames x cells x dim` values, the cells in the order of [`FeatureSpec::cells`].
    pub fn features(&self) -> &Buffer<f32> {
        &self.features
    }

    /// Copies the features of one kept cell of a frame to the host. Waits.
    ///
    /// # Errors
    /// No such cell, or the device is lost.
    pub fn feature(&self, device: &Device, frame: usize, cell: usize) -> Result<Vec<f32>, CudaError> {
        let first = (frame * self.cells() + cell) * self.dim;
        device.download_part(&self.features, first..first + self.dim)
    }
}

/// Values of a patch that a network's outputs give together.
pub(crate) fn channels(backbone: &dyn GpuBackbone) -> usize {
    backbone.maps().iter().map(|map| map.channels).sum()
}

/// For each patch of each tile, its row among the kept cells, or -1.
fn slots(cells: &[u32], (height, width): (usize, usize), [columns, rows]: [usize; 2]) -> Vec<i32> {
    let mut place = vec![-1; columns * rows * height * width];
    cells.iter().zip(0..).for_each(|(cell, row)| place[*cell as usize] = row);
    let tiles = (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c)));
    let patches = |(r, c): (usize, usize)| {
        let at = move |y: usize, x: usize| (r * height + y) * width * columns + c * width + x;
        (0..height).flat_map(move |y| (0..width).map(move |x| at(y, x)))
    };
    tiles.flat_map(patches).map(|cell| place[cell]).collect()
}

#[cfg(test)]
mod tests {
    use super::slots;

    #[test]
    fn patches_of_tiles_find_their_cells() {
        // Two tiles of 1x2 patches beside each other, the third cell of four masked.
        assert_eq!(slots(&[0, 1, 3], (1, 2), [2, 1]), [0, 1, -1, 2]);
        // Below each other.
        assert_eq!(slots(&[0, 1, 2, 3], (1, 2), [1, 2]), [0, 1, 2, 3]);
        // Two by two of 2x1: a grid of four rows and two columns.
        let all: Vec<u32> = (0..8).collect();
        assert_eq!(slots(&all, (2, 1), [2, 2]), [0, 2, 1, 3, 4, 6, 5, 7]);
    }
}
