//! Runs training steps: passes that add up gradients, and an update of the parameters.
//!
//! ```text
//!  pass(inputs) ─► losses, gradients added up ─┐
//!  pass(inputs) ─► losses, gradients added up ─┴─► step(rate) ─► parameters and moments; gradients are 0 again
//! ```
//!
//! A step in several passes takes the memory of its largest pass, not of all of them.

use andon_core::SplitMix64;
use andon_vision::model::engine::session::{self, Session, Value};
use andon_vision::model::engine::{EngineError, EngineOptions};

use crate::optimiser::{Optimiser, SCALARS};
use crate::tape::{Tape, Var};

/// A parameter as it starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    /// Its name in graphs and files.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values, in rows.
    pub values: Vec<f32>,
}

impl Weight {
    /// Even between plus and minus `1 / sqrt(inputs)`, `inputs` those of one output, as PyTorch starts convolutions and full connections and their
    /// biases (He et al., ICCV 2015, with a gain that leaves less to the first steps).
    pub fn uniform(name: &str, shape: &[usize], inputs: usize, random: &mut SplitMix64) -> Weight {
        let largest = 1.0 / (inputs.max(1) as f64).sqrt();
        let values = (0..shape.iter().product()).map(|_| ((random.unit() * 2.0 - 1.0) * largest) as f32).collect();
        Weight { name: name.to_owned(), shape: shape.to_vec(), values }
    }
}

/// Where a network finds its weights while its graph is written.
pub trait Weights {
    /// The weight of this name.
    fn get(&mut self, tape: &mut Tape, name: &str) -> Var;
}

/// Weights that are learned: inputs of the graph.
#[derive(Debug)]
pub struct Learned {
    asked: Vec<(usize, Var)>,
    names: Vec<String>,
    shapes: Vec<Vec<usize>>,
}

impl Weights for Learned {
    fn get(&mut self, tape: &mut Tape, name: &str) -> Var {
        let number = self.names.iter().position(|n| n == name).unwrap_or(self.names.len());
        assert!(number < self.names.len(), "no parameter `{name}`");
        if let Some((_, var)) = self.asked.iter().find(|(n, _)| *n == number) {
            return *var;
        }
        let var = tape.parameter(name, &self.shapes[number]);
        self.asked.push((number, var));
        var
    }
}

/// Weights that stay as they are: constants of the graph.
#[derive(Clone, Copy, Debug)]
pub struct Frozen<'a>(pub &'a [Weight]);

impl Weights for Frozen<'_> {
    fn get(&mut self, tape: &mut Tape, name: &str) -> Var {
        let number = self.0.iter().position(|w| w.name == name).unwrap_or(self.0.len());
        assert!(number < self.0.len(), "no weight `{name}`");
        tape.constant(&self.0[number].shape, &self.0[number].values)
    }
}

/// A pass in the making.
pub struct PassBuilder {
    /// Where it is written.
    pub tape: Tape,
    /// The parameters that it may ask for.
    pub learned: Learned,
}

impl PassBuilder {
    /// A pass of a network with these parameters.
    pub fn new(name: &str, weights: &[Weight]) -> PassBuilder {
        let learned = Learned {
            asked: Vec::new(),
            names: weights.iter().map(|w| w.name.clone()).collect(),
            shapes: weights.iter().map(|w| w.shape.clone()).collect(),
        };
        PassBuilder { tape: Tape::new(name), learned }
    }

    /// Finishes a pass that learns nothing and gives these values; [`Trainer::pass`] reads the first number of each, [`Trainer::probe`] all.
    /// `inputs` are the names of its inputs that are no parameters.
    pub fn finish_probe(self, values: &[(&str, Var)], inputs: &[&str]) -> Pass {
        self.write(false, values, inputs)
    }

    /// Finishes a pass that adds the gradients of the sum of `losses` up.
    pub fn finish(mut self, losses: &[(&str, Var)], inputs: &[&str]) -> Pass {
        let weighted: Vec<(Var, f32)> = losses.iter().map(|(_, loss)| (*loss, 1.0)).collect();
        let total = self.tape.weighted_sum(&weighted);
        let Learned { asked, names, shapes } = &self.learned;
        let vars: Vec<Var> = asked.iter().map(|(_, var)| *var).collect();
        let gradients = self.tape.gradients(total, &vars);
        for ((number, _), gradient) in asked.iter().zip(gradients) {
            let name = &names[*number];
            let before = self.tape.input(&format!("gradient.{name}"), &shapes[*number]);
            let sum = self.tape.add(before, gradient);
            self.tape.output(sum, &format!("new.gradient.{name}"));
        }
        self.write(true, losses, inputs)
    }

    fn write(mut self, learns: bool, values: &[(&str, Var)], inputs: &[&str]) -> Pass {
        assert!(values.iter().all(|(name, _)| !inputs.contains(name)), "an output with the name of an input");
        for (name, value) in values {
            self.tape.output(*value, name);
        }
        Pass {
            onnx: self.tape.finish(),
            parameters: self.learned.asked.into_iter().map(|(number, _)| number).collect(),
            learns,
            inputs: inputs.iter().map(|name| (*name).to_owned()).collect(),
            losses: values.iter().map(|(name, _)| (*name).to_owned()).collect(),
        }
    }
}

/// A finished pass.
#[derive(Clone, Debug)]
pub struct Pass {
    onnx: Vec<u8>,
    parameters: Vec<usize>,
    /// Whether it gives gradients.
    learns: bool,
    inputs: Vec<String>,
    losses: Vec<String>,
}

/// Values of an input with their shape.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The shape.
    pub shape: &'a [usize],
    /// As many values.
    pub values: &'a [f32],
}

/// A network in training, with one owner.
pub struct Trainer {
    names: Vec<String>,
    shapes: Vec<Vec<usize>>,
    passes: Vec<(Pass, Box<dyn Session>)>,
    update: Box<dyn Session>,
    optimiser: Optimiser,
    state: State,
    gradients: Vec<Option<Value>>,
    zeros: Vec<Value>,
}

/// What a step changes.
struct State {
    weights: Vec<Value>,
    /// Of each parameter.
    moments: Vec<Vec<Value>>,
    steps: u64,
}

/// What a step changes, as data: enough to go on from.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Parameters.
    pub weights: Vec<Weight>,
    /// The optimiser's moments of each parameter.
    pub moments: Vec<Vec<Vec<f32>>>,
    /// Steps that were taken.
    pub steps: u64,
    /// Steps that were decided on for the whole run; 0 where nothing was decided yet, or its options say it.
    pub planned: u64,
}

impl Snapshot {
    /// The start: moments are 0.
    pub fn start(weights: Vec<Weight>, optimiser: Optimiser) -> Snapshot {
        let moments = weights.iter().map(|w| vec![vec![0.0; w.values.len()]; optimiser.moments()]).collect();
        Snapshot { weights, moments, steps: 0, planned: 0 }
    }
}

impl Trainer {
    /// Opens passes of a network with these parameters.
    ///
    /// # Errors
    /// [`EngineError`]: no engine is there, or it does not take the graphs.
    pub fn open(
        passes: Vec<Pass>,
        start: &Snapshot,
        optimiser: Optimiser,
        options: &EngineOptions,
    ) -> Result<Trainer, EngineError> {
        let weights = &start.weights;
        let all: Vec<(String, Vec<usize>)> = weights.iter().map(|w| (w.name.clone(), w.shape.clone())).collect();
        let update = optimiser.graph(&all);
        let graphs: Vec<&[u8]> =
            std::iter::once(&update).chain(passes.iter().map(|pass| &pass.onnx)).map(Vec::as_slice).collect();
        let mut sessions = session::open_all(&graphs, options)?;
        let update = sessions.remove(0);
        let passes: Vec<(Pass, Box<dyn Session>)> = passes.into_iter().zip(sessions).collect();
        let zeros = weights.iter().map(|w| update.value(&w.shape, &vec![0.0; w.values.len()]));
        let state = State {
            weights: weights.iter().map(|w| update.value(&w.shape, &w.values)).collect::<Result<_, _>>()?,
            moments: weights
                .iter()
                .zip(&start.moments)
                .map(|(w, moments)| moments.iter().map(|m| update.value(&w.shape, m)).collect::<Result<_, _>>())
                .collect::<Result<_, _>>()?,
            steps: start.steps,
        };
        Ok(Trainer {
            zeros: zeros.collect::<Result<_, _>>()?,
            gradients: weights.iter().map(|_| None).collect(),
            names: all.iter().map(|(name, _)| name.clone()).collect(),
            shapes: all.into_iter().map(|(_, shape)| shape).collect(),
            passes,
            update,
            optimiser,
            state,
        })
    }

    /// Which engine runs it.
    pub fn engine_name(&self) -> &'static str {
        self.update.name()
    }

    /// Steps that were taken.
    pub fn steps(&self) -> u64 {
        self.state.steps
    }

    /// Runs pass `number` and adds its gradients up; returns its losses. `inputs` come in the order that the pass was finished with.
    ///
    /// # Errors
    /// [`EngineError::Run`].
    pub fn pass(&mut self, number: usize, inputs: &[Input<'_>]) -> Result<Vec<f32>, EngineError> {
        let (pass, session) = &mut self.passes[number];
        let held =
            inputs.iter().map(|input| session.value(input.shape, input.values)).collect::<Result<Vec<_>, _>>()?;
        let learned = pass.parameters.iter().filter(|_| pass.learns);
        let before: Vec<String> = learned.clone().map(|p| format!("gradient.{}", self.names[*p])).collect();
        let mut given: Vec<(&str, &Value)> = pass.inputs.iter().map(String::as_str).zip(&held).collect();
        for parameter in &pass.parameters {
            given.push((&self.names[*parameter], &self.state.weights[*parameter]));
        }
        for (parameter, before) in learned.clone().zip(&before) {
            let sum = self.gradients[*parameter].as_ref().unwrap_or(&self.zeros[*parameter]);
            given.push((before, sum));
        }
        let after: Vec<String> = before.iter().map(|name| format!("new.{name}")).collect();
        let wanted: Vec<&str> = pass.losses.iter().chain(&after).map(String::as_str).collect();
        let mut made = session.run(&given, &wanted)?;
        let sums = made.split_off(pass.losses.len());
        for (parameter, sum) in learned.zip(sums) {
            self.gradients[*parameter] = Some(sum);
        }
        made.iter().map(|loss| Ok(session.read(loss)?.1.first().copied().unwrap_or(f32::NAN))).collect()
    }

    /// Runs pass `number`, of those that learn nothing, and returns all numbers of each of its values.
    ///
    /// # Errors
    /// [`EngineError::Run`].
    pub fn probe(&mut self, number: usize, inputs: &[Input<'_>]) -> Result<Vec<Vec<f32>>, EngineError> {
        let (pass, session) = &mut self.passes[number];
        let held =
            inputs.iter().map(|input| session.value(input.shape, input.values)).collect::<Result<Vec<_>, _>>()?;
        let mut given: Vec<(&str, &Value)> = pass.inputs.iter().map(String::as_str).zip(&held).collect();
        for parameter in &pass.parameters {
            given.push((&self.names[*parameter], &self.state.weights[*parameter]));
        }
        let wanted: Vec<&str> = pass.losses.iter().map(String::as_str).collect();
        session.run(&given, &wanted)?.iter().map(|value| Ok(session.read(value)?.1)).collect()
    }

    /// Puts other values in the place of the parameters, in their order.
    ///
    /// # Errors
    /// [`EngineError::Run`]: a parameter has more or fewer of them.
    pub fn set_weights(&mut self, weights: &[Weight]) -> Result<(), EngineError> {
        let values = weights.iter().map(|w| self.update.value(&w.shape, &w.values));
        self.state.weights = values.collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Forgets the gradients that were added up.
    pub fn forget(&mut self) {
        self.gradients.iter_mut().for_each(|g| *g = None);
    }

    /// Changes the parameters by the gradients that were added up, divided by `passes`, and forgets those.
    ///
    /// # Errors
    /// [`EngineError::Run`].
    pub fn step(&mut self, rate: f64, passes: usize) -> Result<(), EngineError> {
        let moments = self.optimiser.moments();
        let scalars = self.optimiser.scalars(self.state.steps + 1, rate, passes);
        let scalars = scalars.iter().map(|value| self.update.value(&[], &[*value])).collect::<Result<Vec<_>, _>>()?;
        let mut names: Vec<String> = Vec::new();
        for name in &self.names {
            names.push(name.clone());
            names.extend((0..moments).map(|i| format!("{name}.{i}")));
            names.push(format!("gradient.{name}"));
        }
        let each = moments + 2;
        let mut given: Vec<(&str, &Value)> = SCALARS.into_iter().zip(&scalars).collect();
        for (parameter, names) in names.chunks_exact(each).enumerate() {
            given.push((&names[0], &self.state.weights[parameter]));
            given.extend(names[1..=moments].iter().map(String::as_str).zip(&self.state.moments[parameter]));
            let sum = self.gradients[parameter].as_ref().unwrap_or(&self.zeros[parameter]);
            given.push((&names[moments + 1], sum));
        }
        let after: Vec<String> =
            names.chunks_exact(each).flat_map(|n| &n[..=moments]).map(|name| format!("new.{name}")).collect();
        let wanted: Vec<&str> = after.iter().map(String::as_str).collect();
        let mut made = self.update.run(&given, &wanted)?.into_iter();
        let next: Vec<(Value, Vec<Value>)> =
            self.names.iter().filter_map(|_| Some((made.next()?, made.by_ref().take(moments).collect()))).collect();
        (self.state.weights, self.state.moments) = next.into_iter().unzip();
        self.forget();
        self.state.steps += 1;
        Ok(())
    }

    /// The parameters as they are.
    ///
    /// # Errors
    /// [`EngineError::Run`].
    pub fn weights(&self) -> Result<Vec<Weight>, EngineError> {
        let values = self.state.weights.iter().map(|value| Ok(self.update.read(value)?.1));
        let weights = self.names.iter().zip(&self.shapes).zip(values);
        weights
            .map(|((name, shape), values)| Ok(Weight { name: name.clone(), shape: shape.clone(), values: values? }))
            .collect()
    }

    /// The gradients that were added up so far, in the order of the parameters.
    ///
    /// # Errors
    /// [`EngineError::Run`].
    pub fn gradients(&self) -> Result<Vec<Vec<f32>>, EngineError> {
        let sums = self.gradients.iter().zip(&self.zeros);
        sums.map(|(sum, zero)| Ok(self.update.read(sum.as_ref().unwrap_or(zero))?.1)).collect()
    }

    /// All that is needed to go on from here, between steps.
    ///
    /// # Errors
    /// [`EngineError::Run`].
    pub fn snapshot(&self) -> Result<Snapshot, EngineError> {
        let moments = self
            .state
            .moments
            .iter()
            .map(|moments| moments.iter().map(|m| Ok(self.update.read(m)?.1)).collect())
            .collect::<Result<_, EngineError>>()?;
        Ok(Snapshot { weights: self.weights()?, moments, steps: self.state.steps, planned: 0 })
    }
}
