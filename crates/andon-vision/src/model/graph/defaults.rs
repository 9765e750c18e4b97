//! Attributes that a file may leave out, written down for engines that do not know what they are then.

use std::collections::HashMap;

use prost::Message;

use super::{Attribute, Graph, Node, OnnxGraph};

impl OnnxGraph {
    /// Writes the strides, dilations and pads of convolutions and poolings that leave them out: they are 1, 1 and 0 then, which rten does not take
    /// for granted. Returns whether any did. Weights of which nothing is known are those of pictures, with two axes.
    pub fn write_strides(&mut self) -> bool {
        written(&mut self.graph, &HashMap::new())
    }
}

/// The same for a graph and those inside it; `outer` are the constants around it, with their ranks.
fn written(graph: &mut Graph, outer: &HashMap<String, usize>) -> bool {
    /// Axes of a picture.
    const PICTURE: usize = 2;
    let held = |node: &Node| {
        let tensor = node.attribute.iter().find(|a| a.name() == "value")?.t.as_ref()?;
        Some((node.output.first()?.clone(), tensor.dims.len()))
    };
    let held = graph.node.iter().filter(|node| node.op_type() == "Constant").filter_map(held);
    let given = graph.initializer.iter().map(|t| (t.name().to_owned(), t.dims.len()));
    let known = outer.iter().map(|(name, rank)| (name.clone(), *rank));
    let constants: HashMap<String, usize> = known.chain(given).chain(held).collect();
    let mut changed = false;
    for bytes in graph.node.iter_mut().flat_map(|n| &mut n.attribute).flat_map(|a| a.g.iter_mut().chain(&mut a.graphs))
    {
        // What cannot be read is the engine's to refuse.
        let Ok(mut inner) = Graph::decode(bytes.as_slice()) else { continue };
        if written(&mut inner, &constants) {
            *bytes = inner.encode_to_vec();
            changed = true;
        }
    }
    let windows = |op: &str| matches!(op, "Conv" | "ConvTranspose" | "AveragePool" | "MaxPool");
    for conv in graph.node.iter_mut().filter(|node| windows(node.op_type())) {
        let given = |name: &str| conv.attribute.iter().find(|a| a.name.as_deref() == Some(name));
        let of_weights = || match conv.input.get(1).and_then(|w| constants.get(w)) {
            Some(rank) => rank.checked_sub(2),
            None => Some(PICTURE),
        };
        let Some(axes) = given("kernel_shape").map(|kernel| kernel.ints.len()).or_else(of_weights) else {
            continue;
        };
        // A size that is asked for decides the pads.
        let padded = given("auto_pad").is_some() || given("output_shape").is_some();
        // Poolings know dilations only in some versions.
        let dilations = if conv.op_type().starts_with("Conv") { axes } else { 0 };
        let defaults = [("strides", vec![1; axes]), ("dilations", vec![1; dilations]), ("pads", vec![0; 2 * axes])];
        let missing: Vec<(&str, Vec<i64>)> = defaults
            .into_iter()
            .filter(|(name, ints)| !ints.is_empty() && given(name).is_none() && !(padded && *name == "pads"))
            .collect();
        changed |= !missing.is_empty();
        conv.attribute.extend(missing.into_iter().map(|(name, ints)| Attribute {
            name: Some(name.to_owned()),
            ints,
            kind: Some(7),
            ..Attribute::default()
        }));
    }
    changed
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
        assert!(graph.write_strides());
        assert!(!graph.write_strides(), "nothing is missing any more");
        let all = |name: &str| -> Vec<Vec<i64>> {
            let attributes = graph.graph.node.iter().flat_map(|node| &node.attribute);
            attributes.filter(|a| a.name.as_deref() == Some(name)).map(|a| a.ints.clone()).collect()
        };
        assert_eq!(all("strides"), [[1, 1], [2, 2], [1, 1]]);
        assert_eq!(all("dilations"), [[1, 1], [1, 1]]);
        assert_eq!(all("pads"), [[0; 4]; 3]);
    }

    #[test]
    fn a_convolution_of_a_branch_is_told_too_by_weights_around_it() {
        let mut graph = GraphBuilder::new("branches");
        graph.input("x", &[1, 1, 8]);
        let w = graph.constant(&[1, 1, 3], &[1.0; 3]);
        graph.node("If", &["x"], &[]);
        let mut graph = OnnxGraph::read(&graph.write()).unwrap();
        let text = |text: &str| Some(text.to_owned());
        let conv = Node { op_type: text("Conv"), input: vec!["x".into(), w], ..Node::default() };
        let branch = Graph { node: vec![conv], ..Graph::default() }.encode_to_vec();
        let of = graph.graph.node.iter_mut().find(|node| node.op_type() == "If").unwrap();
        of.attribute.push(Attribute { name: text("then_branch"), g: Some(branch), ..Attribute::default() });
        assert!(graph.write_strides());
        let of = graph.graph.node.iter().find(|node| node.op_type() == "If").unwrap();
        let inner = Graph::decode(of.attribute[0].g.as_deref().unwrap()).unwrap();
        let strides = inner.node[0].attribute.iter().find(|a| a.name.as_deref() == Some("strides")).unwrap();
        assert_eq!(strides.ints, [1], "of one axis, as the weights say");
    }
}
