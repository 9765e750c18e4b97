//! A training step's passes.
//!
//! ```text
//!  picture ──► teacher ─┐            penalty picture ──► student ──► towards 0        changed picture ──► teacher ─────► │
//!      └─────► student ─┴─► hard                                                            ├──► autoencoder ──► square ─┤
//!                                                                                           └──► student's head 2 ───────┴─► square
//! ```

use andon_core::SplitMix64;

use crate::networks::{Autoencoder, Pdn, Size};
use crate::tape::{Var, hardest};
use crate::trainer::{Frozen, Pass, PassBuilder, Weight};

/// The share of the differences between teacher and student that is not learned from, being small already: as published for `s` and `m`. `xs` is
/// given minutes, in which it learns more from more of them (docs/efficientad.md).
pub(super) fn easy(size: Size) -> f64 {
    match size {
        Size::Xs => 0.99,
        Size::S | Size::M => 0.999,
    }
}

/// How a step is made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As published: picture, penalty picture and changed picture in three passes.
    Published,
    /// Picture and changed picture are one and the same, in one pass: half the work.
    Joined,
}

/// The networks of one size for pictures of one size.
#[derive(Clone, Debug)]
pub struct Networks {
    /// Teacher, and student's first head.
    pub pdn: Pdn,
    /// The autoencoder.
    pub autoencoder: Autoencoder,
    /// Rows and columns of pictures.
    pub picture: [usize; 2],
    /// Rows and columns of penalty pictures.
    pub penalty: [usize; 2],
}

/// The student's second head, which follows the autoencoder.
pub(super) const HEAD: &str = "student.head2";

/// What the teacher's weights begin with.
pub(super) const TEACHER: &str = crate::teacher::PREFIX;

impl Networks {
    /// Student and autoencoder as they start.
    pub fn start(&self, seed: u64) -> Vec<Weight> {
        let mut random = SplitMix64::new(seed);
        let mut weights = self.pdn.start("student", &mut random);
        weights.extend(self.pdn.start_head(HEAD, &mut random));
        weights.extend(self.autoencoder.start(&mut random));
        weights
    }
}

/// The passes of a step of `form`, in which the share `easy` of the differences is not learned from, for student and autoencoder as [`Networks::start`] gives them and a teacher that is normalised already. Inputs of
/// the first: `picture`, with [`Form::Joined`] followed by `mask0`, …; of the second: `natural`; of the third, if there is one: `changed`,
/// `mask0`, …. Losses: `hard`; `penalty`; `autoencoder` and `student_autoencoder`.
pub fn passes(networks: &Networks, weights: &[Weight], teacher: &[Weight], form: Form, easy: f64) -> Vec<Pass> {
    let mut first = Step::new("picture", networks, weights, teacher, networks.picture);
    let hard = first.hard(easy);
    let mut all = Vec::new();
    if form == Form::Joined {
        let (square, agreed) = first.autoencoder();
        let losses = [("hard", hard), ("autoencoder", square), ("student_autoencoder", agreed)];
        all.push(first.finish("picture", &losses));
    } else {
        all.push(first.finish("picture", &[("hard", hard)]));
    }
    let mut second = Step::new("natural", networks, weights, teacher, networks.penalty);
    let penalty = second.penalty();
    all.push(second.finish("natural", &[("penalty", penalty)]));
    if form == Form::Published {
        let mut third = Step::new("changed", networks, weights, teacher, networks.picture);
        let (square, agreed) = third.autoencoder();
        all.push(third.finish("changed", &[("autoencoder", square), ("student_autoencoder", agreed)]));
    }
    all
}

struct Step<'a> {
    networks: &'a Networks,
    pass: PassBuilder,
    teacher: Frozen<'a>,
    picture: Var,
    /// The student up to its heads, once it is there.
    trunk: Option<Var>,
    says: Option<Var>,
    masks: Vec<String>,
}

impl<'a> Step<'a> {
    fn new(
        input: &str,
        networks: &'a Networks,
        weights: &[Weight],
        teacher: &'a [Weight],
        [rows, columns]: [usize; 2],
    ) -> Step<'a> {
        let mut pass = PassBuilder::new(input, weights);
        let picture = pass.tape.input(input, &[1, 3, rows, columns]);
        Step { networks, pass, teacher: Frozen(teacher), picture, trunk: None, says: None, masks: Vec::new() }
    }

    fn teacher(&mut self) -> Var {
        let Step { networks, pass, teacher, picture, says, .. } = self;
        *says.get_or_insert_with(|| networks.pdn.forward(&mut pass.tape, *picture, teacher, TEACHER, false))
    }

    fn trunk(&mut self) -> Var {
        let Step { networks, pass, picture, trunk, .. } = self;
        *trunk.get_or_insert_with(|| networks.pdn.trunk(&mut pass.tape, *picture, &mut pass.learned, "student", false))
    }

    fn student(&mut self, head: &str) -> Var {
        let trunk = self.trunk();
        let Step { networks, pass, .. } = self;
        networks.pdn.head(&mut pass.tape, trunk, &mut pass.learned, head)
    }

    fn hard(&mut self, easy: f64) -> Var {
        let says = self.teacher();
        let last = self.networks.pdn.last("student");
        let student = self.student(&last);
        let tape = &mut self.pass.tape;
        let count = hardest(tape.shape(says).iter().product(), easy);
        tape.hardest_mean_square(student, says, count)
    }

    fn penalty(&mut self) -> Var {
        let last = self.networks.pdn.last("student");
        let student = self.student(&last);
        let tape = &mut self.pass.tape;
        let square = tape.mul(student, student);
        tape.mean(square)
    }

    fn autoencoder(&mut self) -> (Var, Var) {
        let says = self.teacher();
        let student = self.student(HEAD);
        let Step { networks, pass, picture, masks, .. } = self;
        let vars: Vec<Var> = networks
            .autoencoder
            .masks()
            .iter()
            .enumerate()
            .map(|(number, shape)| {
                masks.push(format!("mask{number}"));
                pass.tape.input(&format!("mask{number}"), shape)
            })
            .collect();
        let guess = networks.autoencoder.forward(&mut pass.tape, *picture, &mut pass.learned, &vars);
        let square = pass.tape.mean_square(guess, says);
        let agreed = pass.tape.mean_square(guess, student);
        (square, agreed)
    }

    fn finish(self, input: &str, losses: &[(&str, Var)]) -> Pass {
        let inputs: Vec<&str> = std::iter::once(input).chain(self.masks.iter().map(String::as_str)).collect();
        self.pass.finish(losses, &inputs)
    }
}

#[cfg(test)]
#[path = "passes_tests.rs"]
mod tests;
