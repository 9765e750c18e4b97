//! Functions of a file's own are put in where they are called: what follows, ours and engines, sees ordinary operators alone.

use std::collections::{BTreeMap, HashMap};

use prost::Message;

use super::super::proto::{Attribute, Function, Model, Node};
use super::super::{Graph, node};
use super::scope::MOST_NODES;

/// Functions that call one another at most.
const DEEPEST: usize = 100;

/// Domain, name and overload.
type Key = (String, String, String);

/// Puts the functions of a file in where they are called.
///
/// # Errors
/// A function calls itself, is of other versions of operators than the file, or all come to more nodes than can be run.
pub(super) fn put_in(model: &mut Model) -> Result<(), String> {
    if model.functions.is_empty() {
        return Ok(());
    }
    let mut functions = BTreeMap::new();
    for bytes in &model.functions {
        let function = Function::decode(bytes.as_slice()).map_err(|e| format!("a function is cut short ({e})"))?;
        for set in &function.opset_import {
            let (domain, version) = (set.domain(), set.version());
            let other = model.opset_import.iter().find(|o| o.domain() == domain && o.version() != version);
            if let Some(other) = other.filter(|_| domain.is_empty()) {
                return Err(format!(
                    "its function `{}` is of opset {version}, and the network of {}; export both alike",
                    function.name(),
                    other.version()
                ));
            }
        }
        let named = |text: &Option<String>| text.clone().unwrap_or_default();
        functions.insert((named(&function.domain), named(&function.name), named(&function.overload)), function);
    }
    let Some(graph) = model.graph.as_mut() else { return Ok(()) };
    let mut all = Put { functions, counted: HashMap::new(), calls: 0 };
    let mut nodes = 0u64;
    for node in &graph.node {
        nodes = nodes.saturating_add(all.count(node, 0)?);
    }
    if nodes > MOST_NODES {
        return Err(format!(
            "it comes to {nodes} nodes once its functions are put in, and at most {MOST_NODES} are run"
        ));
    }
    graph.node = all.expand(std::mem::take(&mut graph.node))?;
    model.functions.clear();
    Ok(())
}

fn key(node: &Node) -> Key {
    let named = |text: &Option<String>| text.clone().unwrap_or_default();
    (named(&node.domain), node.op_type().to_owned(), named(&node.overload))
}

struct Put {
    functions: BTreeMap<Key, Function>,
    /// Nodes that a function comes to.
    counted: HashMap<Key, u64>,
    calls: usize,
}

impl Put {
    /// How many nodes one comes to, with all that it calls.
    fn count(&mut self, node: &Node, depth: usize) -> Result<u64, String> {
        let key = key(node);
        let mut nodes = u64::from(!self.functions.contains_key(&key));
        for bytes in node.attribute.iter().flat_map(|a| a.g.iter().chain(&a.graphs)) {
            for inner in &decoded(bytes)?.node {
                nodes = nodes.saturating_add(self.count(inner, depth)?);
            }
        }
        if let Some(counted) = self.counted.get(&key) {
            return Ok(nodes.saturating_add(*counted));
        }
        let Some(function) = self.functions.get(&key).map(|function| function.node.clone()) else { return Ok(nodes) };
        if depth > DEEPEST.min(self.functions.len()) {
            return Err(match self.functions.len() > DEEPEST {
                true => format!("its functions call one another more than {DEEPEST} deep, or in a circle"),
                false => format!("the function `{}` calls itself", key.1),
            });
        }
        let mut all = 0u64;
        for inner in &function {
            all = all.saturating_add(self.count(inner, depth + 1)?);
        }
        self.counted.insert(key, all);
        Ok(nodes.saturating_add(all))
    }

    fn expand(&mut self, nodes: Vec<Node>) -> Result<Vec<Node>, String> {
        let mut made = Vec::new();
        for mut node in nodes {
            for bytes in node.attribute.iter_mut().flat_map(|a| a.g.iter_mut().chain(&mut a.graphs)) {
                let mut inner = decoded(bytes)?;
                inner.node = self.expand(inner.node)?;
                *bytes = inner.encode_to_vec();
            }
            match self.functions.get(&key(&node)).cloned() {
                None => made.push(node),
                Some(function) => {
                    let body = self.body(&node, function)?;
                    made.extend(self.expand(body)?);
                }
            }
        }
        Ok(made)
    }

    /// The nodes of a function for one call of it.
    fn body(&mut self, call: &Node, function: Function) -> Result<Vec<Node>, String> {
        self.calls += 1;
        let prefix = format!("{}.{}.", function.name(), self.calls);
        let mut names: HashMap<String, String> = HashMap::new();
        for (i, name) in function.input.iter().enumerate() {
            names.insert(name.clone(), call.input.get(i).cloned().unwrap_or_default());
        }
        let handed_on: Vec<(String, String)> = function
            .output
            .iter()
            .zip(&call.output)
            .filter(|(inner, outer)| names.contains_key(*inner) && !outer.is_empty())
            .map(|(inner, outer)| (names[inner].clone(), outer.clone()))
            .collect();
        for (inner, outer) in function.output.iter().zip(&call.output).filter(|(_, outer)| !outer.is_empty()) {
            names.entry(inner.clone()).or_insert_with(|| outer.clone());
        }
        let given = |name: &str| {
            let of = |all: &[Attribute]| all.iter().find(|a| a.name() == name).cloned();
            of(&call.attribute).or_else(|| of(&function.attribute_proto))
        };
        let mut made = function.node.clone();
        rename(&mut made, &names, &prefix, &given)?;
        let hand = |(from, to): &(String, String)| node("Identity", &format!("{prefix}{to}"), &[from], to, Vec::new());
        made.extend(handed_on.iter().map(hand));
        Ok(made)
    }
}

/// Gives values the names that they have outside, or ones of their own, and attributes the values of the call.
fn rename(
    nodes: &mut [Node],
    names: &HashMap<String, String>,
    prefix: &str,
    given: &dyn Fn(&str) -> Option<Attribute>,
) -> Result<(), String> {
    let to = |name: &mut String| {
        *name = match names.get(name) {
            Some(outer) => outer.clone(),
            None if name.is_empty() => String::new(),
            None => format!("{prefix}{name}"),
        }
    };
    for node in nodes {
        node.input.iter_mut().chain(&mut node.output).for_each(to);
        node.name = Some(format!("{prefix}{}", node.name()));
        let mut attributes = Vec::new();
        for mut attribute in std::mem::take(&mut node.attribute) {
            if let Some(reference) = attribute.ref_attr_name.take().filter(|name| !name.is_empty()) {
                let Some(value) = given(&reference) else { continue };
                attribute = Attribute { name: attribute.name, ..value };
            }
            for bytes in attribute.g.iter_mut().chain(&mut attribute.graphs) {
                let mut inner = decoded(bytes)?;
                rename(&mut inner.node, names, prefix, given)?;
                let constants = inner.initializer.iter_mut().map(|t| &mut t.name);
                let ports = inner.input.iter_mut().chain(&mut inner.output).map(|v| &mut v.name);
                constants.chain(ports).flatten().for_each(to);
                inner.value_info.clear();
                *bytes = inner.encode_to_vec();
            }
            attributes.push(attribute);
        }
        node.attribute = attributes;
    }
    Ok(())
}

fn decoded(bytes: &[u8]) -> Result<Graph, String> {
    Graph::decode(bytes).map_err(|e| format!("a graph within a node is cut short ({e})"))
}
