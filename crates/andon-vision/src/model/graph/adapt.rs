//! Brings a network from elsewhere into the form of the line: one picture `picture` `[1, 3, rows, columns]` of f32 in red, green, blue in; one plane
//! `[1, 1, rows, columns]` for each output out. The network itself stays what it is.

use std::collections::HashSet;

use super::maker::{Maker, ints};
use super::outline::{Kind, Port};
use super::planes::Plane;
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
    /// One channel of brightness in place of three of colours.
    pub grey: bool,
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
        match self.port.sides.as_slice() {
            [first, _, _, _] => first.unwrap_or(1),
            _ => 1,
        }
    }

    /// Whether planes of these sides, made of the picture, have their channels last: by which two sides are in the picture's proportion, and as the picture has them where that does not tell.
    pub fn channels_last(&self, sides: &[Option<usize>]) -> bool {
        let [_, Some(a), Some(b), Some(c)] = *sides else { return self.colours_last };
        let [columns, rows] = self.size;
        let like = |r: usize, c: usize| (r * columns).abs_diff(c * rows) <= columns.max(rows);
        match (like(b, c), like(a, b)) {
            (true, false) => false,
            (false, true) => true,
            _ => self.colours_last,
        }
    }

    /// Channels of a picture: 3, or 1 of a grey one.
    pub fn colours(&self) -> usize {
        if self.grey { 1 } else { 3 }
    }
}

/// Before it, there is no rounding.
const ROUNDS: i64 = 11;

/// How much red, green and blue count in a grey picture: Rec. 601, as programs that turn pictures grey have it.
pub(super) const GREY: [f32; 3] = [0.299, 0.587, 0.114];

/// The name of the line's input.
pub const PICTURE: &str = "andon.picture";

impl OnnxGraph {
    /// The network in the form of the line.
    ///
    /// # Errors
    /// [`GraphError::Unsupported`]: more pictures at a time than are filled up, or operators of too old a version.
    pub fn adapt(&self, takes: &Takes, planes: &[Plane]) -> Result<OnnxGraph, GraphError> {
        let mut adapted = self.clone();
        adapted.feed(takes, false)?;
        adapted.graph.output.clear();
        for plane in planes {
            adapted.give(plane, takes)?;
        }
        adapted.drop_unused(planes);
        Ok(adapted)
    }

    /// The network in the form of the line with all its outputs as they are, but in f32: to see what it gives.
    ///
    /// # Errors
    /// As [`OnnxGraph::adapt`].
    pub fn adapt_to_look(&self, takes: &Takes, values: &[String]) -> Result<OnnxGraph, GraphError> {
        self.adapt_in_company(takes, values, false)
    }

    /// As [`OnnxGraph::adapt_to_look`]; with `others`, what fills a batch up is not the picture itself but the same upside down: to see whether a picture's result hangs on the others.
    ///
    /// # Errors
    /// As [`OnnxGraph::adapt`].
    pub fn adapt_in_company(&self, takes: &Takes, values: &[String], others: bool) -> Result<OnnxGraph, GraphError> {
        let mut adapted = self.clone();
        adapted.feed(takes, others)?;
        // They stay, without shapes: an engine refuses one whose type is another than the file says.
        adapted.graph.output.retain(|output| output.elem_type().is_some());
        adapted.graph.output.iter_mut().for_each(|output| set_shape(output, None));
        adapted.with_looks(values)
    }

    /// Whether engines can give it a picture as it is: one of three colours, colours first, in f32.
    pub fn takes_plainly(takes: &Takes) -> bool {
        takes.port.kind == Kind::Float
            && takes.port.sides.len() == 4
            && !takes.colours_last
            && !takes.grey
            && !takes.bgr
            && takes.batch() == 1
    }

    /// A network of features with the picture of the line as its input, and these of its outputs, of the first picture and in f32, as `[1, channels, rows, columns]` or as
    /// tokens; their names are returned.
    ///
    /// # Errors
    /// [`GraphError::Unsupported`]: more pictures at a time than are filled up, or no such value.
    pub fn adapt_features(&self, takes: &Takes, layers: &[String]) -> Result<(OnnxGraph, Vec<String>), GraphError> {
        if let Some(name) = layers.iter().find(|name| !self.has_value(name)) {
            return Err(GraphError::Unsupported(format!("it has no value `{name}`")));
        }
        let mut adapted = self.clone();
        adapted.feed(takes, false)?;
        let sides: Vec<Vec<Option<usize>>> = layers
            .iter()
            .map(|name| self.gives().into_iter().find(|port| port.name == *name).map_or(Vec::new(), |port| port.sides))
            .collect();
        adapted.graph.output.clear();
        let mut names = Vec::new();
        for (number, (layer, sides)) in layers.iter().zip(sides).enumerate() {
            let mut maker = Maker::new(&format!("andon.layer{number}"));
            let mut at = super::planes::one(&mut maker, layer, takes.batch());
            if takes.channels_last(&sides) && matches!(sides.len(), 0 | 4) {
                at = maker.add("Transpose", &[&at], vec![ints("perm", &[0, 3, 1, 2])]);
            }
            maker.finish(&mut adapted);
            adapted.graph.output.push(named(&at, None));
            names.push(at);
        }
        Ok((adapted, names))
    }

    /// Whether a node makes a value of this name, or the network takes it.
    pub fn has_value(&self, name: &str) -> bool {
        self.graph.node.iter().any(|node| node.output.iter().any(|output| output == name))
            || self.graph.input.iter().any(|input| input.name() == name)
    }

    /// The network with these of its values as further outputs, in f32: see [`look`].
    ///
    /// # Errors
    /// [`GraphError::Unsupported`]: there is no such value.
    pub fn with_looks(&self, values: &[String]) -> Result<OnnxGraph, GraphError> {
        let mut looking = self.clone();
        for (number, value) in values.iter().enumerate() {
            if !self.has_value(value) {
                return Err(GraphError::Unsupported(format!("it has no value `{value}`")));
            }
            let name = look(number);
            let cast = vec![int("to", i64::from(Kind::Float.number()))];
            looking.graph.node.push(node("Cast", &name, &[value], &name, cast));
            looking.graph.output.push(named(&name, None));
        }
        Ok(looking)
    }

    fn feed(&mut self, takes: &Takes, others: bool) -> Result<(), GraphError> {
        /// Pictures at a time that are filled up with copies of the one.
        const MOST: usize = 64;
        let (input, batch) = (takes.port.name.clone(), takes.batch());
        if batch > MOST {
            return Err(GraphError::Unsupported(format!("it takes {batch} pictures at a time; export it for one")));
        }
        let mut maker = Maker::new("andon.in");
        let mut at = given(&mut maker, takes, takes.arithmetic);
        if takes.port.kind.is_whole() {
            // Whole numbers, as a camera gives them; a cast alone would cut. Old operators do not round.
            at = if self.opset() >= ROUNDS {
                maker.add("Round", &[&at], Vec::new())
            } else {
                let half = maker.number(0.5);
                let above = maker.add("Add", &[&at, &half], Vec::new());
                maker.add("Floor", &[&above], Vec::new())
            };
        }
        if takes.port.kind != Kind::Float {
            at = maker.add("Cast", &[&at], vec![int("to", i64::from(takes.port.kind.number()))]);
        }
        if takes.colours_last {
            at = maker.add("Transpose", &[&at], vec![ints("perm", &[0, 2, 3, 1])]);
        }
        let [columns, rows] = takes.size;
        let (colours, last) = (takes.colours(), takes.colours_last);
        let flat: &[usize] = match (takes.port.sides.len(), last) {
            (2, _) => &[rows, columns],
            (3, true) => &[rows, columns, colours],
            (3, false) => &[colours, rows, columns],
            _ => &[],
        };
        if !flat.is_empty() {
            let shape = maker.whole(&flat.iter().map(|side| *side as i64).collect::<Vec<_>>());
            at = maker.add("Reshape", &[&at, &shape], Vec::new());
        }
        if batch > 1 {
            let rest = match others {
                true => {
                    let upwards = maker.whole(&(0..rows as i64).rev().collect::<Vec<_>>());
                    maker.add("Gather", &[&at, &upwards], vec![int("axis", if last { 1 } else { 2 })])
                }
                false => at.clone(),
            };
            let mut copies = vec![rest.as_str(); batch];
            copies[0] = at.as_str();
            at = maker.add("Concat", &copies, vec![int("axis", 0)]);
        }
        self.graph.node.insert(0, node("Identity", "andon.in", &[&at], &input, Vec::new()));
        maker.precede(self);
        self.graph.input.retain(|value| value.name() != input);
        self.graph.input.push(named(PICTURE, Some(&[1, 3, rows, columns])));
        // Shapes that were worked out for other pictures.
        self.graph.value_info.clear();
        Ok(())
    }

    /// Puts in a constant that is one of the network's inputs, an embedding of a text say.
    ///
    /// # Errors
    /// [`GraphError::Unsupported`]: there is no such input, it has another shape, or numbers of its type cannot hold these.
    pub fn fill_input(&mut self, name: &str, shape: &[usize], values: &[f64]) -> Result<(), GraphError> {
        let refused = |why: String| GraphError::Unsupported(format!("the input `{name}` {why}"));
        let port = self.takes().into_iter().find(|port| port.name == name);
        let port = port.ok_or_else(|| {
            let known: Vec<String> = self.takes().iter().map(ToString::to_string).collect();
            refused(format!("is not there; the network takes {}", known.join("; ")))
        })?;
        let fits = port.sides.len() == shape.len()
            && port.sides.iter().zip(shape).all(|(want, got)| want.is_none_or(|w| w == *got));
        if !fits || values.len() != shape.iter().product::<usize>() {
            return Err(refused(format!("is {port}, and what is given has the shape {shape:?}")));
        }
        let bytes: Option<Vec<u8>> = port.kind.bytes_of(values);
        let bytes = bytes.ok_or_else(|| refused(format!("is {port}, and what is given has other numbers")))?;
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

/// The line's picture after arithmetic, in the colours and the order of colours of a network: `[1, colours, rows, columns]`.
pub(super) fn given(maker: &mut Maker, takes: &Takes, arithmetic: Arithmetic) -> String {
    let mut at = PICTURE.to_owned();
    let Arithmetic { divide, less, over } = arithmetic;
    if divide != 1.0 {
        let by = maker.number(divide);
        at = maker.add("Div", &[&at, &by], Vec::new());
    }
    if less != [0.0; 3] {
        let by = maker.constant(&[1, 3, 1, 1], &less);
        at = maker.add("Sub", &[&at, &by], Vec::new());
    }
    if over != [1.0; 3] {
        let by = maker.constant(&[1, 3, 1, 1], &over);
        at = maker.add("Div", &[&at, &by], Vec::new());
    }
    if takes.grey {
        at = maker.channels(&at, &GREY);
    } else if takes.bgr {
        let order = maker.whole(&[2, 1, 0]);
        at = maker.add("Gather", &[&at, &order], vec![int("axis", 1)]);
    }
    at
}

/// What [`OnnxGraph::adapt_to_look`] calls the value of this number.
pub fn look(number: usize) -> String {
    format!("andon.look{number}")
}

pub(super) fn named(name: &str, sides: Option<&[usize]>) -> ValueInfo {
    let mut value = ValueInfo { name: Some(name.to_owned()), ..ValueInfo::default() };
    let side = |n: &usize| Dim { value: Some(*n as i64), ..Dim::default() };
    set_shape(&mut value, sides.map(|sides| sides.iter().map(side).collect()));
    value.kind.get_or_insert_default().tensor.get_or_insert_default().elem_type = Some(Kind::Float.number());
    value
}
