//! Two networks that run one after the other become one.

use std::collections::{HashMap, HashSet};

use super::outline::Port;
use super::{GraphError, OnnxGraph, node};

impl OnnxGraph {
    /// This network with `next` behind it: each input of `next` takes the output of the same name, or the one output whose type and shape are its own. The
    /// outputs are those of `next`.
    ///
    /// # Errors
    /// [`GraphError::Unsupported`]: an input fits no output or several; other operator versions; functions, or graphs in graphs whose names are also the
    /// first network's.
    pub fn followed_by(&self, next: &OnnxGraph) -> Result<OnnxGraph, GraphError> {
        let refused = |why: String| Err(GraphError::Unsupported(why));
        if self.opset() != next.opset() {
            let (first, second) = (self.opset(), next.opset());
            return refused(format!(
                "the first network is of opset {first}, the second of {second}; export both alike"
            ));
        }
        if !next.model.functions.is_empty() {
            return refused("the second network has functions of its own; export it without them".to_owned());
        }
        let links = self.links(next)?;
        let mut joined = self.clone();
        let taken: HashSet<String> = self.names().map(str::to_owned).collect();
        let own: HashSet<String> = next.names().map(str::to_owned).collect();
        let clash: Vec<&String> = own.iter().filter(|name| taken.contains(*name)).collect();
        let within = |n: &super::Node| n.attribute.iter().any(|a| a.g.is_some() || !a.graphs.is_empty());
        if !clash.is_empty() && next.graph.node.iter().any(within) {
            return refused(
                "both networks use the same names, and the second has graphs in graphs; export it with other names"
                    .to_owned(),
            );
        }
        // A name that both use gets a mark in the second network that neither has.
        let mut mark = "then.".to_owned();
        while taken.iter().chain(&own).any(|name| name.starts_with(&mark)) {
            mark.insert(0, '_');
        }
        let renamed: HashMap<&str, String> =
            clash.into_iter().map(|name| (name.as_str(), format!("{mark}{name}"))).collect();
        let rename = |name: &mut String| {
            if let Some(new) = renamed.get(name.as_str()) {
                name.clone_from(new);
            }
        };
        let rename_option = |name: &mut Option<String>| name.iter_mut().for_each(rename);
        let mut second = next.graph.clone();
        for n in &mut second.node {
            n.input.iter_mut().chain(&mut n.output).for_each(rename);
        }
        second.initializer.iter_mut().for_each(|t| rename_option(&mut t.name));
        second.output.iter_mut().for_each(|o| rename_option(&mut o.name));
        for (output, input) in links {
            let mut to = input.clone();
            rename(&mut to);
            joined.graph.node.push(node("Identity", &format!("{mark}{input}.in"), &[&output], &to, Vec::new()));
        }
        joined.graph.node.append(&mut second.node);
        joined.graph.initializer.append(&mut second.initializer);
        joined.graph.sparse_initializer.append(&mut second.sparse_initializer);
        joined.graph.output = second.output;
        joined.graph.value_info.clear();
        for opset in &next.model.opset_import {
            if !joined.model.opset_import.iter().any(|known| known.domain() == opset.domain()) {
                joined.model.opset_import.push(opset.clone());
            }
        }
        Ok(joined)
    }

    /// Every name of a value or constant.
    fn names(&self) -> impl Iterator<Item = &str> {
        let graph = &self.graph;
        let of_nodes = graph.node.iter().flat_map(|n| n.input.iter().chain(&n.output)).map(String::as_str);
        let constants = graph.initializer.iter().map(|t| t.name());
        let ports = graph.input.iter().chain(&graph.output).map(|v| v.name());
        of_nodes.chain(constants).chain(ports).filter(|name| !name.is_empty())
    }

    /// Which output of this network each input of `next` takes.
    fn links(&self, next: &OnnxGraph) -> Result<Vec<(String, String)>, GraphError> {
        let gives = self.gives();
        let link = |input: Port| {
            if let Some(same) = gives.iter().find(|output| output.name == input.name) {
                return Ok((same.name.clone(), input.name));
            }
            let alike: Vec<&Port> = gives.iter().filter(|output| fits(output, &input)).collect();
            match alike[..] {
                [one] => Ok((one.name.clone(), input.name)),
                [] => Err(GraphError::Unsupported(format!(
                    "the second network takes {input}, and no output of the first has that name or shape ({})",
                    gives.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
                ))),
                _ => Err(GraphError::Unsupported(format!(
                    "the second network takes {input}, and several outputs of the first have that shape; give both the same name"
                ))),
            }
        };
        next.takes().into_iter().map(link).collect()
    }
}

/// Whether an output has the type and shape of an input, as far as both are known.
fn fits(output: &Port, input: &Port) -> bool {
    let sides = output.sides.iter().zip(&input.sides);
    output.kind == input.kind
        && output.sides.len() == input.sides.len()
        && sides.into_iter().all(|(a, b)| a.is_none() || b.is_none() || a == b)
}

#[cfg(test)]
mod tests {
    use super::super::{GraphBuilder, check};
    use super::*;

    /// `y = 2 x`, with these names.
    fn doubling(input: &str, output: &str, shape: &[usize]) -> OnnxGraph {
        let mut graph = GraphBuilder::new("doubling");
        graph.input(input, shape);
        let two = graph.constant(&[1], &[2.0]);
        let twice = graph.node("Mul", &[input, &two], &[]);
        graph.output(&twice, output, Some(shape));
        OnnxGraph::read(&graph.write()).unwrap()
    }

    #[test]
    fn two_networks_that_use_the_same_names_become_one() {
        let (first, second) = (doubling("x", "y", &[1, 4]), doubling("x", "y", &[1, 4]));
        let joined = first.followed_by(&second).unwrap();
        assert_eq!(joined.inputs(), ["x"]);
        let [output] = joined.outputs()[..] else { panic!("{:?}", joined.outputs()) };
        let bytes = joined.write();
        check(&bytes, None).unwrap();
        let again = OnnxGraph::read(&bytes).unwrap();
        assert!(again.operators().contains(&("Mul".to_owned(), 2)));
        // Everything that a node takes is made by one before it.
        let mut made: HashSet<&str> =
            again.inputs().into_iter().chain(again.graph.initializer.iter().map(|t| t.name())).collect();
        for n in &again.graph.node {
            assert!(n.input.iter().all(|name| made.contains(name.as_str())), "{:?}", n.input);
            assert!(n.output.iter().all(|name| made.insert(name)), "{:?} is made twice", n.output);
        }
        assert!(made.contains(output));
    }

    #[test]
    fn what_fits_nothing_is_refused_by_name() {
        let why = |second: &OnnxGraph| doubling("x", "y", &[1, 4]).followed_by(second).unwrap_err().to_string();
        assert!(
            why(&doubling("features", "z", &[1, 5])).contains("features"),
            "{}",
            why(&doubling("features", "z", &[1, 5]))
        );
        assert!(doubling("x", "y", &[1, 4]).followed_by(&doubling("features", "z", &[1, 4])).is_ok(), "by its shape");
    }
}
