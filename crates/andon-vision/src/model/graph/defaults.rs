//! Attributes that a file may leave out, written down for engines that do not know what they are then.

use std::collections::HashMap;

use super::{Attribute, OnnxGraph};

impl OnnxGraph {
    /// Writes the strides, dilations and pads of convolutions and poolings that leave them out: they are 1, 1 and 0 then, which rten does not take for granted.
    pub(super) fn write_strides(&mut self) {
        let graph = &mut self.graph;
        let constants: HashMap<&str, usize> = graph.initializer.iter().map(|t| (t.name(), t.dims.len())).collect();
        let windows = |op: &str| matches!(op, "Conv" | "AveragePool" | "MaxPool");
        for conv in graph.node.iter_mut().filter(|node| windows(node.op_type())) {
            let given = |name: &str| conv.attribute.iter().find(|a| a.name.as_deref() == Some(name));
            let of_weights =
                || conv.input.get(1).and_then(|w| constants.get(w.as_str())).and_then(|rank| rank.checked_sub(2));
            let Some(axes) = given("kernel_shape").map(|kernel| kernel.ints.len()).or_else(of_weights) else {
                continue;
            };
            let padded = given("auto_pad").is_some();
            // Poolings know dilations only in some versions.
            let dilations = if conv.op_type() == "Conv" { axes } else { 0 };
            let defaults = [("strides", vec![1; axes]), ("dilations", vec![1; dilations]), ("pads", vec![0; 2 * axes])];
            let missing: Vec<(&str, Vec<i64>)> = defaults
                .into_iter()
                .filter(|(name, ints)| !ints.is_empty() && given(name).is_none() && !(padded && *name == "pads"))
                .collect();
            conv.attribute.extend(missing.into_iter().map(|(name, ints)| Attribute {
                name: Some(name.to_owned()),
                ints,
                kind: Some(7),
                ..Attribute::default()
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Attr, GraphBuilder};
    use super::*;

    #[test]
    fn strides_that_are_left_out_are_one_and_others_stay() {
        let mut graph = GraphBuilder::new("convolutions");
        graph.input("x", &[1, 1, 8, 8]);
        let w = graph.constant(&[1, 1, 1, 1], &[1.0]);
        let first = graph.node("Conv", &["x", &w], &[]);
        let second = graph.node("Conv", &[&first, &w], &[Attr::Ints("strides", &[2, 2])]);
        let third = graph.node("AveragePool", &[&second], &[Attr::Ints("kernel_shape", &[2, 2])]);
        graph.output(&third, "y", None);
        let mut graph = OnnxGraph::read(&graph.write()).unwrap();
        graph.write_strides();
        let all = |name: &str| -> Vec<Vec<i64>> {
            let attributes = graph.graph.node.iter().flat_map(|node| &node.attribute);
            attributes.filter(|a| a.name.as_deref() == Some(name)).map(|a| a.ints.clone()).collect()
        };
        assert_eq!(all("strides"), [[1, 1], [2, 2], [1, 1]]);
        assert_eq!(all("dilations"), [[1, 1], [1, 1]]);
        assert_eq!(all("pads"), [[0; 4]; 3]);
    }
}
