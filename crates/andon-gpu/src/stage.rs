//! From frames to anomaly maps in one stream of the card, without a wait or an allocation between: upload, prepare, network, aggregate,
//! nearest, score, download. Asked for one by one at first, then recorded as a graph and asked for at once.

use cudarc::driver::CudaEvent;

use super::device::Captured;
use super::pinned::Pinned;
use super::search::unpack;
use super::trunk::DeviceTrunk;
use super::{Buffer, CudaError, Device, DeviceBank, DeviceScorer, Grid, Near, Placement, Preparer};
use andon_core::{FrameView, StageTimes};
use andon_vision::model::head::aggregate::Layer;
use andon_vision::model::head::nearest::Nearest;
use andon_vision::model::head::score::Scorer;
use andon_vision::preprocess::InputSpec;

/// What a stage computes.
#[derive(Clone, Copy)]
pub struct StageSpec<'a> {
    /// The network's input.
    pub input: &'a InputSpec,
    /// Columns and rows of pieces that a frame is cut into.
    pub tiles: [usize; 2],
    /// What becomes of each of the network's outputs.
    pub layers: &'a [Layer],
    /// Rows of the memory bank.
    pub bank: &'a [f32],
    /// A factor for each of them.
    pub weights: &'a [f32],
    /// Grid, mask and smoothing.
    pub scorer: &'a Scorer,
}

/// The whole way of a frame through the card. One thread; does nothing between calls.
pub struct Stage {
    /// First, so that it is gone before the kernels and the network that it launches.
    graph: Graph,
    device: Device,
    trunk: Box<dyn DeviceTrunk>,
    preparer: Preparer,
    layers: Vec<Layer>,
    placement: Placement,
    pieces: usize,
    /// Of a piece.
    grid: (usize, usize),
    dim: usize,
    features: Buffer<f32>,
    bank: DeviceBank,
    near: Near,
    scorer: DeviceScorer,
    found: Found,
    events: [CudaEvent; 5],
    /// Frames that the graph is for.
    recorded: usize,
    /// How often recording has failed.
    refused: u32,
}

/// What another thread does on the card can spoil a recording; more often than this it is not that.
const REFUSALS: u32 = 3;

/// Where the answers lie after [`Stage::run`].
struct Found {
    maps: Pinned<f32>,
    keys: Pinned<u64>,
}

/// Whether the work for frames like the last ones is recorded.
enum Graph {
    /// The first frames of a layout: libraries take memory then.
    First,
    /// The next ones are worth recording.
    Second,
    Recorded(Captured),
    /// The driver or the network refused.
    Never,
}

impl Stage {
    /// Takes all the memory that frames of any size will not change.
    ///
    /// # Errors
    /// What the network gives does not fit the bank or the grid, no memory, or the card is lost.
    pub fn new(device: Device, mut trunk: Box<dyn DeviceTrunk>, spec: &StageSpec<'_>) -> Result<Stage, CudaError> {
        let pieces = spec.tiles[0] * spec.tiles[1];
        let frames = trunk.images() / pieces.max(1);
        let shape = |what: String| CudaError::Shape(what);
        if pieces == 0 || frames == 0 {
            return Err(shape(format!("the network takes {} images, a frame has {pieces} pieces", trunk.images())));
        }
        let (dim, grid) = match trunk.maps() {
            [first, ..] => (trunk.maps().iter().map(|m| m.channels).sum::<usize>(), (first.height, first.width)),
            [] => return Err(shape("the network has no outputs".to_owned())),
        };
        if spec.layers.len() != trunk.maps().len() {
            let (maps, layers) = (trunk.maps().len(), spec.layers.len());
            return Err(shape(format!("the network has {maps} outputs, the model wants {layers}")));
        }
        let needed = frames * pieces * spec.input.len();
        if trunk.input().len() < needed {
            return Err(shape(format!(
                "the network's input holds {} values, {needed} are needed",
                trunk.input().len()
            )));
        }
        let tables = spec.scorer.tables();
        if (tables.height, tables.width) != (grid.0 * spec.tiles[1], grid.1 * spec.tiles[0]) {
            let (h, w) = (tables.height, tables.width);
            return Err(shape(format!(
                "the network gives {}x{} patches a piece, the model has {w}x{h}",
                grid.1, grid.0
            )));
        }
        let bank = DeviceBank::new(&device, spec.bank, dim)?;
        let rows = tables.cells.len();
        let slots = slots(tables.cells, grid, spec.tiles);
        let size = tables.height * tables.width;
        Ok(Stage {
            preparer: Preparer::new(&device, spec.input.clone(), spec.tiles, frames)?,
            layers: spec.layers.to_vec(),
            placement: Placement::new(&device, &slots, pieces, rows)?,
            pieces,
            grid,
            dim,
            features: device.zeros(frames * rows * dim)?,
            near: Near::new(&device, frames * rows, 1, &bank)?,
            scorer: DeviceScorer::new(&device, spec.scorer, spec.weights, frames)?,
            found: Found {
                maps: Pinned::new(&device, frames * size, false)?,
                keys: Pinned::new(&device, frames * rows, false)?,
            },
            events: [device.event()?, device.event()?, device.event()?, device.event()?, device.event()?],
            graph: Graph::First,
            recorded: 0,
            refused: 0,
            bank,
            trunk,
            device,
        })
    }

    /// Frames that it takes at a time, at most.
    pub fn frames(&self) -> usize {
        self.trunk.images() / self.pieces
    }

    /// The network's name.
    pub fn name(&self) -> &'static str {
        self.trunk.name()
    }

    /// Whether the work is asked for at once.
    pub fn is_recorded(&self) -> bool {
        matches!(self.graph, Graph::Recorded(_))
    }

    /// Takes frames of one layout through the card and waits for the answers, which [`Stage::map`] and the others then give.
    ///
    /// # Errors
    /// More frames than it takes, frames of several layouts, no memory, or the card is lost; no answer of this or an earlier call may be
    /// used then.
    pub fn run(&mut self, frames: &[FrameView<'_>]) -> Result<(), CudaError> {
        self.forget();
        if frames.len() > self.frames() {
            return Err(CudaError::Shape(format!("{} frames, it takes {}", frames.len(), self.frames())));
        }
        frames.iter().enumerate().try_for_each(|(n, frame)| self.load(n, frame))?;
        self.go(frames.len())
    }

    /// Copies frame `n` of the next [`Stage::go`] to where the card reads it.
    ///
    /// # Errors
    /// A frame too many, of another layout than the first, or too small to be cut; no memory, or the card is lost.
    pub fn load(&mut self, n: usize, frame: &FrameView<'_>) -> Result<(), CudaError> {
        self.device.bind()?;
        if self.preparer.load(&self.device, n, frame)? && !matches!(self.graph, Graph::Never) {
            self.graph = Graph::First;
        }
        Ok(())
    }

    /// Whether a frame can go together with those that were loaded.
    pub fn takes(&self, frame: &FrameView<'_>) -> bool {
        self.preparer.takes(frame)
    }

    /// Takes the first `count` frames that were loaded through the card and waits for the answers.
    ///
    /// # Errors
    /// As [`Stage::run`].
    pub fn go(&mut self, count: usize) -> Result<(), CudaError> {
        self.forget();
        if count == 0 || count > self.frames() {
            return Err(CudaError::Shape(match count {
                0 => "no frames".to_owned(),
                _ => format!("{count} frames, it takes {}", self.frames()),
            }));
        }
        self.device.bind()?;
        let fits = match self.graph {
            // One for a few more frames does: what it computes of earlier ones is not asked for.
            Graph::Recorded(_) => count <= self.recorded && 2 * count > self.recorded,
            // What is recorded has to be what was done before: networks prepare for a number of images outside of a recording.
            _ => count == self.recorded,
        };
        if !fits && !matches!(self.graph, Graph::Never) {
            (self.graph, self.recorded) = (Graph::First, count);
        }
        match &mut self.graph {
            Graph::Recorded(graph) => graph.launch()?,
            Graph::Second => self.record()?,
            Graph::First | Graph::Never => self.enqueue(count, false)?,
        }
        self.device.wait()?;
        if matches!(self.graph, Graph::First) {
            self.graph = if self.trunk.can_be_captured() { Graph::Second } else { Graph::Never };
        }
        Ok(())
    }

    /// What an earlier call left is no answer to the next one.
    fn forget(&mut self) {
        self.found.maps.as_mut_slice().fill(f32::NAN);
        self.found.keys.as_mut_slice().fill(u64::MAX);
    }

    /// Records the work and does it; does it one by one where that is refused, and for good where it always is.
    fn record(&mut self) -> Result<(), CudaError> {
        let frames = self.recorded;
        // Two owners for a moment: the closure asks this stage, the device records.
        let stream = self.device.clone();
        match stream.capture(|| self.enqueue(frames, true)) {
            Ok(mut graph) => {
                graph.launch()?;
                self.graph = Graph::Recorded(graph);
                Ok(())
            }
            Err(e) => {
                self.refused += 1;
                let for_good = self.refused >= REFUSALS;
                tracing::warn!(for_good, "the card's work is asked for step by step: {e}");
                self.graph = if for_good { Graph::Never } else { Graph::First };
                self.enqueue(frames, false)
            }
        }
    }

    fn enqueue(&mut self, frames: usize, captured: bool) -> Result<(), CudaError> {
        let Stage { device, trunk, preparer, events, near, scorer, found, .. } = self;
        let images = frames * self.pieces;
        device.mark(&events[0], captured)?;
        preparer.enqueue(device, frames, trunk.input())?;
        device.mark(&events[1], captured)?;
        trunk.enqueue(device, images)?;
        device.mark(&events[2], captured)?;
        let grid = Grid { images, height: self.grid.0, width: self.grid.1 };
        let mut base = 0;
        for (map, layer) in trunk.maps().iter().zip(&self.layers) {
            let (size, pool) = ((map.channels, map.height, map.width), layer.pool as usize);
            let (to, features) = (&self.placement, &mut self.features);
            device.aggregate(&map.values, size, pool, layer.weight, grid, to, self.dim, base, features)?;
            base += map.channels;
        }
        device.mark(&events[3], captured)?;
        let queries = frames * self.placement.rows();
        self.bank.search(device, &self.features, queries, 1, near)?;
        scorer.score(device, near, frames)?;
        device.fetch(scorer.map(), frames * scorer.grid().size(), &mut found.maps)?;
        device.fetch(&near.keys, queries, &mut found.keys)?;
        device.mark(&events[4], captured)
    }

    /// The anomaly map of a frame of the last run.
    pub fn map(&self, frame: usize) -> &[f32] {
        let size = self.scorer.grid().size();
        &self.found.maps.as_slice()[frame * size..(frame + 1) * size]
    }

    /// The nearest row of each of its cells that are looked at.
    pub fn nearest(&self, frame: usize) -> impl Iterator<Item = Nearest> {
        let rows = self.placement.rows();
        self.found.keys.as_slice()[frame * rows..(frame + 1) * rows].iter().map(|key| unpack(*key))
    }

    /// The features of one of those cells.
    ///
    /// # Errors
    /// The card is lost.
    pub fn feature(&self, frame: usize, row: usize) -> Result<Vec<f32>, CudaError> {
        let first = (frame * self.placement.rows() + row) * self.dim;
        self.device.download_part(&self.features, first..first + self.dim)
    }

    /// How long the steps of the last run took on the card.
    pub fn times(&self) -> StageTimes {
        let ns = |i: usize| self.events[i].elapsed_ms(&self.events[i + 1]).map_or(0, |ms| (ms * 1e6) as u64);
        StageTimes { preprocess_ns: ns(0), infer_ns: ns(1), aggregate_ns: ns(2), score_ns: ns(3) }
    }

    /// The card.
    pub fn device(&self) -> &Device {
        &self.device
    }
}

/// For each patch of each piece, its place among the cells that are looked at.
fn slots(cells: &[u32], (height, width): (usize, usize), [columns, rows]: [usize; 2]) -> Vec<i32> {
    let mut place = vec![-1; columns * rows * height * width];
    cells.iter().zip(0..).for_each(|(cell, row)| place[*cell as usize] = row);
    let pieces = (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c)));
    let patches = |(r, c): (usize, usize)| {
        let at = move |y: usize, x: usize| (r * height + y) * width * columns + c * width + x;
        (0..height).flat_map(move |y| (0..width).map(move |x| at(y, x)))
    };
    pieces.flat_map(patches).map(|cell| place[cell]).collect()
}

#[cfg(test)]
mod tests {
    use super::slots;

    #[test]
    fn patches_of_pieces_find_their_cells() {
        // Two pieces of 1x2 patches beside each other, the third cell of four not looked at.
        assert_eq!(slots(&[0, 1, 3], (1, 2), [2, 1]), [0, 1, -1, 2]);
        // Below each other.
        assert_eq!(slots(&[0, 1, 2, 3], (1, 2), [1, 2]), [0, 1, 2, 3]);
        // Two by two of 2x1: a grid of four rows and two columns.
        let all: Vec<u32> = (0..8).collect();
        assert_eq!(slots(&all, (2, 1), [2, 2]), [0, 2, 1, 3, 4, 6, 5, 7]);
    }
}
