//! Nodes: which operators they are, and whether every name is made once and before it is used.

use std::collections::{BTreeSet, HashMap, HashSet};

use prost::Message;

use super::super::Graph;
use super::super::proto::{Attribute, Node, ValueInfo};
use super::sparse;
use super::tensors::Store;

/// Nodes after functions were put in, at most.
pub(super) const MOST_NODES: u64 = 200_000;
/// Sets of operators that engines have.
const DOMAINS: [&str; 4] = ["", "ai.onnx", "ai.onnx.ml", "com.microsoft"];
/// Operators that give other values each time.
const RANDOM: [&str; 6] =
    ["RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"];
/// With what names begin that are put around networks.
const OURS: &str = "andon.";

/// Names that graphs around one know.
struct Outside<'a> {
    names: &'a HashSet<String>,
    further: Option<&'a Outside<'a>>,
}

impl Outside<'_> {
    fn knows(&self, name: &str) -> bool {
        self.names.contains(name) || self.further.is_some_and(|outside| outside.knows(name))
    }
}

/// Checks a graph and all within it, brings constants in other files in, and sorts its nodes.
pub(super) fn check(graph: &mut Graph, store: &mut Store<'_>) -> Result<(), String> {
    let mut nodes = 0;
    within(graph, None, store, &mut nodes)?;
    if nodes > MOST_NODES {
        return Err(format!("it comes to {nodes} nodes, and at most {MOST_NODES} are run"));
    }
    Ok(())
}

fn within(
    graph: &mut Graph,
    outside: Option<&Outside<'_>>,
    store: &mut Store<'_>,
    nodes: &mut u64,
) -> Result<(), String> {
    for bytes in std::mem::take(&mut graph.sparse_initializer) {
        graph.initializer.push(sparse::written_out(&bytes)?);
    }
    for tensor in &mut graph.initializer {
        store.load(tensor)?;
    }
    let mut made = named_once(graph, outside.is_none())?;
    let known = |name: &str| outside.is_some_and(|outside| outside.knows(name));
    let mut by: HashMap<&str, usize> = HashMap::new();
    for (number, node) in graph.node.iter().enumerate() {
        for output in node.output.iter().filter(|name| !name.is_empty()) {
            if by.insert(output, number).is_some() || made.contains(output) {
                return Err(format!("the value `{output}` is made twice; engines would take either"));
            }
        }
    }
    for node in &graph.node {
        operator(node)?;
        *nodes = nodes.saturating_add(1);
        let there = |name: &str| name.is_empty() || made.contains(name) || by.contains_key(name) || known(name);
        if let Some(missing) = node.input.iter().find(|name| !there(name)) {
            return Err(format!("the node {} takes `{missing}`, which nothing makes", named(node)));
        }
        let names = node.input.iter().chain(&node.output);
        if let Some(ours) = names.filter(|name| name.starts_with(OURS)).find(|_| outside.is_none()) {
            return Err(format!(
                "its value `{ours}` has a name of the kind that this program puts around networks; export it with other names"
            ));
        }
    }
    for output in &graph.output {
        let name = output.name();
        if !made.contains(name) && !by.contains_key(name) && !known(name) {
            return Err(format!("the output `{name}` is made by no node"));
        }
        if outside.is_none() && !by.contains_key(name) {
            return Err(format!(
                "the output `{name}` is an input or a constant, which says nothing of the picture; export the network with what it computes"
            ));
        }
    }
    let order = sorted(graph, &by)?;
    let mut all: Vec<Option<Node>> = std::mem::take(&mut graph.node).into_iter().map(Some).collect();
    graph.node = order.into_iter().filter_map(|number| all[number].take()).collect();
    made.extend(graph.node.iter().flat_map(|node| node.output.iter().cloned()));
    let here = Outside { names: &made, further: outside };
    for node in &mut graph.node {
        let name = named(node);
        for attribute in &mut node.attribute {
            constants(attribute, store)?;
            for bytes in attribute.g.iter_mut().chain(&mut attribute.graphs) {
                let mut inner = Graph::decode(bytes.as_slice())
                    .map_err(|e| format!("a graph in the node {name} is cut short ({e})"))?;
                within(&mut inner, Some(&here), store, nodes)?;
                *bytes = inner.encode_to_vec();
            }
        }
    }
    Ok(())
}

/// Names of constants and inputs, each of which is there once.
fn named_once(graph: &Graph, outermost: bool) -> Result<HashSet<String>, String> {
    let twice = |what: &str, name: &str| {
        format!("the {what} `{name}` is there twice; engines would take either: export the network again")
    };
    let mut made = HashSet::new();
    for tensor in graph.initializer.iter().filter(|tensor| !tensor.name().is_empty()) {
        if !made.insert(tensor.name().to_owned()) {
            return Err(twice("constant", tensor.name()));
        }
    }
    // An input of the same name is what a constant may be replaced by.
    let once = |what: &str, values: &[ValueInfo]| {
        let mut seen: HashSet<&str> = HashSet::new();
        match values.iter().map(ValueInfo::name).find(|name| !seen.insert(name)) {
            Some(name) if outermost => Err(twice(what, name)),
            _ => Ok(()),
        }
    };
    once("input", &graph.input)?;
    once("output", &graph.output)?;
    made.extend(graph.input.iter().map(|value| value.name().to_owned()));
    Ok(made)
}

/// Constants in an attribute.
fn constants(attribute: &mut Attribute, store: &mut Store<'_>) -> Result<(), String> {
    for tensor in attribute.t.iter_mut().chain(&mut attribute.tensors) {
        store.load(tensor)?;
    }
    if let Some(bytes) = attribute.sparse_tensor.take() {
        /// ONNX's number for a constant among the kinds of attributes.
        const TENSOR: i32 = 4;
        attribute.t = Some(sparse::written_out(&bytes)?);
        (attribute.kind, attribute.name) = (Some(TENSOR), Some("value".to_owned()));
    }
    Ok(())
}

/// Numbers of the nodes in an order in which each stands behind those that it takes from; that of the file where it is one.
fn sorted(graph: &Graph, by: &HashMap<&str, usize>) -> Result<Vec<usize>, String> {
    let mut waits: Vec<BTreeSet<usize>> = Vec::new();
    let mut then: Vec<Vec<usize>> = vec![Vec::new(); graph.node.len()];
    for (number, node) in graph.node.iter().enumerate() {
        let mut taken: Vec<String> = node.input.clone();
        for inner in node.attribute.iter().flat_map(|a| a.g.iter().chain(&a.graphs)) {
            taken.extend(taken_within(inner));
        }
        let before: BTreeSet<usize> = taken.iter().filter_map(|name| by.get(name.as_str()).copied()).collect();
        before.iter().for_each(|earlier| then[*earlier].push(number));
        waits.push(before);
    }
    let mut ready: BTreeSet<usize> = (0..waits.len()).filter(|number| waits[*number].is_empty()).collect();
    let mut order = Vec::new();
    while let Some(number) = ready.pop_first() {
        order.push(number);
        for later in &then[number] {
            waits[*later].remove(&number);
            if waits[*later].is_empty() {
                ready.insert(*later);
            }
        }
    }
    match (0..waits.len()).find(|number| !waits[*number].is_empty()) {
        None => Ok(order),
        Some(stuck) => Err(format!("the node {} waits for its own output: a cycle", named(&graph.node[stuck]))),
    }
}

/// Names that a graph within a node takes or gives and does not make itself: they come from outside.
pub fn taken_within(bytes: &[u8]) -> Vec<String> {
    let Ok(inner) = Graph::decode(bytes) else { return Vec::new() };
    let mut taken: Vec<String> = inner.node.iter().flat_map(|node| node.input.iter().cloned()).collect();
    taken.extend(inner.output.iter().map(|output| output.name().to_owned()));
    let graphs = inner.node.iter().flat_map(|node| node.attribute.iter()).flat_map(|a| a.g.iter().chain(&a.graphs));
    taken.extend(graphs.flat_map(|bytes| taken_within(bytes)));
    let mut own: HashSet<&str> = inner.node.iter().flat_map(|node| node.output.iter().map(String::as_str)).collect();
    own.extend(inner.initializer.iter().map(|tensor| tensor.name()));
    own.extend(inner.input.iter().map(ValueInfo::name));
    taken.retain(|name| !own.contains(name.as_str()));
    taken
}

/// Whether an operator is one that engines have, and gives the same each time.
fn operator(node: &Node) -> Result<(), String> {
    let domain = node.domain.as_deref().unwrap_or_default();
    if node.op_type().is_empty() {
        return Err(format!("the node {} says no operator; export the network again", named(node)));
    }
    if RANDOM.contains(&node.op_type()) && DOMAINS[..2].contains(&domain) {
        return Err(format!(
            "the node {} gives other values each time, and the same picture must get the same verdict; export the network without it, as it judges and not as it is trained",
            named(node)
        ));
    }
    if DOMAINS.contains(&domain) {
        return Ok(());
    }
    Err(format!(
        "the node {} is `{domain}::{}`, an operator of somebody's own that none of the engines (ort, rten, TensorRT) has; export it as ordinary operators",
        named(node),
        node.op_type()
    ))
}

pub(super) fn named(node: &Node) -> String {
    match (node.name(), node.output.first()) {
        ("", Some(output)) => format!("that makes `{output}` ({})", node.op_type()),
        (name, _) => format!("`{name}` ({})", node.op_type()),
    }
}
