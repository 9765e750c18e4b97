//! What the line takes of a network: planes of one value a place, made of its outputs.

use super::distance::{self, Distance};
use super::maker::{Maker, ints};
use super::outline::Kind;
use super::{Arithmetic, GraphError, OnnxGraph, Takes, adapt, int};

/// Of what an output of the line is made.
#[derive(Clone, Debug, PartialEq)]
pub enum PlaneOf {
    /// A value of the network.
    Value(String),
    /// The distance between the picture and a reconstruction of it.
    Reconstruction(Reconstruction),
    /// The distance between two values of the network of so many channels, `[n, channels, rows, columns]`.
    Pair([String; 2], usize, Distance),
    /// What is unlikely of these latents of a flow, brought to the size of the plane: without a log-determinant the mean over them of `exp(-mean(z^2) / 2)`, turned round
    /// (Yu et al., "FastFlow", 2021, as its ports compute the map); with them the mean of `mean(z^2) / 2 - determinant / channels`, which is the negative log-likelihood of a value but for a
    /// constant.
    Latents(Vec<Latent>),
}

/// A picture that a network makes of the one that it is given.
#[derive(Clone, Debug, PartialEq)]
pub struct Reconstruction {
    /// Its name.
    pub value: String,
    /// By which measure it differs.
    pub distance: Distance,
    /// Its colours are behind rows and columns.
    pub colours_last: bool,
    /// What its values are of the picture's 0 to 255; none if they are what the network is given.
    pub range: Option<Arithmetic>,
}

/// An output of a flow.
#[derive(Clone, Debug, PartialEq)]
pub struct Latent {
    /// Its name.
    pub value: String,
    /// Its channels.
    pub channels: usize,
    /// The value that is its log-determinant, of each place or of the picture, and whether it is of each place.
    pub log_det: Option<(String, bool)>,
}

impl PlaneOf {
    /// The values that it is made of, for people.
    pub fn names(&self) -> String {
        match self {
            PlaneOf::Value(value) => value.clone(),
            PlaneOf::Reconstruction(made) if made.distance == Distance::Squared => made.value.clone(),
            PlaneOf::Reconstruction(made) => format!("{} ({})", made.value, made.distance.as_str()),
            PlaneOf::Pair([a, b], _, distance) => format!("{a}, {b} ({})", distance.as_str()),
            PlaneOf::Latents(all) => all.iter().map(|l| l.value.as_str()).collect::<Vec<_>>().join(", "),
        }
    }
}

/// One of the channels of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    /// The axis along which channels lie.
    pub axis: usize,
    /// Its number.
    pub index: usize,
    /// The number of another one that is taken off: of logits of two classes, which are told apart by their difference.
    pub less: Option<usize>,
}

/// An output of the line.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// Of what it is made.
    pub made: PlaneOf,
    /// Rows and columns of its plane.
    pub size: [usize; 2],
    /// Which of its channels; all of it, if it has one.
    pub channel: Option<Channel>,
    /// Times this; below 0 turns it round.
    pub factor: f32,
    /// Plus this.
    pub shift: f32,
    /// What the output is called.
    pub name: String,
}

/// Before it, sizes are not an input of resizing, nor widths one of padding.
const RESIZES: i64 = 11;

impl OnnxGraph {
    /// Adds an output of the line.
    ///
    /// # Errors
    /// [`GraphError::Unsupported`]: the network's version of operators is older than what the plane needs.
    pub(super) fn give(&mut self, plane: &Plane, takes: &Takes) -> Result<(), GraphError> {
        let resizes = match &plane.made {
            PlaneOf::Latents(_) => true,
            PlaneOf::Pair(_, _, distance) | PlaneOf::Reconstruction(Reconstruction { distance, .. }) => {
                distance.of_pictures()
            }
            PlaneOf::Value(_) => false,
        };
        if resizes && self.opset() < RESIZES {
            return Err(GraphError::Unsupported(format!(
                "{} of opset {} cannot be brought to other sizes; export it for {RESIZES} or later",
                plane.made.names(),
                self.opset()
            )));
        }
        let mut maker = Maker::new(&plane.name);
        let batch = takes.batch();
        let mut at = match &plane.made {
            PlaneOf::Value(value) => one(&mut maker, value, batch),
            PlaneOf::Reconstruction(Reconstruction { value, distance, colours_last, range }) => {
                let x = as_planes(&mut maker, value, takes, *colours_last);
                let y = match range {
                    None => as_planes(&mut maker, &takes.port.name, takes, takes.colours_last),
                    Some(arithmetic) => adapt::given(&mut maker, takes, *arithmetic),
                };
                let arithmetic = range.unwrap_or(takes.arithmetic);
                let [x, y] = [x, y].map(|plain| match distance.of_pictures() {
                    true => unit(&mut maker, &plain, takes, arithmetic),
                    false => plain,
                });
                distance::write(&mut maker, *distance, [&x, &y], takes.colours(), plane.size)
            }
            PlaneOf::Pair([a, b], channels, distance) => {
                let [a, b] = [a, b].map(|v| one(&mut maker, v, batch));
                distance::write(&mut maker, *distance, [&a, &b], *channels, plane.size)
            }
            PlaneOf::Latents(all) => latents(&mut maker, all, batch, plane.size),
        };
        if let Some(Channel { axis, index, less }) = plane.channel {
            let mut of = |number: usize| {
                let which = maker.whole(&[number as i64]);
                maker.add("Gather", &[&at, &which], vec![int("axis", axis as i64)])
            };
            let (own, less) = (of(index), less.map(&mut of));
            at = less.map_or(own.clone(), |less| maker.add("Sub", &[&own, &less], Vec::new()));
        }
        let shape = maker.whole(&[1, 1, plane.size[0] as i64, plane.size[1] as i64]);
        at = maker.add("Reshape", &[&at, &shape], Vec::new());
        if plane.factor != 1.0 {
            let factor = maker.number(plane.factor);
            at = maker.add("Mul", &[&at, &factor], Vec::new());
        }
        if plane.shift != 0.0 {
            let shift = maker.number(plane.shift);
            at = maker.add("Add", &[&at, &shift], Vec::new());
        }
        maker.finish(self);
        self.graph.node.push(super::node("Identity", &format!("{}.out", plane.name), &[&at], &plane.name, Vec::new()));
        self.graph.output.push(adapt::named(&plane.name, Some(&[1, 1, plane.size[0], plane.size[1]])));
        Ok(())
    }
}

/// A value in f32, of the first of several pictures.
pub(super) fn one(maker: &mut Maker, value: &str, batch: usize) -> String {
    let single = maker.add("Cast", &[value], vec![int("to", i64::from(Kind::Float.number()))]);
    if batch == 1 {
        return single;
    }
    let first = maker.whole(&[0]);
    maker.add("Gather", &[&single, &first], vec![int("axis", 0)])
}

/// A picture as a network has it as `[1, colours, rows, columns]`.
fn as_planes(maker: &mut Maker, value: &str, takes: &Takes, colours_last: bool) -> String {
    let at = one(maker, value, takes.batch());
    let [columns, rows] = takes.size.map(|side| side as i64);
    let colours = takes.colours() as i64;
    let sides = if colours_last { [1, rows, columns, colours] } else { [1, colours, rows, columns] };
    let shape = maker.whole(&sides);
    let at = maker.add("Reshape", &[&at, &shape], Vec::new());
    match colours_last {
        true => maker.add("Transpose", &[&at], vec![ints("perm", &[0, 3, 1, 2])]),
        false => at,
    }
}

/// Values as the network is given them, back in 0..1.
fn unit(maker: &mut Maker, value: &str, takes: &Takes, arithmetic: Arithmetic) -> String {
    let Arithmetic { divide, less, over } = arithmetic;
    let (mut factor, mut shift) = (over.map(|o| o * divide / 255.0), less.map(|l| l * divide / 255.0));
    if takes.grey {
        // What is given is the weighted sum of `(x / divide - less) / over`: for a grey `x` a straight line of it.
        let sum = |of: fn(f32, f32) -> f32| {
            let parts = adapt::GREY.iter().zip(less.iter().zip(over));
            parts.map(|(weight, (less, over))| weight * of(*less, over)).sum::<f32>()
        };
        let (slope, offset) = (sum(|_, over| 1.0 / over), sum(|less, over| less / over));
        factor = [divide / 255.0 / slope; 3];
        shift = [offset / slope * divide / 255.0; 3];
    } else if takes.bgr {
        factor.reverse();
        shift.reverse();
    }
    let colours = takes.colours();
    let mut at = value.to_owned();
    if factor != [1.0; 3] {
        let factor = maker.constant(&[1, colours, 1, 1], &factor[..colours]);
        at = maker.add("Mul", &[&at, &factor], Vec::new());
    }
    if shift != [0.0; 3] {
        let shift = maker.constant(&[1, colours, 1, 1], &shift[..colours]);
        at = maker.add("Add", &[&at, &shift], Vec::new());
    }
    at
}

/// See [`PlaneOf::Latents`].
fn latents(maker: &mut Maker, all: &[Latent], batch: usize, size: [usize; 2]) -> String {
    let with_determinants = all.iter().any(|latent| latent.log_det.is_some());
    let mut sum: Option<String> = None;
    for Latent { value, channels, log_det } in all {
        let share = 1.0 / *channels as f32;
        let z = one(maker, value, batch);
        let square = maker.add("Mul", &[&z, &z], Vec::new());
        let half = maker.channels(&square, &vec![if with_determinants { 0.5 } else { -0.5 } * share; *channels]);
        let mut at = if with_determinants { half } else { maker.add("Exp", &[&half], Vec::new()) };
        if let Some((log_det, of_places)) = log_det {
            let mut determinant = one(maker, log_det, batch);
            if !of_places {
                let single = maker.whole(&[1, 1, 1, 1]);
                determinant = maker.add("Reshape", &[&determinant, &single], Vec::new());
            }
            let share = maker.number(share);
            let each = maker.add("Mul", &[&determinant, &share], Vec::new());
            at = maker.add("Sub", &[&at, &each], Vec::new());
        }
        let large = maker.resize(&at, 1, size);
        sum = Some(match sum {
            None => large,
            Some(before) => maker.add("Add", &[&before, &large], Vec::new()),
        });
    }
    sum.unwrap_or_default()
}
