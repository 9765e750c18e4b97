//! Convolutions in eight bits, written as QuantizeLinear and DequantizeLinear around them, which every engine reads the same way. Weights
//! have a scale for each output channel, activations one for each tensor; both symmetric, as TensorRT demands. Sums stay 32 bits wide.
//! Source: Wu et al., "Integer Quantization for Deep Learning Inference", arXiv 2004.09602, sections 3 and 5.

use std::collections::BTreeMap;

use super::proto::{TensorType, Type, ValueInfo};
use super::{FLOAT, GraphError, INT8, OnnxGraph, Tensor, floats, int, node};

/// Bins of a range's histogram.
const BINS: usize = 2048;
/// The share of an activation's values that its range holds; the rest is clipped. Ranges by the largest value waste steps on
/// outliers (the source's section 5 and table 5).
const SHARE: f64 = 0.9999;

/// Sizes of the values of one tensor, seen so far.
#[derive(Clone, Debug)]
pub struct ActivationRange {
    top: f32,
    bins: Vec<u64>,
}

impl Default for ActivationRange {
    fn default() -> ActivationRange {
        ActivationRange { top: 0.0, bins: vec![0; BINS] }
    }
}

impl ActivationRange {
    /// Takes values in. Values that are not finite are left out.
    pub fn see(&mut self, values: &[f32]) {
        let most = values.iter().filter(|v| v.is_finite()).fold(0.0f32, |m, v| m.max(v.abs()));
        if self.top == 0.0 {
            self.top = most;
        }
        // Doubled, so that bins can be joined in pairs.
        while self.top < most && self.top > 0.0 {
            for i in 0..BINS / 2 {
                self.bins[i] = self.bins[2 * i] + self.bins[2 * i + 1];
            }
            self.bins[BINS / 2..].fill(0);
            self.top *= 2.0;
        }
        if self.top == 0.0 {
            return;
        }
        let step = BINS as f32 / self.top;
        for value in values.iter().filter(|v| v.is_finite()) {
            self.bins[((value.abs() * step) as usize).min(BINS - 1)] += 1;
        }
    }

    /// The size below which all but a ten thousandth of the values are; `None` where none was seen but zeros.
    pub fn limit(&self) -> Option<f32> {
        let all: u64 = self.bins.iter().sum();
        let wanted = (all as f64 * SHARE).ceil() as u64;
        let mut below = 0;
        let bin = self.bins.iter().position(|n| {
            below += n;
            below >= wanted
        })?;
        (self.top > 0.0).then(|| (bin + 1) as f32 * self.top / BINS as f32)
    }
}

/// Ranges by tensor.
pub type ActivationRanges = BTreeMap<String, ActivationRange>;

impl OnnxGraph {
    /// The tensors whose ranges [`OnnxGraph::quantize_int8`] needs: what goes into convolutions with constant weights, save depthwise ones.
    pub fn quantized_tensors(&self) -> Vec<String> {
        let mut names: Vec<String> = self.convolutions().map(|(_, input, _)| input.to_owned()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Position, input and weights of the convolutions with constant weights, but not of those that keep channels apart: one scale for all
    /// channels of their input loses the small ones (measured: docs/gpu.md), and they wait for memory, not for multiplications.
    fn convolutions(&self) -> impl Iterator<Item = (usize, &str, &str)> {
        let graph = &self.graph;
        graph.node.iter().enumerate().filter(|(_, n)| n.op_type() == "Conv").filter_map(|(at, n)| {
            let groups = n.attribute.iter().find(|a| a.name() == "group").and_then(|a| a.i).unwrap_or(1);
            let (input, weights) = (n.input.first()?, n.input.get(1)?);
            let constant = |t: &&Tensor| t.name() == weights && t.data_type == Some(FLOAT);
            let plain = groups == 1 && graph.initializer.iter().any(|t| constant(&t));
            plain.then_some((at, input.as_str(), weights.as_str()))
        })
    }

    /// The network with further tensors as outputs, to see their ranges.
    pub fn with_outputs(&self, names: &[String]) -> OnnxGraph {
        let mut made = self.clone();
        let graph = &mut made.graph;
        for name in
            names.iter().filter(|n| !graph.output.iter().any(|o| o.name() == n.as_str())).cloned().collect::<Vec<_>>()
        {
            let kind = Type { tensor: Some(TensorType { elem_type: Some(FLOAT), shape: None }), ..Type::default() };
            graph.output.push(ValueInfo { name: Some(name), kind: Some(kind), ..ValueInfo::default() });
        }
        made
    }

    /// The same network with its convolutions in eight bits; the rest stays single.
    ///
    /// # Errors
    /// [`GraphError::Unsupported`]: a tensor without a range, operators too old for a scale a channel.
    pub fn quantize_int8(&self, ranges: &ActivationRanges) -> Result<OnnxGraph, GraphError> {
        if self.opset() < 13 {
            let why = format!("its operators are of version {}; 13 is needed for eight bits", self.opset());
            return Err(GraphError::Unsupported(why));
        }
        let mut made = self.clone();
        let convolutions: Vec<(usize, String, String)> =
            self.convolutions().map(|(at, i, w)| (at, i.to_owned(), w.to_owned())).collect();
        // Nodes to go in front of the node at a position.
        let mut before: BTreeMap<usize, Vec<super::Node>> = BTreeMap::new();
        let mut done: BTreeMap<String, ()> = BTreeMap::new();
        for (at, input, weights) in convolutions {
            let range = ranges.get(&input).and_then(ActivationRange::limit);
            let limit = range.ok_or_else(|| GraphError::Unsupported(format!("no values of `{input}` were seen")))?;
            let scale = format!("{input}.scale");
            if done.insert(scale.clone(), ()).is_none() {
                let graph = &mut made.graph;
                graph.initializer.push(scalar(&scale, limit / 127.0));
                graph.initializer.push(zeros(&format!("{input}.zero"), &[]));
                let (zero, eight) = (format!("{input}.zero"), format!("{input}.eight"));
                let nodes = before.entry(at).or_default();
                nodes.push(node("QuantizeLinear", &format!("{eight}.q"), &[&input, &scale, &zero], &eight, vec![]));
                let back = format!("{input}.back");
                nodes.push(node("DequantizeLinear", &format!("{back}.dq"), &[&eight, &scale, &zero], &back, vec![]));
            }
            let back = format!("{weights}.back");
            if done.insert(back.clone(), ()).is_none() {
                let (scale, zero) = (format!("{weights}.scale"), format!("{weights}.zero"));
                let graph = &mut made.graph;
                let Some(tensor) = graph.initializer.iter_mut().find(|t| t.name() == weights) else { continue };
                let scales = quantize(tensor)?;
                let channels = [scales.len() as i64];
                graph.initializer.push(of_floats(&scale, &scales, &channels));
                graph.initializer.push(zeros(&zero, &channels));
                let dq = node(
                    "DequantizeLinear",
                    &format!("{back}.dq"),
                    &[&weights, &scale, &zero],
                    &back,
                    vec![int("axis", 0)],
                );
                before.entry(at).or_default().push(dq);
            }
            let conv = &mut made.graph.node[at];
            conv.input[0] = format!("{input}.back");
            conv.input[1] = back;
        }
        let graph = &mut made.graph;
        graph.value_info.clear();
        let nodes = std::mem::take(&mut graph.node);
        graph.node = nodes
            .into_iter()
            .enumerate()
            .flat_map(|(at, n)| before.remove(&at).unwrap_or_default().into_iter().chain([n]))
            .collect();
        Ok(made)
    }
}

/// Weights as eight bits, in place; the scale of each output channel.
fn quantize(tensor: &mut Tensor) -> Result<Vec<f32>, GraphError> {
    let values = floats(tensor)?;
    let channels = tensor.dims.first().map_or(1, |n| (*n).max(1) as usize);
    let (mut scales, mut raw) = (Vec::with_capacity(channels), Vec::with_capacity(values.len()));
    for channel in values.chunks((values.len() / channels).max(1)) {
        let most = channel.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        // A channel of zeros: any scale will do, but none of zero.
        let scale = if most > 0.0 { most / 127.0 } else { 1.0 };
        scales.push(scale);
        raw.extend(channel.iter().map(|v| (v / scale).round_ties_even().clamp(-127.0, 127.0) as i8 as u8));
    }
    tensor.data_type = Some(INT8);
    tensor.float_data.clear();
    tensor.raw_data = Some(raw);
    Ok(scales)
}

fn scalar(name: &str, value: f32) -> Tensor {
    of_floats(name, &[value], &[])
}

fn of_floats(name: &str, values: &[f32], dims: &[i64]) -> Tensor {
    let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Tensor {
        name: Some(name.to_owned()),
        dims: dims.to_vec(),
        data_type: Some(FLOAT),
        raw_data: Some(raw),
        ..Tensor::default()
    }
}

fn zeros(name: &str, dims: &[i64]) -> Tensor {
    let raw = vec![0; dims.iter().product::<i64>() as usize];
    Tensor {
        name: Some(name.to_owned()),
        dims: dims.to_vec(),
        data_type: Some(INT8),
        raw_data: Some(raw),
        ..Tensor::default()
    }
}
