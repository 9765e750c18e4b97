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
    /// What is done to a value of 0 to 255 before the network: written into the graph, so that it is what programs of numpy compute, to the bit.
    pub arithmetic: Arithmetic,
}

/// `(x / divide - less) / over`, of red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arithmetic {
    /// 1 leaves it out.
    pub divide: f32,
    /// 0 leaves it out.
    pub less: [f32; 3],
    /// 1 leaves it out.
    pub over: [f32; 3],
}

impl Arithmetic {
    /// The value itself.
    pub const NONE: Arithmetic = Arithmetic { divide: 1.0, less: [0.0; 3], over: [1.0; 3] };
}

impl Takes {
    /// Pictures of one run.
    pub fn batch(&self) -> usize {
        self.port.sides.first().copied().flatten().unwrap_or(1)
    }
}

/// Of what an output of the line is made.
#[derive(Clone, Debug, PartialEq)]
pub enum PlaneOf {
    /// A value of the network.
    Value(String),
    /// The mean over the colours of the squared difference between the picture, as the network is given it, and this reconstruction of it.
    Reconstruction(String),
    /// What is unlikely of these latents of a flow: the mean over them of `exp(-mean(z^2) / 2)`, each brought to the size of the plane. Source: Yu et al.,
    /// "FastFlow", 2021, as its ports compute the map. Name and channels of each.
    Latents(Vec<(String, usize)>),
}

impl PlaneOf {
    /// The values that it is made of, for people.
    pub fn names(&self) -> String {
        match self {
            PlaneOf::Value(value) | PlaneOf::Reconstruction(value) => value.clone(),
            PlaneOf::Latents(all) => all.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", "),
        }
    }
}

/// An output of the line.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// Of what it is made.
    pub made: PlaneOf,
    /// Rows and columns of its plane.
    pub size: [usize; 2],
    /// Which of its channels; all of it, if it has one.
    pub channel: Option<usize>,
    /// Times this; below 0 turns it round.
    pub factor: f32,
    /// Plus this.
    pub shift: f32,
    /// What the output is called.
    pub name: String,
}

/// The name of the line's input.
pub const PICTURE: &str = "andon.picture";

impl OnnxGraph {
    /// The network in the form of the line.
    ///
    /// # Errors
    /// [`GraphError::Unsupported`]: more pictures at a time than are filled up.
    pub fn adapt(&self, takes: &Takes, planes: &[Plane]) -> Result<OnnxGraph, GraphError> {
        /// Before it, sizes are not an input of resizing.
        const RESIZES: i64 = 11;
        let mut adapted = self.clone();
        adapted.feed(takes)?;
        adapted.graph.output.clear();
        for plane in planes {
            if matches!(plane.made, PlaneOf::Latents(_)) && self.opset() < RESIZES {
                let why = format!(
                    "latents of opset {} cannot be brought to one size; export it for {RESIZES} or later",
                    self.opset()
                );
                return Err(GraphError::Unsupported(why));
            }
            adapted.give(plane, takes);
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
        adapted.with_looks(values)
    }

    /// The network with these of its values as further outputs, in f32: see [`look`].
    ///
    /// # Errors
    /// [`GraphError::Unsupported`]: there is no such value.
    pub fn with_looks(&self, values: &[String]) -> Result<OnnxGraph, GraphError> {
        let mut looking = self.clone();
        let made: HashSet<&str> =
            self.graph.node.iter().flat_map(|node| node.output.iter().map(String::as_str)).collect();
        for (number, value) in values.iter().enumerate() {
            if !made.contains(value.as_str()) && !looking.graph.input.iter().any(|input| input.name() == value) {
                return Err(GraphError::Unsupported(format!("it has no value `{value}`")));
            }
            let name = look(number);
            let cast = vec![int("to", i64::from(Kind::Float.number()))];
            looking.graph.node.push(node("Cast", &name, &[value], &name, cast));
            looking.graph.output.push(named(&name, None));
        }
        Ok(looking)
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
        let Arithmetic { divide, less, over } = takes.arithmetic;
        if divide != 1.0 {
            self.graph.initializer.push(number("andon.divide", divide));
            next("Div", &["andon.divide"], Vec::new());
        }
        if less != [0.0; 3] {
            self.graph.initializer.push(each_colour("andon.less", less));
            next("Sub", &["andon.less"], Vec::new());
        }
        if over != [1.0; 3] {
            self.graph.initializer.push(each_colour("andon.over", over));
            next("Div", &["andon.over"], Vec::new());
        }
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
        self.write_strides();
        let [columns, rows] = takes.size;
        self.graph.input.retain(|value| value.name() != input);
        self.graph.input.push(named(PICTURE, Some(&[1, 3, rows, columns])));
        // Shapes that were worked out for other pictures.
        self.graph.value_info.clear();
        Ok(())
    }

    /// Puts in a constant that is one of the network's inputs, an embedding of a text say.
    ///
    /// # Errors
    /// [`GraphError::Unsupported`]: there is no such input, or it has another type or shape.
    pub fn fill_input(&mut self, name: &str, shape: &[usize], floats: &[f32], whole: &[i64]) -> Result<(), GraphError> {
        const INT64: i32 = 7;
        let refused = |why: String| GraphError::Unsupported(format!("the input `{name}` {why}"));
        let port = self.takes().into_iter().find(|port| port.name == name);
        let port = port.ok_or_else(|| refused("is not there".to_owned()))?;
        let fits = port.sides.len() == shape.len()
            && port.sides.iter().zip(shape).all(|(want, got)| want.is_none_or(|w| w == *got));
        let of_kind = match port.kind {
            Kind::Float => !floats.is_empty(),
            Kind::Other(INT64) => !whole.is_empty(),
            _ => false,
        };
        if !fits || !of_kind {
            return Err(refused(format!("is {port}, and what is given has the shape {shape:?} or other numbers")));
        }
        let bytes = match port.kind {
            Kind::Float => floats.iter().flat_map(|v| v.to_le_bytes()).collect(),
            _ => whole.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>(),
        };
        self.graph.input.retain(|value| value.name() != name);
        self.graph.initializer.push(Tensor {
            name: Some(name.to_owned()),
            dims: shape.iter().map(|side| *side as i64).collect(),
            data_type: Some(port.kind.number()),
            raw_data: Some(bytes),
            ..Tensor::default()
        });
        Ok(())
    }

    /// The value that a plane is made of: the mean of squares of what a reconstruction is off, or how likely latents are.
    fn made_of(&mut self, plane: &Plane, takes: &Takes) -> String {
        let part = |what: &str| format!("{}.{what}", plane.name);
        let mut nodes = Vec::new();
        let mut add = |op: &str, what: &str, inputs: &[&str], attributes| {
            nodes.push(node(op, &part(what), inputs, &part(what), attributes));
            part(what)
        };
        let mut constants = Vec::new();
        let value = match &plane.made {
            PlaneOf::Value(value) => return value.clone(),
            PlaneOf::Reconstruction(value) => {
                let off = add("Sub", "off", &[value, &takes.port.name], Vec::new());
                let square = add("Mul", "square", &[&off, &off], Vec::new());
                constants.push(kernel(&part("mean"), &[1.0 / 3.0; 3]));
                add("Conv", "mean_square", &[&square, &part("mean")], Vec::new())
            }
            PlaneOf::Latents(all) => {
                let mut sum: Option<String> = None;
                constants.push(whole(&part("size"), &[1, 1, plane.size[0] as i64, plane.size[1] as i64]));
                for (number, (value, channels)) in all.iter().enumerate() {
                    let named = |what: &str| format!("{what}{number}");
                    let square = add("Mul", &named("square"), &[value, value], Vec::new());
                    constants.push(kernel(&part(&named("half")), &vec![-0.5 / *channels as f32; *channels]));
                    let half = add("Conv", &named("mean"), &[&square, &part(&named("half"))], Vec::new());
                    let likely = add("Exp", &named("likely"), &[&half], Vec::new());
                    let linear = super::Attribute {
                        name: Some("mode".to_owned()),
                        s: Some(b"linear".to_vec()),
                        kind: Some(3),
                        ..super::Attribute::default()
                    };
                    let large = add("Resize", &named("large"), &[&likely, "", "", &part("size")], vec![linear]);
                    sum = Some(match sum {
                        None => large,
                        Some(before) => add("Add", &named("sum"), &[&before, &large], Vec::new()),
                    });
                }
                sum.unwrap_or_default()
            }
        };
        self.graph.node.append(&mut nodes);
        self.graph.initializer.append(&mut constants);
        value
    }

    fn give(&mut self, plane: &Plane, takes: &Takes) {
        let batch = takes.batch();
        let name = |part: &str| format!("{}.{part}", plane.name);
        let mut at = self.made_of(plane, takes);
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

/// A number for each of three colours.
fn each_colour(name: &str, values: [f32; 3]) -> Tensor {
    Tensor { dims: vec![1, 3, 1, 1], ..kernel(name, &values) }
}

/// Weights of a convolution of one place to one value.
fn kernel(name: &str, weights: &[f32]) -> Tensor {
    Tensor {
        name: Some(name.to_owned()),
        dims: vec![1, weights.len() as i64, 1, 1],
        data_type: Some(Kind::Float.number()),
        raw_data: Some(weights.iter().flat_map(|w| w.to_le_bytes()).collect()),
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
