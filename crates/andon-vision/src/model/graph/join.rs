//! Two networks that run one after the other become one.

use std::collections::{HashMap, HashSet};

use super::outline::Port;
use super::{Graph, GraphError, OnnxGraph, node};

impl OnnxGraph {
    /// This network with `next` behind it: each input of `next` takes the output of the same name, or the one output whose type and shape are its own, or the picture itself, by its name
    /// or shape. The outputs are those of `next`.
    ///
    /// # Errors
    /// [`GraphError::Unsupported`]: an input fits no output or several; versions of operators that cannot be brought to one; functions, or graphs in graphs whose names are also the
    /// first network's.
    pub fn followed_by(&self, next: &OnnxGraph) -> Result<OnnxGraph, GraphError> {
        let refused = |why: String| Err(GraphError::Unsupported(why));
        let newest = self.opset().max(next.opset());
        if self.opset() != next.opset() {
            return self.raised(newest)?.followed_by(&next.raised(newest)?);
        }
        if !next.model.functions.is_empty() {
            return refused("the second network has functions of its own; export it without them".to_owned());
        }
        let mut links = self.links(next)?;
        let mut joined = self.clone();
        joined.model.ir_version = joined.model.ir_version.max(next.model.ir_version);
        joined.make_way(next, &mut links);
        let taken: HashSet<String> = joined.names().map(str::to_owned).collect();
        let own: HashSet<String> = next.names().map(str::to_owned).collect();
        let clash: Vec<&String> = own.iter().filter(|name| taken.contains(*name)).collect();
        if !clash.is_empty() && next.has_graphs_within() {
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
        let mut second = next.graph.clone();
        rename(&mut second, &renamed);
        // Engines want other names of nodes, too.
        let nodes: HashSet<String> = joined.graph.node.iter().map(|n| n.name().to_owned()).collect();
        for n in second.node.iter_mut().filter(|n| nodes.contains(n.name()) && !n.name().is_empty()) {
            n.name = Some(format!("{mark}{}", n.name()));
        }
        for (output, input) in links {
            let to = renamed.get(input.as_str()).unwrap_or(&input).clone();
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

    /// Gives values of this network other names where those of the next one's outputs are the same: the outputs of both together keep the names that people know.
    fn make_way(&mut self, next: &OnnxGraph, links: &mut [(String, String)]) {
        if self.has_graphs_within() {
            return;
        }
        let inputs: HashSet<String> = self.graph.input.iter().map(|input| input.name().to_owned()).collect();
        let taken: HashSet<String> = self.names().map(str::to_owned).collect();
        let mut mark = "first.".to_owned();
        while taken.iter().any(|name| name.starts_with(&mark)) {
            mark.insert(0, '_');
        }
        let clash = next.outputs().into_iter().filter(|name| taken.contains(*name) && !inputs.contains(*name));
        let renamed: HashMap<&str, String> = clash.map(|name| (name, format!("{mark}{name}"))).collect();
        rename(&mut self.graph, &renamed);
        for (output, _) in links {
            if let Some(new) = renamed.get(output.as_str()) {
                output.clone_from(new);
            }
        }
    }

    fn has_graphs_within(&self) -> bool {
        self.graph.node.iter().flat_map(|n| &n.attribute).any(|a| a.g.is_some() || !a.graphs.is_empty())
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
        let (gives, takes) = (self.gives(), self.takes());
        let link = |input: Port| {
            if let Some(same) = gives.iter().find(|output| output.name == input.name) {
                return Ok((same.name.clone(), input.name));
            }
            let alike = |ports: &[Port]| -> Vec<String> {
                ports.iter().filter(|port| fits(port, &input)).map(|port| port.name.clone()).collect()
            };
            let found = alike(&gives);
            let pictures = if found.is_empty() { alike(&takes) } else { Vec::new() };
            match (found.as_slice(), pictures.as_slice()) {
                ([one], _) | ([], [one]) => Ok((one.clone(), input.name)),
                ([], _) => Err(GraphError::Unsupported(format!(
                    "the second network takes {input}, and no output of the first has that name or shape ({})",
                    gives.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
                ))),
                _ => Err(GraphError::Unsupported(format!(
                    "the second network takes {input}, and several outputs of the first have that shape; give both the same name"
                ))),
            }
        };
        let links: Vec<(String, String)> = next.takes().into_iter().map(link).collect::<Result<_, _>>()?;
        // One that takes nothing but the picture does not follow.
        if !links.iter().any(|(from, _)| gives.iter().any(|output| output.name == *from)) {
            return Err(GraphError::Unsupported(format!(
                "the second network takes {}, and no output of the first has that name or shape ({})",
                next.takes().iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
                gives.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
            )));
        }
        Ok(links)
    }
}

/// Gives values and constants other names.
fn rename(graph: &mut Graph, renamed: &HashMap<&str, String>) {
    let to = |name: &mut String| {
        if let Some(new) = renamed.get(name.as_str()) {
            name.clone_from(new);
        }
    };
    for n in &mut graph.node {
        n.input.iter_mut().chain(&mut n.output).for_each(to);
    }
    let constants = graph.initializer.iter_mut().map(|t| &mut t.name);
    let outputs = graph.output.iter_mut().map(|o| &mut o.name);
    constants.chain(outputs).flatten().for_each(to);
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
    use super::super::{Attr, GraphBuilder, check};
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
        let nodes: HashSet<&str> = joined.graph.node.iter().map(|n| n.name()).collect();
        assert_eq!(nodes.len(), joined.graph.node.len(), "no two nodes have one name");
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

    /// The first calls its features as the second calls its map; and the second wants the picture, too, under another name.
    #[test]
    fn what_both_give_keeps_its_name_and_the_picture_is_handed_on() {
        let mut first = GraphBuilder::new("first");
        first.input("image", &[1, 4]);
        let half = first.constant(&[1], &[0.5]);
        let less = first.node("Mul", &["image", &half], &[]);
        let both = first.node("Concat", &[&less, &less], &[Attr::Int("axis", 1)]);
        first.output(&both, "map", Some(&[1, 8]));
        let mut second = GraphBuilder::new("second");
        second.input("features", &[1, 8]);
        second.input("picture", &[1, 4]);
        let all = second.node("Concat", &["features", "picture"], &[Attr::Int("axis", 1)]);
        second.output(&all, "map", Some(&[1, 12]));
        let [first, second] = [first, second].map(|graph| OnnxGraph::read(&graph.write()).unwrap());
        let joined = first.followed_by(&second).unwrap();
        assert_eq!((joined.inputs(), joined.outputs()), (vec!["image"], vec!["map"]));
        check(&joined.write(), None).unwrap();
        let takers = |name: &str| joined.graph.node.iter().filter(|n| n.input.iter().any(|i| i == name)).count();
        assert_eq!((takers("image"), takers("first.map")), (2, 1));
    }
}
