//! Brings a network from elsewhere into the form of the line: one picture `picture` `[1, 3, rows, columns]` of f32 in red, green, blue in; one plane
//! `[1, 1, rows, columns]` for each output out. The network itself stays what it is.

use std::collections::HashSet;

use super::outline::{Kind, Port};
use super::proto::{Tensor, ValueInfo};
use super::{Dim, GraphError, OnnxGraph, int, node, set_shape};

/// How a network takes pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct Takes {
    /// Its input.
    pub port: Port,
    /// Columns and rows.
    pub size: [usize; 2],
    /// Colours last, as in `[n, rows, columns, 3]`.
    pub colours_last: bool,
    /// Blue first.
    pub bgr: bool,
}

impl Takes {
    /// Pictures of one run.
    pub fn batch(&self) -> usize {
        self.port.sides.first().copied().flatten().unwrap_or(1)
    }
}

/// An output of the line, made of a value of the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// The value.
    pub value: String,
    /// Rows and columns of its plane.
    pub size: [usize; 2],
    /// Which of its channels; all of it, if it has one.
    pub channel: Option<usize>,
    /// Times this; below 0 turns it round.
    pub factor: f32,
    /// Plus this.
    pub shift: f32,
    /// What would lie below 0 is 0.
    pub floor: bool,
    /// What the output is called.
    pub name: String,
}

/// The name of the line's input.
pub const PICTURE: &str = "picture";

impl OnnxGraph {
    /// The network in the form of the line.
    ///
    /// # Errors
    /// [`GraphError::Unsupported`]: more pictures at a time than are filled up.
    pub fn adapt(&self, takes: &Takes, planes: &[Plane]) -> Result<OnnxGraph, GraphError> {
        let mut adapted = self.clone();
        adapted.feed(takes)?;
        adapted.graph.output.clear();
        for plane in planes {
            adapted.give(plane, takes.batch());
        }
        adapted.drop_unused(planes);
        Ok(adapted)
    }

    /// The network in the form of the line with all its outputs as they are, but in f32: to see what it gives.
    ///
    /// # Errors
    /// As [`OnnxGraph::adapt`].
    pub fn adapt_to_look(&self, takes: &Takes, values: &[String]) -> Result<OnnxGraph, GraphError> {
        let mut adapted = self.clone();
        adapted.feed(takes)?;
        adapted.graph.output.clear();
        for (number, value) in values.iter().enumerate() {
            let name = look(number);
            let cast = vec![int("to", i64::from(Kind::Float.number()))];
            adapted.graph.node.push(node("Cast", &name, &[value], &name, cast));
            adapted.graph.output.push(named(&name, None));
        }
        Ok(adapted)
    }

    fn feed(&mut self, takes: &Takes) -> Result<(), GraphError> {
        /// Pictures at a time that are filled up with copies of the one.
        const MOST: usize = 64;
        let (input, batch) = (takes.port.name.clone(), takes.batch());
        if batch > MOST {
            return Err(GraphError::Unsupported(format!("it takes {batch} pictures at a time; export it for one")));
        }
        let mut nodes = Vec::new();
        let mut at = PICTURE.to_owned();
        let mut next = |op: &str, more: &[&str], attributes| {
            let name = format!("andon.in{}", nodes.len());
            let inputs: Vec<&str> = std::iter::once(at.as_str()).chain(more.iter().copied()).collect();
            nodes.push(node(op, &name, &inputs, &name, attributes));
            at = name;
        };
        if takes.bgr {
            self.graph.initializer.push(whole("andon.bgr", &[2, 1, 0]));
            next("Gather", &["andon.bgr"], vec![int("axis", 1)]);
        }
        if takes.port.kind == Kind::Byte {
            // Whole numbers, as a camera gives them; a cast alone would cut.
            next("Round", &[], Vec::new());
        }
        if takes.port.kind != Kind::Float {
            next("Cast", &[], vec![int("to", i64::from(takes.port.kind.number()))]);
        }
        if takes.colours_last {
            let order = super::Attribute {
                name: Some("perm".to_owned()),
                ints: vec![0, 2, 3, 1],
                kind: Some(7),
                ..super::Attribute::default()
            };
            next("Transpose", &[], vec![order]);
        }
        if batch > 1 {
            let copies = vec![at.as_str(); batch];
            nodes.push(node("Concat", "andon.copies", &copies, "andon.copies", vec![int("axis", 0)]));
            at = "andon.copies".to_owned();
        }
        nodes.push(node("Identity", "andon.in", &[&at], &input, Vec::new()));
        nodes.append(&mut self.graph.node);
        self.graph.node = nodes;
        let [columns, rows] = takes.size;
        self.graph.input.retain(|value| value.name() != input);
        self.graph.input.push(named(PICTURE, Some(&[1, 3, rows, columns])));
        // Shapes that were worked out for other pictures.
        self.graph.value_info.clear();
        Ok(())
    }

    fn give(&mut self, plane: &Plane, batch: usize) {
        let name = |part: &str| format!("andon.{}.{part}", plane.name);
        let mut at = plane.value.clone();
        let mut nodes = Vec::new();
        let mut next = |op: &str, part: &str, more: &[&str], attributes| {
            let made = name(part);
            let inputs: Vec<&str> = std::iter::once(at.as_str()).chain(more.iter().copied()).collect();
            nodes.push(node(op, &made, &inputs, &made, attributes));
            at = made;
        };
        next("Cast", "f32", &[], vec![int("to", i64::from(Kind::Float.number()))]);
        if batch > 1 {
            self.graph.initializer.push(whole(&name("first"), &[0]));
            next("Gather", "one", &[&name("first")], vec![int("axis", 0)]);
        }
        if let Some(channel) = plane.channel {
            self.graph.initializer.push(whole(&name("which"), &[channel as i64]));
            next("Gather", "channel", &[&name("which")], vec![int("axis", 1)]);
        }
        self.graph.initializer.push(whole(&name("shape"), &[1, 1, plane.size[0] as i64, plane.size[1] as i64]));
        next("Reshape", "plane", &[&name("shape")], Vec::new());
        if plane.factor != 1.0 {
            self.graph.initializer.push(number(&name("factor"), plane.factor));
            next("Mul", "times", &[&name("factor")], Vec::new());
        }
        if plane.shift != 0.0 {
            self.graph.initializer.push(number(&name("shift"), plane.shift));
            next("Add", "plus", &[&name("shift")], Vec::new());
        }
        if plane.floor {
            next("Relu", "floor", &[], Vec::new());
        }
        let made = named(&plane.name, Some(&[1, 1, plane.size[0], plane.size[1]]));
        nodes.push(node("Identity", &name("out"), &[&at], &plane.name, Vec::new()));
        self.graph.node.append(&mut nodes);
        self.graph.output.push(made);
    }

    /// Leaves out what leads to none of the outputs: a post-processor, say.
    fn drop_unused(&mut self, planes: &[Plane]) {
        let mut needed: HashSet<String> = planes.iter().map(|plane| plane.name.clone()).collect();
        let mut kept = Vec::new();
        for node in std::mem::take(&mut self.graph.node).into_iter().rev() {
            if node.output.iter().any(|o| needed.contains(o)) {
                needed.extend(node.input.iter().cloned());
                for bytes in node.attribute.iter().flat_map(|a| a.g.iter().chain(&a.graphs)) {
                    // What graphs within take from outside.
                    needed.extend(super::check::taken_within(bytes));
                }
                kept.push(node);
            }
        }
        kept.reverse();
        self.graph.node = kept;
        self.graph.initializer.retain(|t| needed.contains(t.name()));
    }
}

/// What [`OnnxGraph::adapt_to_look`] calls the value of this number.
pub fn look(number: usize) -> String {
    format!("andon.look{number}")
}

fn named(name: &str, sides: Option<&[usize]>) -> ValueInfo {
    let mut value = ValueInfo { name: Some(name.to_owned()), ..ValueInfo::default() };
    let side = |n: &usize| Dim { value: Some(*n as i64), ..Dim::default() };
    set_shape(&mut value, sides.map(|sides| sides.iter().map(side).collect()));
    value.kind.get_or_insert_default().tensor.get_or_insert_default().elem_type = Some(Kind::Float.number());
    value
}

fn whole(name: &str, numbers: &[i64]) -> Tensor {
    Tensor {
        name: Some(name.to_owned()),
        dims: vec![numbers.len() as i64],
        data_type: Some(7),
        raw_data: Some(numbers.iter().flat_map(|n| n.to_le_bytes()).collect()),
        ..Tensor::default()
    }
}

fn number(name: &str, value: f32) -> Tensor {
    Tensor {
        name: Some(name.to_owned()),
        dims: Vec::new(),
        data_type: Some(Kind::Float.number()),
        raw_data: Some(value.to_le_bytes().to_vec()),
        ..Tensor::default()
    }
}
