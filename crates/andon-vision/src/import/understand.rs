//! What a network takes and gives: from its file, from one run, and from what was said.

use super::outputs::{Output, Role, choose, roles};
use super::takes::{normalise, takes_of};
use super::{Asked, ImportError, MapOf, Normalise, Understood, made};
use crate::model::engine::EngineOptions;
use crate::model::engine::session;
use crate::model::graph::{Kind, OnnxGraph, PICTURE, Port, Takes, look};

/// What a network takes and gives, before it is said what is what.
struct Looked {
    takes: Takes,
    normalise: Normalise,
    outputs: Vec<Output>,
    found_out: Vec<String>,
    engine: &'static str,
    milliseconds: f64,
}

/// Runs a network once, on a picture of noise, and forgets what it gives: whether it can be run at all.
///
/// # Errors
/// [`ImportError`]: what is not certain is asked for by name; what the engine says.
pub fn try_once(graph: &OnnxGraph, asked: &Asked, engine: &EngineOptions) -> Result<(), ImportError> {
    let mut takes = takes_of(graph, asked, &mut Vec::new())?;
    takes.arithmetic = normalise(graph, asked, &takes, &mut Vec::new())?.arithmetic();
    let values: Vec<String> = graph.gives().into_iter().map(|port| port.name).collect();
    let looking = graph.adapt_to_look(&takes, &values)?;
    run(&looking, &takes, values.len(), &[&noise(&takes, 1)], engine).map(|_| ())
}

/// A picture of noise.
fn noise(takes: &Takes, seed: u64) -> Vec<f32> {
    let mut random = andon_core::SplitMix64::new(seed);
    (0..3 * takes.size[0] * takes.size[1]).map(|_| random.unit() as f32 * 255.0).collect()
}

/// Runs a network a few times, on pictures of noise.
fn look_at(graph: &OnnxGraph, asked: &Asked, engine: &EngineOptions) -> Result<Looked, ImportError> {
    let mut found_out = Vec::new();
    let mut takes = takes_of(graph, asked, &mut found_out)?;
    let normalise = normalise(graph, asked, &takes, &mut found_out)?;
    takes.arithmetic = normalise.arithmetic();
    let [columns, rows] = takes.size;
    let ports = graph.gives();
    let values: Vec<String> = ports
        .iter()
        .map(|port| {
            let raw = graph.raw_of(&port.name);
            if let Some(raw) = &raw {
                found_out.push(format!(
                    "`{}` is scaled and clamped by a post-processor; `{raw}` is taken, which it is made of",
                    port.name
                ));
            }
            raw.unwrap_or_else(|| port.name.clone())
        })
        .collect();
    let pictures = [1, 2].map(|seed| noise(&takes, seed));
    let looking = graph.adapt_to_look(&takes, &values)?;
    let (runs, name, milliseconds) =
        run(&looking, &takes, values.len(), &[&pictures[0], &pictures[0], &pictures[1]], engine)?;
    let [made, again, of_other] = runs.as_slice() else {
        return Err(ImportError::NotTaken("it gives nothing".to_owned()));
    };
    steady(&ports, made, again)?;
    if takes.batch() > 1 {
        let in_company = graph.adapt_in_company(&takes, &values, true)?;
        let (other, _, _) = run(&in_company, &takes, values.len(), &[&pictures[0]], engine)?;
        let other = other.first().into_iter().flatten();
        let numbers =
            made.iter().zip(other).zip(&ports).filter(|(_, port)| matches!(port.kind, Kind::Float | Kind::Half));
        let hangs = numbers.map(|((a, b), _)| first_differs(&a.1, &b.1, takes.batch()));
        if let Some(most) = hangs.filter(|off| *off > HANGS).max_by(f32::total_cmp) {
            found_out.push(format!(
                "what it gives for a picture hangs on the others of its batch (by {:.1} % of the largest value): it is judged among copies of itself, and the training side may say something else",
                most * 100.0
            ));
        }
    }
    let mut outputs = Vec::new();
    for (((port, value), (shape, numbers)), other) in ports.into_iter().zip(values).zip(made).zip(of_other) {
        let (role, named) = roles(&port, shape, numbers, takes.batch(), [rows, columns]);
        let varies = *shape != other.0 && shape.len() > 1;
        let fixed = numbers.iter().zip(&other.1).all(|(a, b)| a.is_finite() && a.to_bits() == b.to_bits());
        let bounds = graph.bounds(&port.name);
        outputs.push(Output { port, value, shape: shape.clone(), role, named, fixed, varies, bounds });
    }
    Ok(Looked { takes, normalise, outputs, found_out, engine: name, milliseconds })
}

/// Refuses a network that does not give the same for the same picture.
fn steady(ports: &[Port], made: &[Seen], again: &[Seen]) -> Result<(), ImportError> {
    /// More than this share of the largest value is no rounding.
    const ROUNDED: f32 = 1e-4;
    for (port, (a, b)) in ports.iter().zip(made.iter().zip(again)) {
        let off = if a.0 == b.0 { first_differs(&a.1, &b.1, 1) } else { 1.0 };
        if off > ROUNDED {
            return Err(ImportError::NotTaken(format!(
                "`{}` is different each time for the same picture, by up to {:.1} % of the largest value, and the same picture must get the same verdict; export the network for judging (model.eval())",
                port.name,
                off * 100.0
            )));
        }
    }
    Ok(())
}

/// From here on the first of a batch differs by more than rounding when the others do, in shares of the largest value.
const HANGS: f32 = 1e-3;

/// By how much the first of `batch` pictures differs, in shares of the largest value.
fn first_differs(a: &[f32], b: &[f32], batch: usize) -> f32 {
    let one = a.len() / batch.max(1);
    let largest = a.iter().map(|v| v.abs()).fold(1e-12, f32::max);
    a.iter().zip(b).take(one).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest
}

/// Sides of a value, and the value.
type Seen = (Vec<usize>, Vec<f32>);

/// For each picture, shapes and values of all that was asked to be looked at; the engine's name, and the milliseconds of the last run.
fn run(
    looking: &OnnxGraph,
    takes: &Takes,
    count: usize,
    pictures: &[&[f32]],
    engine: &EngineOptions,
) -> Result<(Vec<Vec<Seen>>, &'static str, f64), ImportError> {
    /// Numbers of an output at most.
    const MOST: usize = 1 << 25;
    let [columns, rows] = takes.size;
    let mut session = session::open_foreign(&looking.write(), engine)?;
    let names: Vec<String> = (0..count).map(look).collect();
    let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
    let (mut all, mut milliseconds) = (Vec::new(), 0.0);
    for picture in pictures {
        let input = session.value(&[1, 3, rows, columns], picture)?;
        let start = std::time::Instant::now();
        let made = session.run(&[(PICTURE, &input)], &wanted)?;
        milliseconds = start.elapsed().as_secs_f64() * 1e3;
        let mut read = Vec::new();
        for value in &made {
            let (shape, numbers) = session.read(value)?;
            if numbers.len() > MOST {
                return Err(ImportError::NotTaken(format!(
                    "it gives a value of the shape {shape:?}, and at most {MOST} numbers are taken; export it with smaller ones"
                )));
            }
            read.push((shape, numbers));
        }
        all.push(read);
    }
    Ok((all, session.name(), milliseconds))
}

/// Finds out what a network takes and gives. Runs it a few times, on pictures of noise.
///
/// # Errors
/// [`ImportError`]: what is not certain is asked for by name.
pub fn understand(graph: &OnnxGraph, asked: &Asked, engine: &EngineOptions) -> Result<Understood, ImportError> {
    let Looked { takes, normalise, mut outputs, mut found_out, engine, milliseconds } = look_at(graph, asked, engine)?;
    for output in &mut outputs {
        let said = [&asked.map, &asked.score].into_iter().flatten().any(|name| *name == output.port.name);
        if let Some(named) = output.named.filter(|_| said) {
            output.role = named;
        }
    }
    let made = made::map(&outputs, asked, &takes, &mut found_out)?;
    let map = match made {
        Some(_) => None,
        None => {
            let named = asked.map.as_deref();
            let logits = |r| matches!(r, Role::Logits { size, .. } if size != [1; 2]);
            let fits = |r| matches!(r, Role::Map { .. }) || (named.is_some() && logits(r));
            choose(&outputs, named, "--map", fits, &["map", "mask"]).map_err(ImportError::Ask)?
        }
    };
    let score = match asked.score.as_deref() {
        Some("max") if map.is_some() || made.is_some() => None,
        // One number beside latents is as likely their log-determinant.
        None if matches!(made, Some(MapOf::Latents(_))) => None,
        own => {
            let logits = |r| matches!(r, Role::Logits { size: [1, 1], .. });
            let fits = |r| matches!(r, Role::Score { .. }) || (own.is_some() && logits(r));
            choose(&outputs, own, "--score", fits, &["score"]).map_err(ImportError::Ask)?
        }
    };
    let unsaid = asked.score.is_none() && (map.is_some() || made.is_some());
    if let Some(output) = score.map(|i| &outputs[i]).filter(|output| output.fixed && unsaid) {
        let name = &output.port.name;
        return Err(ImportError::Ask(format!(
            "`{name}` is the same number for two pictures that have nothing in common: is it the score all the same (--score {name}), or is that the largest value of the map (--score max)?"
        )));
    }
    for (number, what) in [(map, "the map"), (score, "the score")] {
        if let Some(output) = number.map(|i| &outputs[i]) {
            if output.varies {
                return Err(ImportError::NotTaken(format!(
                    "the size of `{}` hangs on the picture, and {what} has to be of one size; export the network with a fixed one",
                    output.port.name
                )));
            }
            found_out.push(format!("`{}` is {what}, by its shape {:?}", output.port.name, output.shape));
            if output.fixed {
                found_out.push(format!(
                    "`{}` is the same for two pictures that have nothing in common: does it see the picture?",
                    output.port.name
                ));
            }
        }
    }
    for output in map.into_iter().chain(score).map(|i| &outputs[i]) {
        if matches!(output.role, Role::Logits { .. }) {
            found_out.push(format!(
                "the two values of `{}` are taken for logits of good and bad: the second less the first",
                output.port.name
            ));
        }
    }
    let map = made.or(map.map(MapOf::Map));
    if map.is_none() && score.is_none() {
        return Err(ImportError::NotTaken(no_map(&outputs)));
    }
    if score.is_none() {
        found_out.push("the score is the largest value of the map".to_owned());
    }
    Ok(Understood { takes, normalise, outputs, map, score, found_out, engine, milliseconds })
}

/// What a network of features takes and gives, for a method that learns from them.
#[derive(Clone, Debug)]
pub struct Features {
    /// How it takes pictures.
    pub takes: Takes,
    /// How they are normalised.
    pub normalise: Normalise,
    /// The outputs that are features, the finest first.
    pub layers: Vec<String>,
    /// What was not said and was found out, and why.
    pub found_out: Vec<String>,
}

/// Finds out what a network of features takes and gives; `layers` are those that were named, none if all that it gives are meant.
///
/// # Errors
/// [`ImportError`]: it gives no features, or what is not certain.
pub fn features(
    graph: &OnnxGraph,
    asked: &Asked,
    layers: &[String],
    engine: &EngineOptions,
) -> Result<Features, ImportError> {
    let Looked { takes, normalise, outputs, mut found_out, .. } = look_at(graph, asked, engine)?;
    let features =
        |output: &&Output| output.role == Role::Features && matches!(output.shape.len(), 3 | 4) && !output.varies;
    let mut found: Vec<&Output> = outputs.iter().filter(features).collect();
    if let Some(name) = layers.iter().find(|name| !found.iter().any(|output| output.port.name == **name)) {
        return Err(ImportError::Ask(format!(
            "--layers {name}: it gives no features of this name; {}",
            no_map(&outputs)
        )));
    }
    if found.is_empty() {
        return Err(ImportError::NotTaken(format!("it gives no features: {}", no_map(&outputs))));
    }
    let places = |output: &Output| {
        let sides: Vec<Option<usize>> = output.shape.iter().copied().map(Some).collect();
        match (output.shape.as_slice(), takes.channels_last(&sides)) {
            ([_, rows, columns, _], true) | ([_, _, rows, columns], false) => rows * columns,
            ([_, tokens, _], _) => *tokens,
            _ => 0,
        }
    };
    found.sort_by_key(|output| std::cmp::Reverse(places(output)));
    let layers = match layers {
        [] => {
            let names: Vec<String> = found.iter().map(|output| output.port.name.clone()).collect();
            found_out.push(format!("features are {}, the finest first", names.join(", ")));
            names
        }
        named => named.to_vec(),
    };
    Ok(Features { takes, normalise, layers, found_out })
}

pub(super) fn no_map(outputs: &[Output]) -> String {
    let words =
        outputs.iter().map(|o| format!("`{}` is {}", o.port.name, o.role.words())).collect::<Vec<_>>().join(", ");
    let of = |wanted: fn(&Output) -> bool| outputs.iter().find(|output| wanted(output)).map(|o| o.port.name.as_str());
    let more = if let Some(name) = of(|o| matches!(o.named, Some(Role::Map { .. })) && o.role == Role::Features) {
        format!(
            "; if `{name}` is the map and not tokens of features, say --map {name}; else --method patchcore learns from them"
        )
    } else if of(|o| o.role == Role::Features).is_some() {
        "; if they are features, --method patchcore (or `andon fit --backbone FILE --layers NAME,… --normalise …`) learns from them; if they are latents of a flow, say --latents NAME,…".to_owned()
    } else if of(|o| matches!(o.role, Role::Logits { size: [1, 1], .. })).is_some() {
        "; if these are logits of good and bad, say --score NAME".to_owned()
    } else if of(|o| matches!(o.role, Role::Logits { .. })).is_some() {
        "; if these are logits of good and bad, say --map NAME".to_owned()
    } else if of(|o| o.role == Role::Picture).is_some() {
        "; say which is the reconstruction: --reconstruction NAME".to_owned()
    } else if let Some(name) = of(|o| matches!(o.named, Some(Role::Map { .. }))) {
        format!("; if `{name}` is a map in whole numbers, say --map {name}")
    } else if let Some(name) = of(|o| matches!(o.named, Some(Role::Score { .. }))) {
        format!("; if `{name}` is a score in whole numbers, say --score {name}")
    } else {
        String::new()
    };
    format!("it gives no anomaly map and no score: {words}{more}")
}
