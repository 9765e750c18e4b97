//! A finished model learns one more good picture, or forgets one.

use thiserror::Error;

use crate::fit::{ImageError, MIN_IMAGES, Picture};
use crate::model::Embed;
use crate::model::bundle::Bundle;
use andon_core::Fault;

/// What one picture meant for the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Adapted {
    /// Picture.
    pub name: String,
    /// Its score before.
    pub before: f32,
    /// Its score afterwards.
    pub after: f32,
    /// Rows of the memory bank that came of it.
    pub rows: usize,
}

/// Why the model stays as it is.
#[derive(Debug, Error)]
pub enum AdaptError {
    /// The method cannot.
    #[error("a model of the method `{0}` cannot learn or forget single pictures; learn anew with `andon fit`")]
    Unsupported(String),
    /// A picture cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A picture cannot be scored.
    #[error("{name}: {fault}")]
    Fault {
        /// Picture.
        name: String,
        /// Reason.
        fault: Fault,
    },
    /// It has another size.
    #[error("{name} is {got:?} pixels, the model learned pictures of {want:?}")]
    Size {
        /// Picture.
        name: String,
        /// Its size.
        got: [u32; 2],
        /// The model's.
        want: [u32; 2],
    },
    /// It is in the model already.
    #[error("the model has learned a picture called {name} already; rename it, or --remove the other one first")]
    Known {
        /// Picture.
        name: String,
    },
    /// It is not in the model.
    #[error("the model has not learned a picture called {name}")]
    Unknown {
        /// Picture.
        name: String,
    },
    /// Too little would be left.
    #[error("{left} pictures would be left; at least {MIN_IMAGES} are needed: learn anew with `andon fit`")]
    TooFew {
        /// Pictures that would be left.
        left: usize,
    },
    /// The model contradicts itself.
    #[error("{0}")]
    Model(String),
}

/// How a method changes a finished model. What is added can be taken away again.
pub trait Adapter: Sync {
    /// See [`add`].
    ///
    /// # Errors
    /// [`AdaptError`]; the bundle is unchanged then.
    fn add(
        &self,
        bundle: &mut Bundle,
        pictures: &[(String, Picture)],
        embedder: &mut dyn Embed,
        threads: usize,
    ) -> Result<Vec<Adapted>, AdaptError>;

    /// See [`remove`].
    ///
    /// # Errors
    /// [`AdaptError`]; the bundle is unchanged then.
    fn remove(
        &self,
        bundle: &mut Bundle,
        names: &[String],
        embedder: &mut dyn Embed,
        threads: usize,
    ) -> Result<Vec<Adapted>, AdaptError>;
}

/// Adds good pictures. The threshold and its claim stay: pictures that somebody chose to add are no fair sample.
///
/// # Errors
/// [`AdaptError`]; the bundle is unchanged then.
pub fn add(
    bundle: &mut Bundle,
    pictures: &[(String, Picture)],
    embedder: &mut dyn Embed,
    threads: usize,
) -> Result<Vec<Adapted>, AdaptError> {
    adapter(bundle)?.add(bundle, pictures, embedder, threads)
}

/// Takes pictures out, and sets the threshold anew from the held-out scores that remain, unless somebody chose it after learning. Those were measured while the picture was known, so
/// after taking out more than a few it is better to learn anew.
///
/// # Errors
/// [`AdaptError`]; the bundle is unchanged then.
pub fn remove(
    bundle: &mut Bundle,
    names: &[String],
    embedder: &mut dyn Embed,
    threads: usize,
) -> Result<Vec<Adapted>, AdaptError> {
    adapter(bundle)?.remove(bundle, names, embedder, threads)
}

fn adapter(bundle: &Bundle) -> Result<&'static dyn Adapter, AdaptError> {
    let method = super::of(bundle).map_err(AdaptError::Model)?;
    method.adapter().ok_or_else(|| AdaptError::Unsupported(method.id().to_owned()))
}
