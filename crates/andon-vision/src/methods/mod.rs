//! The methods: each learns what good parts look like and scores pictures against it. A method is a folder here and a line in [`ALL`];
//! its id is what `fit --method` takes and what a model file says. `docs/guides/add-a-method.md` tells how to add one.
//!
//! ```text
//!  fit(job) ─► Fitted { bundle } ─► NAME.andon ─► Bundle::open ─► open(bundle, network) ─► Detector
//!                                                       │
//!                                                       └─► patch_model(bundle) ─► PatchOp      what another backend (a GPU) computes
//! ```

mod adapt;
pub mod cfa;
pub mod efficientad;
pub mod fapm;
pub mod fastrecon;
mod file;
pub mod imported;
pub mod inreach;
mod map;
pub mod padim;
pub mod patchcore;
pub mod patches;
pub mod pni;
pub mod simplenet;
pub mod sinbad;
pub mod softpatch;
pub mod spade;
pub mod subspace;

use std::sync::Arc;

pub use adapt::{AdaptError, Adapted, add, remove};
pub use map::MapModel;
pub use patches::{PatchDetector, PatchModel, PatchOp, Probes, Trial};

use crate::fit::{FitError, FitJob, FitOptions, Fitted};
use crate::model::Backbone;
use crate::model::bundle::Bundle;
use crate::model::embedder::PatchEmbedder;
use crate::model::engine::{EngineError, EngineOptions};
use andon_core::Detector;

/// Every method that this build has, the default first.
pub const ALL: [&dyn Method; 14] = [
    &patchcore::PatchCore,
    &padim::Padim,
    &efficientad::EfficientAd,
    &simplenet::SimpleNet,
    &cfa::Cfa,
    &softpatch::SoftPatch,
    &subspace::Subspace,
    &fastrecon::FastRecon,
    &spade::Spade,
    &fapm::Fapm,
    &pni::Pni,
    &inreach::InReaCh,
    &sinbad::Sinbad,
    &imported::Imported,
];

/// A way to learn from good pictures and to score others.
pub trait Method: Sync {
    /// Its name in model files and for `fit --method`: lower case, never changed once models have it.
    fn id(&self) -> &'static str;

    /// One sentence for `--help`: what it does and where it is good.
    fn about(&self) -> &'static str;

    /// The parameters that [`FitOptions::params`] may hold for it.
    fn params(&self) -> &'static [Param];

    /// How it learns; `None` for a method that takes a training of its own (`andon-train`).
    fn learner(&self) -> Option<&'static dyn Learner>;

    /// The model as data, checked, for methods that score patch features; `None` for those that score pictures in another way, which then
    /// have a [`Method::check`], [`Method::facts`] and [`Method::open`] of their own.
    ///
    /// # Errors
    /// What is missing of the method's part of the model file, or does not fit together.
    fn patch_model(&self, bundle: &Bundle) -> Result<Option<Box<dyn PatchModel>>, String>;

    /// Whether the method's part of a model file is complete and consistent.
    ///
    /// # Errors
    /// What is wrong with it.
    fn check(&self, bundle: &Bundle) -> Result<(), String> {
        self.patch_model(bundle).map(|_| ())
    }

    /// What the model holds, for people.
    ///
    /// # Errors
    /// As [`Method::check`].
    fn facts(&self, bundle: &Bundle) -> Result<Facts, String> {
        let model = self.patch_model(bundle)?;
        model.map(|model| model.facts()).ok_or_else(|| format!("the method `{}` says nothing of its models", self.id()))
    }

    /// The detector on the CPU, with this network for the bundle's; the second value is why it is not on the fastest engine, if so.
    ///
    /// # Errors
    /// [`EngineError`]: the network cannot be run, or what it gives is not what the model was learned from.
    fn open(
        &self,
        bundle: &Arc<Bundle>,
        network: &Backbone,
        options: &EngineOptions,
    ) -> Result<(Box<dyn Detector>, Option<String>), EngineError> {
        let (embedder, degraded) = PatchEmbedder::open(network, options)?;
        Ok((Box::new(PatchDetector::new(embedder, bundle.clone(), options.threads.max(1))?), degraded))
    }

    /// Whether `fit` learns it; others are brought in.
    fn is_learned(&self) -> bool {
        true
    }

    /// How a finished model learns or forgets a picture, if the method can.
    fn adapter(&self) -> Option<&'static dyn adapt::Adapter> {
        None
    }
}

/// How a method learns from the features of a fixed network.
pub trait Learner: Sync {
    /// What learning will take.
    ///
    /// # Errors
    /// [`FitError::Params`].
    fn cost(&self, size: &FitSize, options: &FitOptions) -> Result<Cost, FitError>;

    /// Learns from good pictures.
    ///
    /// # Errors
    /// See [`FitError`].
    fn fit(&self, job: FitJob<'_>) -> Result<Fitted, FitError>;

    /// What models learned in this way would make of good pictures and of others, without keeping one: to compare ways to learn.
    ///
    /// # Errors
    /// See [`FitError`].
    fn trial(&self, job: FitJob<'_>, probes: &Probes<'_>) -> Result<Trial, FitError>;
}

/// A parameter of a method.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its key in [`FitOptions::params`].
    pub name: &'static str,
    /// What holds without it, in words.
    pub default: &'static str,
    /// What it does.
    pub about: &'static str,
}

/// How much there is to learn from.
#[derive(Clone, Copy, Debug)]
pub struct FitSize {
    /// Pictures.
    pub pictures: usize,
    /// Patches of a picture that are not masked.
    pub cells: usize,
    /// Values of a patch's feature.
    pub dim: usize,
}

/// What learning takes, estimated before it begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Bytes of memory at the peak.
    pub bytes: f64,
    /// Seconds, without the network.
    pub seconds: f64,
}

/// What a model holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// What it is: `memory bank`.
    pub label: &'static str,
    /// How much of it, in words.
    pub text: String,
    /// Rows of the memory bank, where there is one.
    pub bank_rows: Option<usize>,
    /// Values of a patch's feature.
    pub dim: usize,
}

/// Those that `fit` learns.
pub fn learned() -> impl Iterator<Item = &'static dyn Method> {
    ALL.into_iter().filter(|method| method.is_learned())
}

/// The method of this id.
pub fn by_id(id: &str) -> Option<&'static dyn Method> {
    ALL.into_iter().find(|method| method.id() == id)
}

/// The method of a model.
///
/// # Errors
/// This build does not have it.
pub fn of(bundle: &Bundle) -> Result<&'static dyn Method, String> {
    let id = &bundle.manifest.method.id;
    by_id(id).ok_or_else(|| format!("it was learned by the method `{id}`, and this andon knows {}", known()))
}

/// Why a model is not scored by another backend than the CPU.
pub fn cpu_only(bundle: &Bundle) -> String {
    format!("the method `{}` is computed on the CPU only", bundle.manifest.method.id)
}

/// The ids, for messages.
pub fn known() -> String {
    ALL.map(|method| format!("`{}`", method.id())).join(", ")
}

/// Learns with the method that the options name. Copies of a picture are left out; with `skip_bad`, pictures that cannot be read are too.
///
/// # Errors
/// See [`FitError`].
pub fn fit(job: FitJob<'_>) -> Result<Fitted, FitError> {
    learner(&job.options.method)?.fit(job)
}

/// How the method of this id learns.
///
/// # Errors
/// [`FitError::Method`], [`FitError::OwnTraining`].
pub fn learner(id: &str) -> Result<&'static dyn Learner, FitError> {
    let method = by_id(id).ok_or_else(|| FitError::Method { id: id.to_owned(), known: known() })?;
    method.learner().ok_or(FitError::OwnTraining { id: method.id() })
}

#[cfg(test)]
mod feature_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_an_id_of_its_own_and_says_what_it_does() {
        for (i, method) in ALL.iter().enumerate() {
            let id = method.id();
            assert!(!id.is_empty() && id.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{id}");
            assert!(ALL.iter().skip(i + 1).all(|other| other.id() != id), "{id} twice");
            assert!(method.about().ends_with('.') && method.params().iter().all(|p| !p.about.is_empty()), "{id}");
            assert!(by_id(id).is_some_and(|found| found.id() == id));
        }
        assert!(by_id("none").is_none());
    }
}
