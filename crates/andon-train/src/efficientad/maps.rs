//! The two maps of the networks, as a pass for learning and as the one network of the line.

use andon_vision::model::Backbone;
use andon_vision::model::head::aggregate::Layer;
use andon_vision::preprocess::InputSpec;
use andon_vision::preprocess::align::Reference;
use std::sync::Arc;

use super::passes::HEAD;
use super::{Networks, passes};
use crate::networks::Size;
use crate::tape::{Tape, Var};
use crate::trainer::{Frozen, Pass, PassBuilder, Weight, Weights};

/// What the border of the map is filled up with, since the networks see no further than the picture: 4 places of 0, as published.
pub(super) const BORDER: usize = 4;

/// The output of the network of the line.
pub(super) const OUTPUT: &str = "map";

/// How the two maps become one: each times a factor.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    /// Of the difference of teacher and student.
    pub student: f32,
    /// Of the difference of autoencoder and student; none leaves the autoencoder out.
    pub autoencoder: Option<f32>,
    /// One more factor for each place of the student's and of the autoencoder's difference, row by row; none leaves all places alike.
    pub places: Option<[Vec<f32>; 2]>,
}

/// A pass that gives, of a `picture`, the map of the student (`student`), that of the autoencoder (`autoencoder`), both the mean over the channels of
/// squared differences, and what the student says (`says`).
pub(super) fn probe(networks: &Networks, weights: &[Weight], teacher: &[Weight]) -> Pass {
    let mut pass = PassBuilder::new("probe", weights);
    let [rows, columns] = networks.picture;
    let picture = pass.tape.input("picture", &[1, 3, rows, columns]);
    let parts = Parts { networks, teacher, picture };
    let trunk = parts.trunk(&mut pass.tape, &mut pass.learned);
    let (student, says) = parts.student(&mut pass.tape, &mut pass.learned, trunk, 1.0, 0);
    let autoencoder = parts.autoencoder(&mut pass.tape, &mut pass.learned, trunk, 1.0, 0);
    pass.finish_probe(&[("student", student), ("autoencoder", autoencoder), ("says", says)], &["picture"])
}

/// The network of the line, for pictures that were learned: opset 17, static shape, everything that is constant folded in. `weights` are those of
/// student and autoencoder, and the teacher is normalised already. Its one output `map` is the map that the paper calls the combined one, without
/// the constant that it subtracts, so that no value is below 0. The sizes of the paper give it at the size of the picture, `xs` at a quarter.
pub fn detector(
    networks: &Networks,
    weights: &[Weight],
    teacher: &[Weight],
    scale: &Scale,
    range: Option<[u16; 2]>,
    align: Option<Arc<Reference>>,
) -> Backbone {
    let mut tape = Tape::new("efficientad");
    let [rows, columns] = networks.picture;
    let picture = tape.input("picture", &[1, 3, rows, columns]);
    let parts = Parts { networks, teacher, picture };
    let mut frozen = Frozen(weights);
    let trunk = parts.trunk(&mut tape, &mut frozen);
    let [student, autoencoder] = [0, 1].map(|half| scale.places.as_ref().map(|places| places[half].as_slice()));
    let (mut map, _) = parts.student(&mut tape, &mut frozen, trunk, scale.student, BORDER);
    map = by_place(&mut tape, map, student);
    if let Some(factor) = scale.autoencoder {
        let other = parts.autoencoder(&mut tape, &mut frozen, trunk, factor, BORDER);
        let other = by_place(&mut tape, other, autoencoder);
        map = tape.add(map, other);
    }
    if networks.pdn.size() != Size::Xs {
        map = tape.resize(map, networks.picture);
    }
    tape.output(map, OUTPUT);
    let deviation = crate::pictures::DEVIATION;
    Backbone {
        name: format!("efficientad-{}", networks.pdn.size().as_str()),
        onnx: Arc::from(tape.finish()),
        input: InputSpec {
            width: columns as u32,
            height: rows as u32,
            mean: crate::pictures::MEAN.map(|m| m * 255.0),
            scale: deviation.map(|d| 1.0 / (255.0 * d)),
            range,
        },
        outputs: vec![OUTPUT.to_owned()],
        layers: vec![Layer { pool: 1, weight: 1.0 }],
        tiles: [1, 1],
        align,
    }
}

/// The network of a teacher alone: `picture` to `says`.
pub(super) fn teacher_alone(networks: &Networks, teacher: &[Weight]) -> Vec<u8> {
    let mut tape = Tape::new("teacher");
    let [rows, columns] = networks.picture;
    let picture = tape.input("picture", &[1, 3, rows, columns]);
    let says = networks.pdn.forward(&mut tape, picture, &mut Frozen(teacher), passes::TEACHER, false);
    tape.output(says, "says");
    tape.finish()
}

struct Parts<'a> {
    networks: &'a Networks,
    teacher: &'a [Weight],
    picture: Var,
}

impl Parts<'_> {
    fn trunk(&self, tape: &mut Tape, weights: &mut dyn Weights) -> Var {
        self.networks.pdn.trunk(tape, self.picture, weights, "student", false)
    }

    /// The student's map and what it says.
    fn student(
        &self,
        tape: &mut Tape,
        weights: &mut dyn Weights,
        trunk: Var,
        factor: f32,
        border: usize,
    ) -> (Var, Var) {
        let pdn = &self.networks.pdn;
        let says = pdn.head(tape, trunk, weights, &pdn.last("student"));
        let wanted = pdn.forward(tape, self.picture, &mut Frozen(self.teacher), passes::TEACHER, false);
        (squares(tape, wanted, says, factor, border), says)
    }

    fn autoencoder(&self, tape: &mut Tape, weights: &mut dyn Weights, trunk: Var, factor: f32, border: usize) -> Var {
        let says = self.networks.pdn.head(tape, trunk, weights, HEAD);
        let guess = self.networks.autoencoder.forward(tape, self.picture, weights, &[]);
        squares(tape, guess, says, factor, border)
    }
}

/// `factor` times the mean over the channels of squared differences, with zeros around.
fn squares(tape: &mut Tape, a: Var, b: Var, factor: f32, border: usize) -> Var {
    let channels = tape.shape(a)[1];
    let off = tape.sub(a, b);
    let square = tape.mul(off, off);
    let mean = tape.constant(&[1, channels, 1, 1], &vec![factor / channels as f32; channels]);
    let nothing = tape.constant(&[1], &[0.0]);
    tape.conv(square, mean, nothing, 1, border)
}

/// A map with its border, each place within it times its factor.
fn by_place(tape: &mut Tape, map: Var, factors: Option<&[f32]>) -> Var {
    let Some(factors) = factors else { return map };
    let [_, _, rows, columns] = *tape.shape(map) else { return map };
    let inner = columns - 2 * BORDER;
    let mut all = vec![1.0; rows * columns];
    for (row, from) in factors.chunks_exact(inner).enumerate() {
        let at = (row + BORDER) * columns + BORDER;
        all[at..at + inner].copy_from_slice(from);
    }
    let all = tape.constant(&[1, 1, rows, columns], &all);
    tape.mul(map, all)
}
