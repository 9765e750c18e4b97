//! Nodes: which operators they are, whether every name is made once and before it is used, and how deep graphs lie in one another.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use prost::Message;

use super::super::Graph;
use super::super::proto::{Function, Node, Tensor};
use super::tensors;

/// Graphs in graphs at most; exporters come to two.
const DEEPEST: usize = 16;
/// Nodes after functions were put in, at most.
const MOST_NODES: u64 = 200_000;
/// Sets of operators that engines have.
const DOMAINS: [&str; 4] = ["", "ai.onnx", "ai.onnx.ml", "com.microsoft"];

/// Functions of the file, and how many nodes each comes to.
pub(super) struct Functions {
    nodes: HashMap<(String, String), u64>,
}

impl Functions {
    /// Reads them; a function that calls itself, or more nodes than can be run, are refused.
    pub fn read(all: &[Vec<u8>]) -> Result<Functions, String> {
        let mut functions = BTreeMap::new();
        for bytes in all {
            let function = Function::decode(bytes.as_slice()).map_err(|e| format!("a function is cut short ({e})"))?;
            let key = (function.domain.clone().unwrap_or_default(), function.name.clone().unwrap_or_default());
            functions.insert(key, function);
        }
        let mut nodes = HashMap::new();
        for key in functions.keys() {
            count(key, &functions, &mut nodes, 0)?;
        }
        Ok(Functions { nodes })
    }

    fn of(&self, node: &Node) -> Option<u64> {
        let domain = node.domain.clone().unwrap_or_default();
        self.nodes.get(&(domain, node.op_type().to_owned())).copied()
    }
}

fn count(
    key: &(String, String),
    functions: &BTreeMap<(String, String), Function>,
    done: &mut HashMap<(String, String), u64>,
    depth: usize,
) -> Result<u64, String> {
    if let Some(nodes) = done.get(key) {
        return Ok(*nodes);
    }
    let Some(function) = functions.get(key) else { return Ok(1) };
    if depth > functions.len() {
        return Err(format!("the function `{}` calls itself", key.1));
    }
    let mut all = 0u64;
    for node in &function.node {
        let called = (node.domain.clone().unwrap_or_default(), node.op_type().to_owned());
        if !functions.contains_key(&called) {
            known(node)?;
        }
        all = all.saturating_add(count(&called, functions, done, depth + 1)?);
    }
    done.insert(key.clone(), all);
    Ok(all)
}

/// Checks a graph and all within it, and sorts its nodes.
pub(super) fn check(graph: &mut Graph, functions: &Functions) -> Result<(), String> {
    let mut nodes = 0;
    within(graph, functions, &HashSet::new(), 0, &mut nodes)?;
    if nodes > MOST_NODES {
        return Err(format!(
            "it comes to {nodes} nodes once its functions are put in, and at most {MOST_NODES} are run"
        ));
    }
    Ok(())
}

fn within(
    graph: &mut Graph,
    functions: &Functions,
    outside: &HashSet<String>,
    depth: usize,
    nodes: &mut u64,
) -> Result<(), String> {
    if depth > DEEPEST {
        return Err(format!("its graphs lie in one another more than {DEEPEST} deep"));
    }
    let mut made: HashSet<String> = outside.clone();
    made.extend(graph.initializer.iter().map(|t| t.name().to_owned()));
    made.extend(graph.input.iter().map(|value| value.name().to_owned()));
    let mut by: HashMap<&str, usize> = HashMap::new();
    for (number, node) in graph.node.iter().enumerate() {
        for output in node.output.iter().filter(|name| !name.is_empty()) {
            let twice = by.insert(output, number).is_some() || (made.contains(output) && !outside.contains(output));
            if twice {
                return Err(format!("the value `{output}` is made twice; engines would take either"));
            }
        }
    }
    for node in &graph.node {
        if functions.of(node).is_none() {
            known(node)?;
        }
        *nodes = nodes.saturating_add(functions.of(node).unwrap_or(1));
        if let Some(missing) =
            node.input.iter().find(|name| !name.is_empty() && !made.contains(*name) && !by.contains_key(name.as_str()))
        {
            return Err(format!("the node {} takes `{missing}`, which nothing makes", named(node)));
        }
    }
    if let Some(missing) = graph.output.iter().map(|o| o.name()).find(|o| !made.contains(*o) && !by.contains_key(o)) {
        return Err(format!("the output `{missing}` is made by no node"));
    }
    let order = sorted(graph, &by)?;
    let mut all: Vec<Option<Node>> = std::mem::take(&mut graph.node).into_iter().map(Some).collect();
    graph.node = order.into_iter().filter_map(|number| all[number].take()).collect();
    made.extend(graph.node.iter().flat_map(|node| node.output.iter().cloned()));
    for node in &mut graph.node {
        let (op, name) = (node.op_type().to_owned(), named(node));
        if op == "Loop" && !has_limit(&node.input, &graph.initializer) {
            return Err(format!(
                "the node {name} is a Loop that nothing bounds, and a frame must be judged in time; export it unrolled"
            ));
        }
        for attribute in &mut node.attribute {
            if let Some(tensor) = &attribute.t {
                tensors::one(tensor)?;
            }
            for bytes in attribute.g.iter_mut().chain(&mut attribute.graphs) {
                let mut inner = Graph::decode(bytes.as_slice())
                    .map_err(|e| format!("a graph in the node {name} is cut short ({e})"))?;
                for tensor in &inner.initializer {
                    tensors::one(tensor)?;
                }
                within(&mut inner, functions, &made, depth + 1, nodes)?;
                *bytes = inner.encode_to_vec();
            }
        }
    }
    Ok(())
}

/// Whether a loop's first input, how often it runs at most, is a constant.
fn has_limit(inputs: &[String], constants: &[Tensor]) -> bool {
    inputs.first().is_some_and(|name| !name.is_empty() && constants.iter().any(|t| t.name() == name))
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

/// Names that a graph within a node takes or gives: what it does not make itself comes from outside.
pub fn taken_within(bytes: &[u8]) -> Vec<String> {
    let Ok(inner) = Graph::decode(bytes) else { return Vec::new() };
    let mut taken: Vec<String> = inner.node.iter().flat_map(|node| node.input.iter().cloned()).collect();
    taken.extend(inner.output.iter().map(|output| output.name().to_owned()));
    let graphs = inner.node.iter().flat_map(|node| node.attribute.iter()).flat_map(|a| a.g.iter().chain(&a.graphs));
    taken.extend(graphs.flat_map(|bytes| taken_within(bytes)));
    taken
}

fn known(node: &Node) -> Result<(), String> {
    let domain = node.domain.as_deref().unwrap_or_default();
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
