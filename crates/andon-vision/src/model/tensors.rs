//! The tensors that a method keeps in a model file: named values with a shape, shared without copying.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The values of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// 32-bit floating point.
    F32(Arc<[f32]>),
    /// 32-bit whole numbers without a sign.
    U32(Arc<[u32]>),
}

/// Values with their shape, outermost dimension first.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Length of each dimension.
    pub shape: Vec<usize>,
    /// As many values as the lengths' product.
    pub values: Values,
}

impl Tensor {
    /// A tensor of floating point values.
    pub fn f32(shape: &[usize], values: impl Into<Arc<[f32]>>) -> Tensor {
        Tensor { shape: shape.to_vec(), values: Values::F32(values.into()) }
    }

    /// A tensor of whole numbers.
    pub fn u32(shape: &[usize], values: impl Into<Arc<[u32]>>) -> Tensor {
        Tensor { shape: shape.to_vec(), values: Values::U32(values.into()) }
    }

    fn len(&self) -> usize {
        match &self.values {
            Values::F32(values) => values.len(),
            Values::U32(values) => values.len(),
        }
    }

    fn fits(&self) -> bool {
        self.shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d)) == Some(self.len())
    }
}

/// A method's tensors by name. In the file, each name has the method's id before it: `patchcore/bank`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensors(BTreeMap<String, Tensor>);

impl Tensors {
    /// Adds a tensor, or puts it in another's place.
    pub fn insert(&mut self, name: &str, tensor: Tensor) {
        self.0.insert(name.to_owned(), tensor);
    }

    /// All tensors in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// The floating point tensor of this name and shape.
    ///
    /// # Errors
    /// It is missing, has another type or shape, or holds a value that is not finite.
    pub fn f32(&self, name: &str, shape: &[usize]) -> Result<Arc<[f32]>, String> {
        match &self.get(name, shape)?.values {
            Values::F32(values) if values.iter().all(|v| v.is_finite()) => Ok(values.clone()),
            Values::F32(_) => Err(format!("the tensor `{name}` holds a value that is not finite")),
            Values::U32(_) => Err(format!("the tensor `{name}` has the wrong type")),
        }
    }

    /// The tensor of whole numbers of this name and shape.
    ///
    /// # Errors
    /// It is missing or has another type or shape.
    pub fn u32(&self, name: &str, shape: &[usize]) -> Result<Arc<[u32]>, String> {
        match &self.get(name, shape)?.values {
            Values::U32(values) => Ok(values.clone()),
            Values::F32(_) => Err(format!("the tensor `{name}` has the wrong type")),
        }
    }

    /// Length of the first dimension of a tensor.
    ///
    /// # Errors
    /// There is no such tensor, or it has no dimension.
    pub fn rows(&self, name: &str) -> Result<usize, String> {
        let tensor = self.0.get(name).ok_or_else(|| format!("the tensor `{name}` is missing"))?;
        tensor.shape.first().copied().ok_or_else(|| format!("the tensor `{name}` has no dimension"))
    }

    /// Rows and columns of a tensor of two dimensions.
    ///
    /// # Errors
    /// There is no such tensor, or it has other dimensions.
    pub fn matrix(&self, name: &str) -> Result<(usize, usize), String> {
        let tensor = self.0.get(name).ok_or_else(|| format!("the tensor `{name}` is missing"))?;
        match tensor.shape.as_slice() {
            [rows, columns] => Ok((*rows, *columns)),
            _ => Err(format!("the tensor `{name}` has {} dimensions and should have two", tensor.shape.len())),
        }
    }

    fn get(&self, name: &str, shape: &[usize]) -> Result<&Tensor, String> {
        let tensor = self.0.get(name).ok_or_else(|| format!("the tensor `{name}` is missing"))?;
        if tensor.shape != shape || !tensor.fits() {
            return Err(format!("the tensor `{name}` has the shape {:?} and should have {shape:?}", tensor.shape));
        }
        Ok(tensor)
    }
}
