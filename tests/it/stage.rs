//! The whole way of a frame through a card beside the CPU's, with networks that need no TensorRT: the emulated driver runs the kernels,
//! records graphs and replays them.

use std::sync::{Arc, Mutex};

use andon_core::Detector;
use andon_core::{Detection, Fault, FrameView, PixelFormat};
use andon_gpu::{
    Buffer, CudaError, Device, DeviceInput, DeviceMap, FeatureSpec, FeatureStage, Gaussian, GaussianHead, GpuBackbone,
    GpuPatchDetector, GpuPipeline, PipelineSpec, frame_time, search_time,
};
use andon_train::efficientad::{Effort, Job, Penalty, learn};
use andon_train::teacher::Teacher;
use andon_vision::fit::{Augment, FitJob, FitOptions, Grouping, Picture, ThresholdRule, parity_check};
use andon_vision::methods::{self, PatchDetector, efficientad};
use andon_vision::model::bundle::Bundle;
use andon_vision::model::embedder::PatchEmbedder;
use andon_vision::model::engine::{self, Engine, EngineChoice, EngineOptions, FeatureMap, Network};
use andon_vision::model::head::aggregate::{Aggregator, Layer};
use andon_vision::model::head::knn::{KnnSearcher, Nearest};
use andon_vision::model::head::score::{ImageScore, Scorer, Scoring};
use andon_vision::model::{Backbone, Colour, Learned};
use andon_vision::preprocess::align::{Reference as Pose, Small};
use andon_vision::preprocess::{InputSpec, Preprocessor};

use crate::common;
use crate::cuda::device;

/// Which calls fail, counted from 0.
type Fails = fn(usize) -> bool;

/// Gives its input back as a feature map of three channels; all on the card.
struct Copy {
    map: DeviceMap,
    input: Buffer<f32>,
    images: usize,
    fails: Fails,
    /// Images of each call so far.
    calls: Arc<Mutex<Vec<usize>>>,
}

impl Copy {
    fn boxed(device: &Device, images: usize, (height, width): (usize, usize)) -> Box<Copy> {
        let values = images * 3 * height * width;
        let map = DeviceMap { values: device.zeros(values).unwrap(), channels: 3, height, width };
        Box::new(Copy { map, input: device.zeros(values).unwrap(), images, fails: |_| false, calls: Arc::default() })
    }
}

impl GpuBackbone for Copy {
    fn name(&self) -> &'static str {
        "copy"
    }

    fn images(&self) -> usize {
        self.images
    }

    fn input(&mut self) -> DeviceInput<'_> {
        DeviceInput::Single(&mut self.input)
    }

    fn enqueue(&mut self, device: &Device, images: usize) -> Result<(), CudaError> {
        let count = images * 3 * self.map.height * self.map.width;
        let mut calls = self.calls.lock().unwrap();
        calls.push(images);
        if (self.fails)(calls.len() - 1) {
            return Err(CudaError::Shape("on purpose".to_owned()));
        }
        device.copy(&self.input, count, &mut self.map.values)
    }

    fn maps(&self) -> &[DeviceMap] {
        std::slice::from_ref(&self.map)
    }

    fn can_be_captured(&self) -> bool {
        true
    }
}

fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

/// What a pipeline for small random features computes, on the CPU.
struct Reference {
    input: InputSpec,
    tiles: [usize; 2],
    layers: Vec<Layer>,
    bank: Vec<f32>,
    weights: Vec<f32>,
    mask: Vec<bool>,
    scoring: Scoring,
}

impl Reference {
    fn new(tiles: [usize; 2]) -> Reference {
        let (width, height) = (6, 5);
        let cells = width * height * tiles[0] * tiles[1];
        Reference {
            input: InputSpec {
                width: width as u32,
                height: height as u32,
                mean: [127.0; 3],
                scale: [1.0 / 64.0; 3],
                range: None,
            },
            tiles,
            layers: vec![Layer { pool: 3, weight: 0.5 }],
            bank: noise(9, 40 * 3).iter().map(|b| f32::from(*b) / 64.0 - 2.0).collect(),
            weights: noise(10, 40).iter().map(|b| 0.5 + f32::from(*b) / 255.0).collect(),
            mask: (0..cells).map(|c| c % 7 != 3).collect(),
            scoring: Scoring { smoothing: 1.0, image: ImageScore::Max, min_area: 0 },
        }
    }

    fn scorer(&self) -> Scorer {
        let (width, height) = (self.input.width as usize * self.tiles[0], self.input.height as usize * self.tiles[1]);
        Scorer::new(self.scoring, width, height, &self.mask)
    }

    fn pipeline(&self, device: &Device, frames: usize) -> GpuPipeline {
        self.pipeline_that_fails(device, frames, |_| false).0
    }

    /// The network fails when it is asked these times.
    fn pipeline_that_fails(
        &self,
        device: &Device,
        frames: usize,
        fails: Fails,
    ) -> (GpuPipeline, Arc<Mutex<Vec<usize>>>) {
        let images = frames * self.tiles[0] * self.tiles[1];
        let mut backbone = Copy::boxed(device, images, (self.input.height as usize, self.input.width as usize));
        backbone.fails = fails;
        let calls = backbone.calls.clone();
        let scorer = self.scorer();
        let spec = PipelineSpec {
            input: &self.input,
            tiles: self.tiles,
            layers: &self.layers,
            bank: &self.bank,
            weights: &self.weights,
            scorer: &scorer,
        };
        (GpuPipeline::new(device.clone(), backbone, &spec).unwrap(), calls)
    }

    /// Of every cell, also of masked ones.
    fn features(&self, frame: &FrameView<'_>) -> Vec<f32> {
        let [columns, rows] = self.tiles;
        let (width, height) = (self.input.width as usize, self.input.height as usize);
        let mut features = vec![0.0; width * height * columns * rows * 3];
        let mut preprocess = Preprocessor::new(self.input.clone());
        for (row, column) in (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))) {
            let edges = |i: usize, of: usize, pixels: usize| (i * pixels / of, (i + 1) * pixels / of);
            let ((left, right), (top, bottom)) = (edges(column, columns, frame.width), edges(row, rows, frame.height));
            let piece = frame.crop(left, top, right - left, bottom - top).unwrap();
            let mut data = vec![0.0; self.input.len()];
            preprocess.prepare_into(&piece, &mut data);
            let mut patches = Vec::new();
            let map = FeatureMap { channels: 3, height, width, data };
            Aggregator::new(self.layers.clone()).run(&[map], &mut patches);
            for (y, line) in patches.chunks_exact(width * 3).enumerate() {
                let at = ((row * height + y) * width * columns + column * width) * 3;
                features[at..at + width * 3].copy_from_slice(line);
            }
        }
        features
    }

    fn map(&self, frame: &FrameView<'_>) -> Vec<f32> {
        let mut features = self.features(frame);
        let mut scorer = self.scorer();
        scorer.keep_cells(&mut features, 3);
        let mut near = Vec::new();
        KnnSearcher::new_f32(self.bank.clone().into(), 3, 1).search_into(&features, &mut near);
        let mut map = Vec::new();
        scorer.map_into(&near, &self.weights, &mut map);
        map
    }
}

/// Squared differences are summed in another order on the card; of three values, that is a few units of the last place.
fn same(ours: &[f32], reference: &[f32]) -> bool {
    ours.len() == reference.len() && ours.iter().zip(reference).all(|(a, b)| (a - b).abs() <= 1e-5 * b.abs().max(0.1))
}

#[test]
fn frames_have_the_same_maps_recorded_or_not_in_any_number_and_size() {
    let Some(device) = device() else { return };
    for tiles in [[1, 1], [3, 2]] {
        let reference = Reference::new(tiles);
        let mut pipeline = reference.pipeline(&device, 3);
        let mut seed = 0;
        // Each layout often enough to be recorded and replayed; then a number and a size that are new.
        for (format, width, height, pad, count) in [
            (PixelFormat::Rgb8, 19, 14, 5, 1),
            (PixelFormat::Rgb8, 19, 14, 5, 3),
            (PixelFormat::Gray8, 31, 10, 0, 2),
            (PixelFormat::Bgra8, 6, 5, 3, 1),
        ] {
            for repeat in 0..4 {
                let stride = width * format.bytes_per_pixel() + pad;
                let pictures: Vec<Vec<u8>> = (0..count)
                    .map(|_| {
                        seed += 1;
                        noise(seed, stride * height)
                    })
                    .collect();
                let views: Vec<FrameView<'_>> =
                    pictures.iter().map(|p| FrameView::new(format, width, height, stride, p).unwrap()).collect();
                pipeline.run(&views).unwrap();
                assert_eq!(pipeline.is_captured(), repeat > 0, "{format:?} {repeat}");
                for (n, view) in views.iter().enumerate() {
                    let expected = reference.map(view);
                    assert!(
                        same(pipeline.map(n).unwrap(), &expected),
                        "{tiles:?} {format:?} repeat {repeat} frame {n}"
                    );
                    assert_eq!(pipeline.nearest(n).unwrap().count(), reference.mask.iter().filter(|m| **m).count());
                }
                let times = pipeline.times();
                assert!(times.preprocess_ns > 0 && times.aggregate_ns > 0 && times.score_ns > 0, "{times:?}");
            }
        }
    }
}

#[test]
fn a_graph_serves_a_few_frames_less_and_a_spoiled_recording_is_tried_again() {
    let Some(device) = device() else { return };
    let reference = Reference::new([1, 1]);
    let pictures: Vec<Vec<u8>> = (0..30).map(|seed| noise(seed, 12 * 9 * 3)).collect();
    let views: Vec<FrameView<'_>> =
        pictures.iter().map(|p| FrameView::new(PixelFormat::Rgb8, 12, 9, 36, p).unwrap()).collect();
    let right = |pipeline: &GpuPipeline, views: &[FrameView<'_>]| {
        views
            .iter()
            .enumerate()
            .for_each(|(n, view)| assert!(same(pipeline.map(n).unwrap(), &reference.map(view)), "frame {n}"));
    };
    let mut pipeline = reference.pipeline(&device, 4);
    for (at, (count, recorded)) in [(4, false), (4, true), (3, true), (4, true), (2, false)].into_iter().enumerate() {
        let views = &views[4 * at..4 * at + count];
        pipeline.run(views).unwrap();
        assert_eq!(pipeline.is_captured(), recorded, "{count} frames at {at}");
        right(&pipeline, views);
    }
    // After frames of another layout nothing is recorded for a number of images that was not done before.
    let (mut pipeline, calls) = reference.pipeline_that_fails(&device, 4, |_| false);
    let data = noise(99, 14 * 9 * 3);
    let other = FrameView::new(PixelFormat::Rgb8, 14, 9, 42, &data).unwrap();
    for views in [&views[..4], &views[..4], &[other; 3], &[other; 3]] {
        pipeline.run(views).unwrap();
        right(&pipeline, views);
    }
    assert_eq!(*calls.lock().unwrap(), [4, 4, 3, 3]);
    // Once is chance; whenever it is tried is the rule, and then it is tried no more.
    let cases: [(Fails, [bool; 5]); 2] =
        [(|call| call == 1, [false, false, true, true, true]), (|call| [1, 3, 5].contains(&call), [false; 5])];
    for (fails, recorded) in cases {
        let (mut pipeline, _) = reference.pipeline_that_fails(&device, 2, fails);
        for (at, recorded) in recorded.into_iter().enumerate() {
            let views = &views[2 * at..2 * at + 2];
            pipeline.run(views).unwrap();
            assert_eq!(pipeline.is_captured(), recorded, "run {at}");
            right(&pipeline, views);
        }
    }
}

#[test]
fn another_method_is_a_head_behind_the_same_features() {
    let Some(device) = device() else { return };
    let reference = Reference::new([3, 2]);
    let scorer = reference.scorer();
    let (width, height) = (6 * 3, 5 * 2);
    let all: Vec<u32> = (0..width * height).collect();
    let spec = FeatureSpec {
        input: &reference.input,
        tiles: reference.tiles,
        layers: &reference.layers,
        grid: [width as usize, height as usize],
        cells: &all,
    };
    let backbone = Copy::boxed(&device, 2 * 6, (5, 6));
    let features = FeatureStage::new(&device, backbone, &spec).unwrap();
    assert_eq!((features.frames(), features.cells(), features.dim()), (2, 180, 3));
    let means: Vec<f32> = noise(3, 180 * 3).iter().map(|b| f32::from(*b) / 128.0 - 1.0).collect();
    // Masked cells have no distance.
    let weight = |n: usize| if reference.mask[n / 3] { 0.5 + (n % 5) as f32 } else { 0.0 };
    let variances: Vec<f32> = (0..180 * 3).map(weight).collect();
    let gaussian = Gaussian::diagonal(&device, &means, &variances, 3).unwrap();
    let head = GaussianHead::new(&device, &features, gaussian, &scorer).unwrap();
    let mut pipeline = GpuPipeline::with_head(device.clone(), features, head).unwrap();
    for repeat in 0..4 {
        let pictures = [noise(repeat, 20 * 20 * 3), noise(100 + repeat, 20 * 20 * 3)];
        let views = pictures.each_ref().map(|p| FrameView::new(PixelFormat::Rgb8, 20, 20, 60, p).unwrap());
        pipeline.run(&views).unwrap();
        assert_eq!(pipeline.is_captured(), repeat > 0);
        for (n, view) in views.iter().enumerate() {
            let features = reference.features(view);
            let distance = |cell: usize| {
                let terms = (cell * 3..cell * 3 + 3).map(|i| (features[i] - means[i]).powi(2) * variances[i]);
                terms.sum::<f32>().sqrt()
            };
            // The reference smooths distances that a search found.
            let near: Vec<Nearest> =
                scorer.cells().iter().map(|c| Nearest { index: 0, distance: distance(*c as usize) }).collect();
            let mut expected = Vec::new();
            reference.scorer().map_into(&near, &[1.0], &mut expected);
            assert!(same(pipeline.map(n).unwrap(), &expected), "repeat {repeat} frame {n}");
        }
    }
}

#[test]
fn frames_that_do_not_fit_are_refused_and_the_next_are_scored() {
    let Some(device) = device() else { return };
    let reference = Reference::new([3, 2]);
    let mut pipeline = reference.pipeline(&device, 2);
    let data = noise(1, 4000);
    let good = FrameView::new(PixelFormat::Rgb8, 20, 20, 60, &data).unwrap();
    let told = |e: Result<(), CudaError>| match e {
        Err(CudaError::Shape(why)) => why,
        other => panic!("{other:?}"),
    };
    assert!(told(pipeline.run(&[])).contains("no frames"));
    assert!(told(pipeline.run(&[good; 3])).contains("3 frames, it takes 2"));
    let other = FrameView::new(PixelFormat::Rgb8, 20, 19, 60, &data).unwrap();
    assert!(told(pipeline.run(&[good, other])).contains("different layouts"));
    let tiny = FrameView::new(PixelFormat::Gray8, 2, 2, 2, &data).unwrap();
    assert!(told(pipeline.run(&[tiny])).contains("2x2 is too small"));
    assert!(pipeline.map(0).unwrap().iter().all(|v| v.is_nan()), "nothing stale is left");
    pipeline.run(&[good, good]).unwrap();
    assert!(same(pipeline.map(1).unwrap(), &reference.map(&good)));

    // A model that wants something else of its network.
    let scorer = reference.scorer();
    let spec = |bank, layers| PipelineSpec {
        input: &reference.input,
        tiles: reference.tiles,
        layers,
        bank,
        weights: &reference.weights,
        scorer: &scorer,
    };
    let refused = |images, size, spec: PipelineSpec<'_>| {
        GpuPipeline::new(device.clone(), Copy::boxed(&device, images, size), &spec).err().unwrap().to_string()
    };
    let two = [reference.layers[0]; 2];
    assert!(refused(5, (5, 6), spec(&reference.bank, &reference.layers)).contains("a frame has 6 pieces"));
    assert!(refused(6, (5, 6), spec(&reference.bank, &two)).contains("the model wants 2"));
    assert!(refused(6, (6, 6), spec(&reference.bank, &reference.layers)).contains("6x6 patches a piece"));
    assert!(refused(6, (5, 6), spec(&reference.bank[1..], &reference.layers)).contains("no rows of 3"));
}

/// A network that runs on the CPU, between buffers on the card.
pub(crate) struct Host {
    engine: Box<dyn Engine>,
    input: Buffer<f32>,
    maps: Vec<DeviceMap>,
    found: Vec<FeatureMap>,
    images: usize,
}

impl Host {
    pub(crate) fn open(device: &Device, backbone: &Backbone, images: usize) -> Host {
        let network = Network { onnx: &backbone.onnx, input: &backbone.input, outputs: &backbone.outputs };
        let mut engine = engine::open(&network, &options()).unwrap().engine;
        let mut found = Vec::new();
        engine.run(&vec![0.0; backbone.input.len()], &mut found).unwrap();
        let map = |m: &FeatureMap| DeviceMap {
            values: device.zeros(images * m.data.len()).unwrap(),
            channels: m.channels,
            height: m.height,
            width: m.width,
        };
        let maps = found.iter().map(map).collect();
        Host { engine, input: device.zeros(images * backbone.input.len()).unwrap(), maps, found, images }
    }
}

impl GpuBackbone for Host {
    fn name(&self) -> &'static str {
        "host"
    }

    fn images(&self) -> usize {
        self.images
    }

    fn input(&mut self) -> DeviceInput<'_> {
        DeviceInput::Single(&mut self.input)
    }

    fn enqueue(&mut self, device: &Device, images: usize) -> Result<(), CudaError> {
        let inputs = device.download(&self.input)?;
        let mut all = vec![Vec::new(); self.maps.len()];
        for input in inputs.chunks_exact(inputs.len() / self.images).take(images) {
            self.engine.run(input, &mut self.found).unwrap();
            self.found.iter().zip(&mut all).for_each(|(map, all)| all.extend_from_slice(&map.data));
        }
        self.maps.iter_mut().zip(&all).try_for_each(|(map, all)| device.upload_into(all, &mut map.values))
    }

    fn maps(&self) -> &[DeviceMap] {
        &self.maps
    }

    fn can_be_captured(&self) -> bool {
        false
    }
}

fn options() -> EngineOptions {
    EngineOptions { choice: EngineChoice::Rten, threads: 2, ..EngineOptions::default() }
}

/// PaDiM needs no code of its own on the GPU: what its model says has to be computed is computed there. Masked cells and values that are left
/// out weigh nothing.
#[test]
fn a_model_of_distributions_has_the_same_scores_on_both_sides() {
    let Some(device) = device() else { return };
    let dir = tempfile::tempdir().unwrap();
    let belt = andon_sim::Conveyor::new(andon_sim::SimSpec { defect_rate: 0.0, ..andon_sim::SimSpec::default() });
    let side = belt.spec().side;
    let painted = |k: u64| {
        let mut rgb = Vec::new();
        belt.paint_good(k, &mut rgb);
        rgb
    };
    let mut backbone = Backbone::embedded();
    (backbone.input.width, backbone.input.height) = (64, 64);
    let (mut embedder, _) = PatchEmbedder::open(&backbone, &options()).unwrap();
    for (name, params, masked) in [
        ("full", serde_json::json!({"covariance": "full"}), false),
        ("part", serde_json::json!({"covariance": "full", "channels": 40}), true),
        ("diagonal", serde_json::json!({"covariance": "diagonal", "channels": 99}), true),
    ] {
        let fit_options = FitOptions {
            name: name.into(),
            method: "padim".into(),
            params,
            seed: 1,
            scoring: Scoring { smoothing: 1.0, image: ImageScore::Max, min_area: 0 },
            rule: ThresholdRule::default(),
            mask: masked.then(|| (0..64).map(|cell| cell % 5 != 0).collect()),
            augment: Augment::default(),
            folds: 3,
            grouping: Grouping::Alone,
            threads: 2,
            created: None,
            engine: "rten".into(),
            learned: Learned { any_size: false, colour: Colour::Colour },
        };
        let pictures_of = || {
            (0..12usize).map(|k| Ok((format!("{k}"), Picture { width: side, height: side, rgb: painted(k as u64) })))
        };
        let mut pictures = pictures_of();
        let mut fitted = methods::fit(FitJob {
            pictures: &mut pictures,
            skip_bad: false,
            embedder: &mut embedder,
            backbone: &backbone,
            options: &fit_options,
            progress: &mut |_, _, _| {},
        })
        .unwrap();
        let file = dir.path().join(name);
        fitted.bundle.write(&file).unwrap();
        let bundle = Arc::new(Bundle::open(&file).unwrap());
        let host = Box::new(Host::open(&device, &bundle.network(), 2));
        let mut ours = GpuPatchDetector::new(device.clone(), host, bundle.clone()).unwrap();
        let (embedder, _) = PatchEmbedder::open(&bundle.network(), &options()).unwrap();
        let mut reference = PatchDetector::new(embedder, bundle.clone(), 2).unwrap();
        assert!(parity_check(&bundle, &mut ours, 1e-3).is_ok(), "{name}");
        let rgb = painted(77);
        let view = FrameView::new(PixelFormat::Rgb8, side as usize, side as usize, side as usize * 3, &rgb).unwrap();
        let (mut found, mut expected) = (Detection::default(), Detection::default());
        ours.detect(&view, &mut found).unwrap();
        reference.detect(&view, &mut expected).unwrap();
        let largest = expected.map.data.iter().copied().fold(0.0, f32::max);
        for (got, want) in found.map.data.iter().zip(&expected.map.data) {
            // The GPU sums in another order, and squares the factors first: 1e-3 of the largest distance, as the parity gate asks.
            assert!((got - want).abs() <= 1e-3 * largest, "{name}: {got} {want}");
        }
        assert!(found.nearest_patch.is_empty() && ours.explain(&found, 0.9 * largest).as_slice()[0].nearest.is_none());
        // The same pictures by a method that has no kernels.
        let fit_options = FitOptions { method: "subspace".into(), params: serde_json::Value::Null, ..fit_options };
        let (mut embedder, _) = PatchEmbedder::open(&backbone, &options()).unwrap();
        let mut pictures = pictures_of();
        let job = FitJob {
            pictures: &mut pictures,
            skip_bad: false,
            embedder: &mut embedder,
            backbone: &backbone,
            options: &fit_options,
            progress: &mut |_, _, _| {},
        };
        let bundle = Arc::new(methods::fit(job).unwrap().bundle);
        let host = Box::new(Host::open(&device, &bundle.network(), 2));
        let why = GpuPatchDetector::new(device.clone(), host, bundle).err().unwrap().to_string();
        assert!(why.contains("`subspace` is computed on the CPU only"), "{why}");
    }
}

/// A network that puts out the map itself goes through the kernels of distributions unchanged.
#[test]
fn a_trained_network_has_the_same_map_on_both_sides() {
    let Some(device) = device() else { return };
    let dir = tempfile::tempdir().unwrap();
    let side = 128u32;
    let painted = |seed: u64| {
        let mut random = andon_core::SplitMix64::new(seed);
        let phase = random.unit() * 6.0;
        let rgb = (0..side * side).flat_map(|i| {
            let value = 120.0 + 40.0 * (f64::from(i % side) / 6.0 + phase).sin() + 10.0 * random.unit();
            [value as u8; 3]
        });
        Picture { width: side, height: side, rgb: rgb.collect() }
    };
    let fit_options = FitOptions {
        method: efficientad::ID.to_owned(),
        params: serde_json::json!({"autoencoder": "on"}),
        mask: Some((0..32 * 32).map(|cell| cell % 7 != 0).collect()),
        scoring: Scoring { smoothing: 1.0, image: ImageScore::Max, min_area: 0 },
        grouping: Grouping::Alone,
        ..andon::assemble::fit_defaults::options("trained", "rten", Learned { any_size: false, colour: Colour::Colour })
    };
    let mut fitted = learn(Job {
        count: 16,
        read: &|number| Ok((format!("{number}"), painted(number as u64))),
        skip_bad: false,
        options: &fit_options,
        size: [side; 2],
        range: None,
        align: None,
        teacher: &Teacher::built_in(efficientad::Size::Xs).unwrap(),
        penalty: &Penalty::Made,
        effort: Effort::Steps(20),
        checkpoint: &dir.path().join("training"),
        keep_every: std::time::Duration::from_secs(600),
        engine: &options(),
        progress: &mut |_| true,
    })
    .unwrap();
    let file = dir.path().join("trained.andon");
    fitted.bundle.write(&file).unwrap();
    let bundle = Arc::new(Bundle::open(&file).unwrap());
    let host = Box::new(Host::open(&device, &bundle.network(), 2));
    let mut ours = GpuPatchDetector::new(device.clone(), host, bundle.clone()).unwrap();
    let (embedder, _) = PatchEmbedder::open(&bundle.network(), &options()).unwrap();
    let mut reference = PatchDetector::new(embedder, bundle.clone(), 2).unwrap();
    assert!(parity_check(&bundle, &mut ours, 1e-3).is_ok());
    let (mut found, mut expected) = (Detection::default(), Detection::default());
    let frame = painted(99);
    ours.detect(&frame.view().unwrap(), &mut found).unwrap();
    reference.detect(&frame.view().unwrap(), &mut expected).unwrap();
    let largest = expected.map.data.iter().copied().fold(0.0, f32::max);
    assert!(largest > 0.0 && found.map.data.len() == 32 * 32);
    for (got, want) in found.map.data.iter().zip(&expected.map.data) {
        // As for distributions: squared, and the root taken.
        assert!((got - want).abs() <= 1e-3 * largest, "{got} {want}");
    }
}

#[test]
fn a_model_of_aligned_parts_has_the_same_scores_and_places_on_both_sides() {
    let Some(device) = device() else { return };
    let dir = tempfile::tempdir().unwrap();
    let belt = andon_sim::Conveyor::new(andon_sim::SimSpec { defect_rate: 0.0, ..andon_sim::SimSpec::default() });
    let side = belt.spec().side as usize;
    let painted = |k: u64| {
        let mut rgb = Vec::new();
        belt.paint_good(k, &mut rgb);
        rgb
    };
    let small: Vec<Small> = (0..8).map(|k| Small::new(&painted(k), side, side, (side, side))).collect();
    let mut backbone = Backbone::embedded();
    (backbone.input.width, backbone.input.height) = (64, 64);
    backbone.align = Pose::learn(&small).map(Arc::new);
    let (mut embedder, _) = PatchEmbedder::open(&backbone, &options()).unwrap();
    let fit_options = FitOptions {
        params: serde_json::json!({"bank": 300}),
        created: Some("2026-01-01T00:00:00Z".into()),
        ..andon::assemble::fit_defaults::options("turned", "rten", Learned { any_size: false, colour: Colour::Colour })
    };
    let picture = |k: u64| Picture { width: side as u32, height: side as u32, rgb: painted(k) };
    let mut pictures = (0..12u64).map(|k| Ok((format!("{k}"), picture(k))));
    let mut fitted = methods::fit(FitJob {
        pictures: &mut pictures.by_ref().collect::<Vec<_>>().into_iter(),
        skip_bad: false,
        embedder: &mut embedder,
        backbone: &backbone,
        options: &fit_options,
        progress: &mut |_, _, _| {},
    })
    .unwrap();
    let file = dir.path().join("turned.andon");
    fitted.bundle.write(&file).unwrap();
    let bundle = Arc::new(Bundle::open(&file).unwrap());
    let mut ours =
        GpuPatchDetector::new(device.clone(), Box::new(Host::open(&device, &bundle.network(), 2)), bundle.clone())
            .unwrap();
    ours.warm_up().unwrap();
    assert!(parity_check(&bundle, &mut ours, 1e-3).is_ok());
    let (embedder, _) = PatchEmbedder::open(&bundle.network(), &options()).unwrap();
    let mut reference = PatchDetector::new(embedder, bundle.clone(), 2).unwrap();
    reference.warm_up().unwrap();
    // Two at once, each with a pose of its own: the second is turned by a quarter.
    let upright = painted(77);
    let turned: Vec<u8> = (0..side * side)
        .flat_map(|i| {
            let at = ((i % side) * side + side - 1 - i / side) * 3;
            upright[at..at + 3].to_vec()
        })
        .collect();
    let view = |rgb: &'static [u8]| FrameView::new(PixelFormat::Rgb8, side, side, side * 3, rgb).unwrap();
    let views = [view(upright.leak()), view(turned.leak())];
    let mut found = vec![Detection::default(); 2];
    ours.detect_all(&views, &mut found).unwrap();
    for (view, found) in views.iter().zip(&found) {
        let mut expected = Detection::default();
        reference.detect(view, &mut expected).unwrap();
        let largest = expected.map.data.iter().copied().fold(0.0, f32::max);
        assert!((found.score - expected.score).abs() <= 1e-3 * expected.score, "{} {}", found.score, expected.score);
        for (got, want) in found.map.data.iter().zip(&expected.map.data) {
            // Sums in another order: as the parity gate asks.
            assert!((got - want).abs() <= 1e-3 * largest, "{got} {want}");
        }
    }
    let stripes: Vec<u8> =
        (0..side * side).flat_map(|i| [if (i / side / 9).is_multiple_of(2) { 20 } else { 230 }; 3]).collect();
    let stripes = FrameView::new(PixelFormat::Rgb8, side, side, side * 3, &stripes).unwrap();
    assert!(matches!(ours.detect(&stripes, &mut found[0]), Err(Fault::NotAligned { .. })));
    assert!(ours.detect(&views[0], &mut found[0]).is_ok(), "the next part is judged");
}

#[test]
fn a_model_has_the_same_scores_on_both_sides() {
    let Some(device) = device() else { return };
    let bundle = Arc::new(Bundle::open(common::flange_model()).unwrap());
    let backbone = Box::new(Host::open(&device, &bundle.network(), 2));
    let mut ours = GpuPatchDetector::new(device, backbone, bundle.clone()).unwrap();
    let (embedder, _) = PatchEmbedder::open(&bundle.network(), &options()).unwrap();
    let mut reference = PatchDetector::new(embedder, bundle.clone(), 2).unwrap();
    assert_eq!((ours.engine_name(), ours.frames()), ("host", 2));
    let belt = andon_sim::Conveyor::new(andon_sim::SimSpec { defect_rate: 0.0, ..andon_sim::SimSpec::default() });
    let side = belt.spec().side as usize;
    let mut pictures = vec![Vec::new(); 2];
    belt.paint_good(40, &mut pictures[0]);
    belt.paint_with(41, andon_sim::DefectKind::ALL[0], &mut pictures[1]);
    let views: Vec<FrameView<'_>> =
        pictures.iter().map(|p| FrameView::new(PixelFormat::Rgb8, side, side, side * 3, p).unwrap()).collect();
    let mut found = vec![Detection::default(); 2];
    ours.detect_all(&views, &mut found).unwrap();
    for (view, found) in views.iter().zip(&found) {
        let mut expected = Detection::default();
        reference.detect(view, &mut expected).unwrap();
        let off = (found.score - expected.score).abs() / expected.score;
        assert!(off < 1e-4, "{} {}", found.score, expected.score);
        assert_eq!((found.frame, &found.nearest_patch), (expected.frame, &expected.nearest_patch));
        let limit = expected.score * 0.9;
        let boxes =
            |r: andon_core::Regions| r.as_slice().iter().map(|r| (r.x, r.y, r.width, r.height)).collect::<Vec<_>>();
        assert_eq!(boxes(ours.explain(found, limit)), boxes(reference.explain(&expected, limit)));
    }
    assert!(found[1].score > 1.5 * found[0].score, "{} {}", found[0].score, found[1].score);

    ours.require(Some([9, 9]));
    assert!(matches!(ours.detect(&views[0], &mut found[0]), Err(Fault::WrongSize { want_w: 9, .. })));
    ours.require(None);
    assert!(parity_check(&bundle, &mut ours, 1e-4).is_ok());
}

#[test]
fn times_are_taken_of_what_was_asked_for() {
    let Some(device) = device() else { return };
    let t = search_time(&device, (70, 130, 5), 3).unwrap();
    assert_eq!((t.queries, t.rows, t.dim, t.runs), (70, 130, 5, 3));
    assert!(t.ms > 0.0 && (t.tflops - 2.0 * 70.0 * 130.0 * 5.0 / (t.ms * 1e9)).abs() < 1e-12, "{t:?}");
    let backbone = Backbone {
        name: "copy".into(),
        input: InputSpec { width: 6, height: 5, mean: [127.0; 3], scale: [1.0 / 64.0; 3], range: None },
        layers: vec![Layer { pool: 3, weight: 1.0 }],
        ..Backbone::embedded()
    };
    let t = frame_time(device.clone(), Copy::boxed(&device, 2, (5, 6)), &backbone, 20, 10).unwrap();
    assert_eq!((t.network.as_str(), t.frames, t.graph, t.runs), ("copy", 2, true, 10));
    assert!(t.p50_ms > 0.0 && t.p50_ms <= t.p99_ms && t.frames_per_second > 0.0, "{t:?}");
    assert!(t.stages_us.iter().all(|us| *us > 0.0), "{t:?}");
}
