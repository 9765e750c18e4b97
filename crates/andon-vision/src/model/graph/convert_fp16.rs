//! Weights and arithmetic in half precision; input and outputs stay single. For engines that take a graph's types as they are.

use std::collections::{BTreeMap, BTreeSet};

use half::f16;

use super::{FLOAT, GraphError, HALF, OnnxGraph, Tensor, floats, int, node};

/// Operators that want single precision in these inputs whatever the others are, by ONNX's definitions.
fn stays_single(op: &str, input: usize) -> bool {
    matches!((op, input), ("Resize", 1 | 2) | ("Upsample", 1))
}

impl OnnxGraph {
    /// The same network in half precision.
    ///
    /// # Errors
    /// [`GraphError::Unsupported`]: a weight that half precision cannot hold, control flow, weights in another file.
    pub fn convert_fp16(&self) -> Result<OnnxGraph, GraphError> {
        let mut made = self.clone();
        let inputs: Vec<String> = made.inputs().into_iter().map(str::to_owned).collect();
        let graph = &mut made.graph;
        graph.value_info.clear();
        if let Some(n) = graph.node.iter().find(|n| n.attribute.iter().any(|a| a.g.is_some() || !a.graphs.is_empty())) {
            return Err(GraphError::Unsupported(format!("`{}` is control flow", n.op_type())));
        }
        let single: BTreeSet<String> = graph
            .node
            .iter()
            .flat_map(|n| n.input.iter().enumerate().filter(|(i, _)| stays_single(n.op_type(), *i)))
            .map(|(_, name)| name.clone())
            .collect();
        for tensor in graph.initializer.iter_mut().filter(|t| !single.contains(t.name())) {
            to_half(tensor)?;
        }
        for n in &mut graph.node {
            let kept = n.output.iter().any(|o| single.contains(o));
            for attribute in &mut n.attribute {
                if let Some(tensor) = attribute.t.as_mut().filter(|_| !kept) {
                    to_half(tensor)?;
                }
                if n.op_type.as_deref() == Some("Cast") && attribute.name() == "to" && attribute.i == Some(FLOAT.into())
                {
                    attribute.i = Some(HALF.into());
                }
            }
        }
        // Constants that are listed as inputs too, as old files do.
        for value in graph.input.iter_mut().filter(|v| !inputs.iter().any(|i| i == v.name())) {
            let constant = graph.initializer.iter().find(|t| Some(t.name()) == value.name.as_deref());
            if let (Some(t), Some(tensor)) = (constant, value.kind.as_mut().and_then(|k| k.tensor.as_mut())) {
                tensor.elem_type = t.data_type;
            }
        }
        let outputs: Vec<String> = graph.output.iter().map(|o| o.name().to_owned()).collect();
        let mut renamed = BTreeMap::new();
        for name in inputs.iter().chain(&outputs) {
            renamed.insert(name.clone(), format!("{name}.half"));
        }
        for name in graph.node.iter_mut().flat_map(|n| n.input.iter_mut().chain(&mut n.output)) {
            if let Some(new) = renamed.get(name) {
                name.clone_from(new);
            }
        }
        let cast = |from: &str, to: &str, kind: i32| {
            node("Cast", &format!("{to}.cast"), &[from], to, vec![int("to", kind.into())])
        };
        let mut nodes: Vec<_> = inputs.iter().map(|name| cast(name, &renamed[name], HALF)).collect();
        nodes.append(&mut graph.node);
        nodes.extend(outputs.iter().map(|name| cast(&renamed[name], name, FLOAT)));
        graph.node = nodes;
        Ok(made)
    }

    /// Lets a network that was written in half precision take its inputs so too, without a conversion in front.
    pub fn half_input(mut self) -> OnnxGraph {
        let inputs: Vec<String> = self.inputs().into_iter().map(str::to_owned).collect();
        for name in inputs {
            // The conversion that `convert_fp16` has put there is the input's only reader.
            let half = format!("{name}.half");
            let before = self.graph.node.len();
            self.graph
                .node
                .retain(|n| !(n.op_type() == "Cast" && n.input == [name.clone()] && n.output == [half.clone()]));
            if self.graph.node.len() == before {
                continue;
            }
            for read in self.graph.node.iter_mut().flat_map(|n| &mut n.input).filter(|i| **i == half) {
                read.clone_from(&name);
            }
            for value in self.graph.input.iter_mut().filter(|v| v.name() == name) {
                value.kind.get_or_insert_default().tensor.get_or_insert_default().elem_type = Some(HALF);
            }
        }
        self
    }
}

fn to_half(tensor: &mut Tensor) -> Result<(), GraphError> {
    if tensor.data_type != Some(FLOAT) {
        return Ok(());
    }
    let mut raw = Vec::new();
    for value in floats(tensor)? {
        let half = f16::from_f32(value);
        if value.is_finite() && half.is_infinite() {
            let why = format!("the constant `{}` holds {value}, half precision ends at 65504", tensor.name());
            return Err(GraphError::Unsupported(why));
        }
        raw.extend(half.to_le_bytes());
    }
    tensor.data_type = Some(HALF);
    tensor.float_data.clear();
    tensor.raw_data = Some(raw);
    Ok(())
}
