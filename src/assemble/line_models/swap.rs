//! Another model for cameras that run: its detectors are opened and compared with the reference beside the line, then every camera takes its
//! own between two parts, or none does.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};

use super::{Models, RecipeInForce, refused};
use crate::assemble::detector::{OpenError, OpenedDetector, model_tag, open, remaker};
use crate::config::FrameSize;
use andon_core::{Mono, Threshold};
use andon_line::runtime::{ActiveModel, BuiltDetector, ModelChange};
use andon_service::models::{ModelError, SECONDS};
use andon_vision::model::bundle::Bundle;
use andon_vision::model::engine::EngineOptions;

/// An inspector is done with its part, or late, long before.
const PATIENCE: Duration = Duration::from_secs(SECONDS);
/// Between two looks whether it has taken its model.
const LOOK: Duration = Duration::from_millis(5);

/// What a camera is to judge by.
pub(super) struct NewModel {
    pub camera: usize,
    pub bundle: Arc<Bundle>,
    /// `None` keeps the one in force.
    pub threshold: Option<Threshold>,
}

/// A model whose detector is ready.
pub(super) struct ReadyModel {
    model: NewModel,
    detector: OpenedDetector,
}

struct Order {
    bundle: Arc<Bundle>,
    engine: EngineOptions,
    size: FrameSize,
    answer: Sender<Result<OpenedDetector, OpenError>>,
}

/// A thread that opens detectors: started with the line, so that the threads of their engines have its priority and not the page's.
pub(super) struct Opener(Sender<Order>);

impl Opener {
    /// Starts it. It ends with the last [`Opener`].
    ///
    /// # Errors
    /// No room for a thread.
    pub fn start() -> std::io::Result<Opener> {
        let (to, orders) = bounded::<Order>(1);
        let work = move || {
            for order in orders {
                // Nobody may wait any more.
                drop(order.answer.send(open(&order.bundle, &order.engine, order.size)));
            }
        };
        std::thread::Builder::new().name("models".to_owned()).spawn(work)?;
        Ok(Opener(to))
    }

    fn open(&self, bundle: Arc<Bundle>, engine: EngineOptions, size: FrameSize) -> Result<OpenedDetector, ModelError> {
        let (answer, answered) = bounded(1);
        let gone = |_| refused("the thread that opens models has ended");
        self.0.send(Order { bundle, engine, size, answer }).map_err(|e| gone(e.to_string()))?;
        answered.recv().map_err(|e| gone(e.to_string()))?.map_err(refused)
    }
}

impl Models {
    /// Opens a detector for each of these.
    ///
    /// # Errors
    /// The engine or its comparison with the reference; nothing is changed.
    pub(super) fn open(&self, models: Vec<NewModel>) -> Result<Vec<ReadyModel>, ModelError> {
        let mut ready = Vec::new();
        for model in models {
            let camera = &self.cameras[model.camera];
            let detector = self.opener.open(model.bundle.clone(), camera.engine.clone(), camera.frame_size)?;
            if let Some(why) = &detector.degraded {
                tracing::warn!(camera = camera.name, model = model.bundle.manifest.name, "degraded: {why}");
            }
            ready.push(ReadyModel { model, detector });
        }
        Ok(ready)
    }

    /// Hands every camera its model of a recipe, and waits until they have taken them. If one does not, all get back what they had.
    ///
    /// # Errors
    /// [`ModelError::NotTaken`].
    pub(super) fn take(&self, models: Vec<ReadyModel>, recipe: &RecipeInForce) -> Result<(), ModelError> {
        let cameras: Vec<usize> = models.iter().map(|ready| ready.model.camera).collect();
        let before = cameras.iter().map(|n| self.status.cameras[*n].active.load_full());
        let before: Vec<_> = before.collect();
        for ReadyModel { model, detector } in models {
            let camera = &self.cameras[model.camera];
            let active = ActiveModel {
                threshold: model.threshold,
                model: model_tag(&model.bundle, detector.detector.engine_name(), recipe.name.as_deref()),
                recipe: recipe.count,
            };
            let made = BuiltDetector { detector: detector.detector, degraded: detector.degraded.is_some() };
            let make = remaker(model.bundle, camera.engine.clone(), camera.frame_size);
            camera.swap.change(ModelChange { detector: made, make, active });
        }
        let end = Mono::now() + PATIENCE;
        let is_taken = |at: usize| self.status.cameras[cameras[at]].active.load().number != before[at].number;
        while Mono::now() < end && !(0..cameras.len()).all(is_taken) {
            std::thread::sleep(LOOK);
        }
        let late: Vec<usize> = (0..cameras.len()).filter(|at| self.cameras[cameras[*at]].swap.withdraw()).collect();
        // What a camera had goes here, not on its own thread.
        let retired = cameras.iter().filter_map(|n| self.cameras[*n].swap.retired());
        drop(retired.collect::<Vec<_>>());
        let Some(first) = late.first() else { return Ok(()) };
        let back: Vec<NewModel> = (0..cameras.len())
            .filter(|at| !late.contains(at))
            .filter_map(|at| {
                let bundle = super::lock(&self.state).active.get(cameras[at])?.0.clone();
                Some(NewModel { camera: cameras[at], bundle, threshold: Some(before[at].threshold) })
            })
            .collect();
        if !back.is_empty()
            && let Err(e) = self.open(back).and_then(|ready| self.take(ready, &super::lock(&self.state).recipe.clone()))
        {
            tracing::error!("a camera judges by a model that the others do not have: {e}");
        }
        Err(ModelError::NotTaken(self.cameras[cameras[*first]].name.clone()))
    }
}
