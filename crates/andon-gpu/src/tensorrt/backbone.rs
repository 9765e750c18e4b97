//! A TensorRT engine as the network of a pipeline. One thread; allocates only when it is made.

use std::sync::Arc;

use super::{Context, Engine, TensorRtError, TensorType};
use crate::backbone::GpuBackbone;
use crate::driver::Device;
use crate::error::CudaError;
use crate::memory::{Buffer, DeviceInput, DeviceMap};

/// A TensorRT engine with its input and output buffers.
pub struct TensorRtBackbone {
    context: Context,
    input: Input,
    input_name: String,
    /// Channels, height and width of one image.
    shape: [i64; 3],
    maps: Vec<DeviceMap>,
    images: usize,
    /// Images of the input shape that was set last.
    set: usize,
}

enum Input {
    Single(Buffer<f32>),
    Half(Buffer<u16>),
}

impl TensorRtBackbone {
    /// Buffers for an engine that was built for up to `images` images, and whose outputs have these names.
    ///
    /// # Errors
    /// [`TensorRtError::Engine`] when the engine has other inputs or outputs than a feature extractor; no memory.
    pub fn new(device: &Device, engine: Arc<Engine>, outputs: &[String], images: usize) -> Result<Self, TensorRtError> {
        let library = engine.library().name();
        let refused = |why: String| TensorRtError::Engine { library: library.clone(), why };
        let no_memory = |e: CudaError| refused(e.to_string());
        let inputs: Vec<_> = engine.tensors().iter().filter(|t| t.input).collect();
        let [input] = inputs[..] else { return Err(refused(format!("it has {} inputs", inputs.len()))) };
        let [_, channels, height, width] = input.shape[..] else {
            return Err(refused(format!("its input has the shape {:?}", input.shape)));
        };
        let kind = input.kind;
        if channels != 3 || height <= 0 || width <= 0 || !matches!(kind, TensorType::Float | TensorType::Half) {
            return Err(refused(format!("its input is {:?} of {:?}", input.kind, input.shape)));
        }
        let shape = [channels, height, width];
        let values = (channels * height * width) as usize;
        let input_name = input.name.clone();
        let mut context = Context::new(engine.clone())?;
        context.set_shape(&input_name, &[images as i64, channels, height, width])?;
        let input = match kind {
            TensorType::Half => {
                let buffer = device.zeros(images * values).map_err(no_memory)?;
                // SAFETY: as many values as the largest shape has, kept beside the context and used on the device's stream alone.
                unsafe { context.set_address(device, &input_name, &buffer)? };
                Input::Half(buffer)
            }
            _ => {
                let buffer = device.zeros(images * values).map_err(no_memory)?;
                // SAFETY: as above.
                unsafe { context.set_address(device, &input_name, &buffer)? };
                Input::Single(buffer)
            }
        };
        let mut maps = Vec::new();
        for name in outputs {
            let tensor = engine.tensors().iter().find(|t| !t.input && t.name == *name);
            let tensor = tensor.ok_or_else(|| refused(format!("it has no output `{name}`")))?;
            if tensor.kind != TensorType::Float {
                return Err(refused(format!("its output `{name}` is {:?}, Float is wanted", tensor.kind)));
            }
            let [n, channels, height, width] = context.shape(name)?[..] else {
                return Err(refused(format!("its output `{name}` has the shape {:?}", tensor.shape)));
            };
            let values = device.zeros(n * channels * height * width).map_err(no_memory)?;
            // SAFETY: as for the input.
            unsafe { context.set_address(device, name, &values)? };
            maps.push(DeviceMap { values, channels, height, width });
        }
        if engine.tensors().len() != outputs.len() + 1 {
            return Err(refused("it has outputs that nobody asked for".to_owned()));
        }
        Ok(TensorRtBackbone { context, input, input_name, shape, maps, images, set: images })
    }
}

impl GpuBackbone for TensorRtBackbone {
    fn name(&self) -> &'static str {
        "tensorrt"
    }

    fn images(&self) -> usize {
        self.images
    }

    fn input(&mut self) -> DeviceInput<'_> {
        match &mut self.input {
            Input::Single(buffer) => DeviceInput::Single(buffer),
            Input::Half(buffer) => DeviceInput::Half(buffer),
        }
    }

    fn enqueue(&mut self, device: &Device, images: usize) -> Result<(), CudaError> {
        let refused = |e: TensorRtError| CudaError::Backbone { why: e.to_string() };
        if images == 0 || images > self.images {
            return Err(CudaError::Shape(format!("{images} images, the engine takes 1 to {}", self.images)));
        }
        if images != self.set {
            let [channels, height, width] = self.shape;
            self.context.set_shape(&self.input_name, &[images as i64, channels, height, width]).map_err(refused)?;
            self.set = images;
        }
        self.context.enqueue(device).map_err(refused)
    }

    fn maps(&self) -> &[DeviceMap] {
        &self.maps
    }

    fn can_be_captured(&self) -> bool {
        true
    }
}
