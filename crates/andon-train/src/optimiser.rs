//! Optimisers: how parameters follow their gradients, as an ONNX graph.

use andon_vision::model::graph::GraphBuilder;

/// How parameters follow their gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimiser {
    /// Stochastic gradient descent with momentum; `weight_decay` is added to the gradient.
    Sgd {
        /// Share of the last direction that is kept.
        momentum: f32,
        /// Share of a weight that is added to its gradient.
        weight_decay: f32,
    },
    /// Kingma and Ba, ICLR 2015; `weight_decay` is added to the gradient, as in PyTorch's `Adam`.
    Adam {
        /// Share of a weight that is added to its gradient.
        weight_decay: f32,
    },
    /// Loshchilov and Hutter, ICLR 2019: weights shrink by `rate * weight_decay`, whatever their gradient.
    AdamW {
        /// Share of a weight that goes with each unit of rate.
        weight_decay: f32,
    },
}

/// Decay of Adam's two moments, as published.
const BETA: [f32; 2] = [0.9, 0.999];
/// Keeps Adam from dividing by 0.
const EPSILON: f64 = 1e-8;

/// The scalar inputs of an update graph.
pub(crate) const SCALARS: [&str; 4] = ["rate", "epsilon", "shrink", "share"];

impl Optimiser {
    /// Values that are kept beside each parameter.
    pub fn moments(&self) -> usize {
        match self {
            Optimiser::Sgd { .. } => 1,
            Optimiser::Adam { .. } | Optimiser::AdamW { .. } => 2,
        }
    }

    /// The values of the graph's scalar inputs in step `step`, counted from 1, at this rate, with gradients summed over `passes`.
    pub(crate) fn scalars(&self, step: u64, rate: f64, passes: usize) -> [f32; SCALARS.len()] {
        let share = 1.0 / passes.max(1) as f64;
        let values = match self {
            Optimiser::Sgd { .. } => [rate, 0.0, 1.0, share],
            Optimiser::Adam { .. } => {
                let [rate, epsilon] = corrected(step, rate);
                [rate, epsilon, 1.0, share]
            }
            Optimiser::AdamW { weight_decay } => {
                let [corrected, epsilon] = corrected(step, rate);
                [corrected, epsilon, 1.0 - rate * f64::from(*weight_decay), share]
            }
        };
        values.map(|v| v as f32)
    }

    /// The graph that updates parameters of these names and shapes. Inputs: `P`, `gradient.P` and the moments `P.0`, `P.1` of each parameter `P`,
    /// and the scalars; outputs: `new.P`, `new.P.0`, `new.P.1`.
    pub(crate) fn graph(&self, parameters: &[(String, Vec<usize>)]) -> Vec<u8> {
        let mut graph = GraphBuilder::new("update");
        for scalar in SCALARS {
            graph.input(scalar, &[]);
        }
        let mut update = Update { graph };
        for (name, shape) in parameters {
            update.parameter(self, name, shape);
        }
        update.graph.write()
    }
}

/// Adam's rate and epsilon with its corrections for the first steps in them, so that the graph need not know the step.
fn corrected(step: u64, rate: f64) -> [f64; 2] {
    let left = BETA.map(|beta| 1.0 - f64::from(beta).powf(step as f64));
    let second = left[1].sqrt();
    [rate * second / left[0], EPSILON * second]
}

struct Update {
    graph: GraphBuilder,
}

impl Update {
    fn parameter(&mut self, optimiser: &Optimiser, name: &str, shape: &[usize]) {
        let gradient = format!("gradient.{name}");
        self.graph.input(name, shape);
        self.graph.input(&gradient, shape);
        let moments: Vec<String> = (0..optimiser.moments()).map(|i| format!("{name}.{i}")).collect();
        moments.iter().for_each(|moment| self.graph.input(moment, shape));
        let mut slope = self.op("Mul", &gradient, "share");
        if let Optimiser::Sgd { weight_decay, .. } | Optimiser::Adam { weight_decay } = optimiser
            && *weight_decay != 0.0
        {
            let decay = self.times(name, *weight_decay);
            slope = self.op("Add", &slope, &decay);
        }
        let (step, kept) = match optimiser {
            Optimiser::Sgd { momentum, .. } => {
                let old = self.times(&moments[0], *momentum);
                let direction = self.op("Add", &old, &slope);
                (direction.clone(), vec![direction])
            }
            Optimiser::Adam { .. } | Optimiser::AdamW { .. } => {
                let square = self.op("Mul", &slope, &slope);
                let first = self.decaying(&moments[0], &slope, BETA[0]);
                let second = self.decaying(&moments[1], &square, BETA[1]);
                let root = self.graph.node("Sqrt", &[&second], &[]);
                let root = self.op("Add", &root, "epsilon");
                (self.op("Div", &first, &root), vec![first, second])
            }
        };
        let step = self.op("Mul", &step, "rate");
        let old = self.op("Mul", name, "shrink");
        let new = self.op("Sub", &old, &step);
        self.graph.output(&new, &format!("new.{name}"), Some(shape));
        for (value, moment) in kept.iter().zip(&moments) {
            self.graph.output(value, &format!("new.{moment}"), Some(shape));
        }
    }

    /// `beta * old + (1 - beta) * new`.
    fn decaying(&mut self, old: &str, new: &str, beta: f32) -> String {
        let (old, new) = (self.times(old, beta), self.times(new, 1.0 - beta));
        self.op("Add", &old, &new)
    }

    fn op(&mut self, op: &str, a: &str, b: &str) -> String {
        self.graph.node(op, &[a, b], &[])
    }

    fn times(&mut self, x: &str, factor: f32) -> String {
        let factor = self.graph.constant(&[], &[factor]);
        self.op("Mul", x, &factor)
    }
}
