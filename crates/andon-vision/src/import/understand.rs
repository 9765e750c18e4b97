//! What a network takes and gives: from its file, from one run, and from what was said.

use super::outputs::{Output, Role, choose, role};
use super::{Asked, ImportError, MapOf, Normalise, Understood, made};
use crate::model::engine::EngineOptions;
use crate::model::engine::session;
use crate::model::graph::{Arithmetic, Kind, OnnxGraph, PICTURE, Port, Takes, look};

/// What a network takes and gives, before it is said what is what.
struct Looked {
    takes: Takes,
    normalise: Normalise,
    outputs: Vec<Output>,
    found_out: Vec<String>,
    engine: &'static str,
}

/// Runs a network once, on a picture of noise.
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
    let mut random = andon_core::SplitMix64::new(1);
    let picture: Vec<f32> = (0..3 * rows * columns).map(|_| random.unit() as f32 * 255.0).collect();
    let (made, name) = run(&graph.adapt_to_look(&takes, &values)?, &takes, values.len(), &picture, engine)?;
    if takes.batch() > 1 {
        let (other, _) = run(&graph.adapt_in_company(&takes, &values, true)?, &takes, values.len(), &picture, engine)?;
        let numbers =
            made.iter().zip(&other).zip(&ports).filter(|(_, port)| matches!(port.kind, Kind::Float | Kind::Half));
        let hangs = numbers.map(|((a, b), _)| first_differs(&a.1, &b.1, takes.batch()));
        if let Some(most) = hangs.filter(|off| *off > HANGS).max_by(f32::total_cmp) {
            found_out.push(format!(
                "what it gives for a picture hangs on the others of its batch (by {:.1} % of the largest value): it is judged among copies of itself, and the training side may say something else",
                most * 100.0
            ));
        }
    }
    let mut outputs = Vec::new();
    for ((port, value), (shape, numbers)) in ports.into_iter().zip(values).zip(made) {
        let role = role(port.kind, &shape, &numbers, takes.batch(), [rows, columns]);
        outputs.push(Output { port, value, shape, role });
    }
    Ok(Looked { takes, normalise, outputs, found_out, engine: name })
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

/// Shapes and values of all that was asked to be looked at, and the engine's name.
fn run(
    looking: &OnnxGraph,
    takes: &Takes,
    count: usize,
    picture: &[f32],
    engine: &EngineOptions,
) -> Result<(Vec<Seen>, &'static str), ImportError> {
    let [columns, rows] = takes.size;
    let mut session = session::open(&looking.write(), engine)?;
    let input = session.value(&[1, 3, rows, columns], picture)?;
    let names: Vec<String> = (0..count).map(look).collect();
    let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
    let made = session.run(&[(PICTURE, &input)], &wanted)?;
    let read = made.iter().map(|value| session.read(value)).collect::<Result<Vec<_>, _>>()?;
    Ok((read, session.name()))
}

/// Finds out what a network takes and gives. Runs it once, on a picture of noise.
///
/// # Errors
/// [`ImportError`]: what is not certain is asked for by name.
pub fn understand(graph: &OnnxGraph, asked: &Asked, engine: &EngineOptions) -> Result<Understood, ImportError> {
    let Looked { takes, normalise, outputs, mut found_out, engine } = look_at(graph, asked, engine)?;
    let made = made::map(&outputs, asked, &takes, &mut found_out)?;
    let map = match made {
        Some(_) => None,
        None => {
            let named = asked.map.as_deref();
            let fits = |r| matches!(r, Role::Map { .. }) || (named.is_some() && matches!(r, Role::Logits { .. }));
            choose(&outputs, named, "--map", fits, &["map", "mask"]).map_err(ImportError::Ask)?
        }
    };
    let score = match asked.score.as_deref() {
        Some("max") if map.is_some() || made.is_some() => None,
        // One number beside latents is as likely their log-determinant.
        None if matches!(made, Some(MapOf::Latents(_))) => None,
        own => choose(&outputs, own, "--score", |r| matches!(r, Role::Score { .. }), &["score"])
            .map_err(ImportError::Ask)?,
    };
    for (number, what) in [(map, "the map"), (score, "the score")] {
        if let Some(output) = number.map(|i| &outputs[i]) {
            found_out.push(format!("`{}` is {what}, by its shape {:?}", output.port.name, output.shape));
        }
    }
    if map.is_some_and(|i| matches!(outputs[i].role, Role::Logits { .. })) {
        found_out.push(
            "its two values are taken for logits of good and bad: the map is the second less the first".to_owned(),
        );
    }
    let map = made.or(map.map(MapOf::Map));
    if map.is_none() && score.is_none() {
        return Err(ImportError::NotTaken(no_map(&outputs)));
    }
    if score.is_none() {
        found_out.push("the score is the largest value of the map".to_owned());
    }
    Ok(Understood { takes, normalise, outputs, map, score, found_out, engine })
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
    let features = |output: &&Output| output.role == Role::Features && matches!(output.shape.len(), 3 | 4);
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
    let places = |output: &Output| match (output.shape.as_slice(), takes.colours_last) {
        ([_, rows, columns, _], true) | ([_, _, rows, columns], false) => rows * columns,
        ([_, tokens, _], _) => *tokens,
        _ => 0,
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
    let telling = |role: &Role| matches!(role, Role::Features | Role::Picture | Role::Logits { .. });
    let more = match outputs.iter().map(|o| o.role).find(telling) {
        Some(Role::Features) => {
            "; if they are features, --method patchcore (or `andon fit --backbone FILE --layers NAME,… --normalise …`) learns from them; if they are latents of a flow, say --latents NAME,…"
        }
        Some(Role::Logits { .. }) => "; if these are logits of good and bad, say --map NAME",
        Some(_) => "; several could be the reconstruction: export the network with one",
        None => "",
    };
    format!("it gives no anomaly map and no score: {words}{more}")
}

/// How a network takes pictures.
///
/// # Errors
/// [`ImportError`]: not one picture of three colours, or of no size that is known.
pub fn takes(graph: &OnnxGraph, asked: &Asked) -> Result<Takes, ImportError> {
    takes_of(graph, asked, &mut Vec::new())
}

fn takes_of(graph: &OnnxGraph, asked: &Asked, found_out: &mut Vec<String>) -> Result<Takes, ImportError> {
    let all = graph.takes();
    let refused = |more| ImportError::Inputs { takes: all.clone(), more };
    let [port] = all.as_slice() else {
        return Err(refused(match all.len() {
            0 => "",
            _ => "; constant inputs beside it (text or position embeddings) are given with --input NAME=FILE.npy",
        }));
    };
    let Some((grey, colours_last)) = channels(graph, port) else {
        return Err(refused("; networks for clips, and pictures of other numbers of channels, are not taken"));
    };
    if !port.kind.takes_pictures() {
        return Err(refused(", as f32, f16, f64 or whole numbers"));
    }
    let (rows, columns) = match (port.sides.as_slice(), colours_last) {
        ([rows, columns], _) | ([rows, columns, _], true) | ([_, rows, columns], false) => (*rows, *columns),
        ([_, rows, columns, _], true) | ([_, _, rows, columns], false) => (*rows, *columns),
        _ => (None, None),
    };
    let size = match (columns.zip(rows), asked.size.map(|size| size.map(|side| side as usize))) {
        (Some((columns, rows)), None) => [columns, rows],
        (Some((columns, rows)), Some(size)) if size == [columns, rows] => size,
        (Some((columns, rows)), Some(_)) => {
            return Err(ImportError::Ask(format!("--size: the network takes {columns}x{rows} pixels and no others")));
        }
        (None, Some(size)) => size,
        (None, None) if is_anomalib(graph) && size_of_map(graph).is_some() => {
            let size = size_of_map(graph).unwrap_or_default();
            found_out.push(format!(
                "pictures are given at {}x{}, as large as the map: it would bring others to that size",
                size[0], size[1]
            ));
            size
        }
        (None, None) => {
            return Err(ImportError::Ask(format!(
                "it takes pictures of every size ({port}): say at which it was trained, --size 256 or --size WIDTHxHEIGHT"
            )));
        }
    };
    let takes = Takes { port: port.clone(), size, colours_last, grey, bgr: asked.bgr, arithmetic: Arithmetic::NONE };
    if grey && asked.bgr {
        return Err(ImportError::Ask("--colour bgr: the network takes grey pictures".to_owned()));
    }
    found_out.push(layout(&takes));
    Ok(takes)
}

/// Whether pictures are grey, and whether their channels come last; none if they are no pictures of one or three channels. Where the file leaves the sides open, the
/// weights of the first convolution tell.
fn channels(graph: &OnnxGraph, port: &Port) -> Option<(bool, bool)> {
    let by_weights = || match graph.channels_taken(&port.name) {
        Some((1, last)) => Some((true, last)),
        Some((3, last)) => Some((false, last)),
        Some(_) => None,
        None => Some((false, false)),
    };
    match port.sides.as_slice() {
        [_, Some(3), _, _] | [Some(3), _, _] => Some((false, false)),
        [_, _, _, Some(3)] | [_, _, Some(3)] => Some((false, true)),
        [_, Some(1), _, _] | [Some(1), _, _] | [_, _] => Some((true, false)),
        [_, _, _, Some(1)] | [_, _, Some(1)] => Some((true, true)),
        [_, None, _, _] | [None, _, _] => by_weights(),
        _ => None,
    }
}

/// Whether a network is a whole export of `anomalib`: model and post-processor, with what that library puts before the network inside.
fn is_anomalib(graph: &OnnxGraph) -> bool {
    let gives = graph.gives();
    ["pred_score", "pred_label"].iter().all(|name| gives.iter().any(|port| port.name == *name))
}

/// Columns and rows of the one map whose size the file says.
fn size_of_map(graph: &OnnxGraph) -> Option<[usize; 2]> {
    let gives = graph.gives();
    let mut sizes = gives.iter().filter_map(|port| match port.sides.as_slice() {
        [.., Some(rows), Some(columns)] if port.sides.len() >= 3 && *rows >= 32 && *columns >= 32 => {
            Some([*columns, *rows])
        }
        _ => None,
    });
    let first = sizes.next()?;
    sizes.all(|size| size == first).then_some(first)
}

fn layout(takes: &Takes) -> String {
    let colours = if takes.grey { "brightness" } else { "colours" };
    let mut axes = vec!["rows", "columns"];
    if takes.port.sides.len() > 2 {
        axes.insert(if takes.colours_last { 2 } else { 0 }, colours);
    }
    let (name, kind, order) = (&takes.port.name, takes.port.kind, axes.join(", "));
    let more = if takes.grey { ": grey pictures" } else { "" };
    match takes.batch() {
        1 => format!("`{name}` takes {order} as {kind}{more}"),
        n => format!("`{name}` takes {order} as {kind}{more}, {n} pictures at a time: the one is given {n} times"),
    }
}

fn normalise(
    graph: &OnnxGraph,
    asked: &Asked,
    takes: &Takes,
    found_out: &mut Vec<String>,
) -> Result<Normalise, ImportError> {
    let inside = graph.normalises_inside(&takes.port.name);
    let (normalise, why) = match (asked.normalise, takes.port.kind) {
        (Some(normalise), _) if inside && normalise == Normalise::Imagenet => {
            return Err(ImportError::Ask(format!(
                "--normalise {normalise}: the network normalises by itself; doing it twice would be wrong: --normalise unit"
            )));
        }
        (Some(normalise), _) => return Ok(normalise),
        (None, kind) if kind.is_whole() => (Normalise::Bytes, "it takes whole numbers"),
        (None, _) if inside => (Normalise::Unit, "ImageNet's mean and deviation are applied inside the network"),
        (None, _) if is_anomalib(graph) => {
            (Normalise::Unit, "its outputs are those of a whole anomalib export, which normalises by itself")
        }
        (None, _) => {
            let all = Normalise::ALL.map(Normalise::as_str).join(", ");
            return Err(ImportError::Ask(format!(
                "how pictures are normalised is not to be seen in the file: say --normalise ({all} or MEAN/DEVIATION), as it was trained"
            )));
        }
    };
    found_out.push(format!("pictures are given as `{normalise}`: {why}"));
    Ok(normalise)
}
