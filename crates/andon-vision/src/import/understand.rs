//! What a network takes and gives: from its file, from one run, and from what was said.

use super::outputs::{Output, Role, choose, role};
use super::{Asked, ImportError, MapOf, Normalise, Understood};
use crate::model::engine::EngineOptions;
use crate::model::engine::session;
use crate::model::graph::{Arithmetic, Kind, OnnxGraph, PICTURE, Port, Takes, look};

/// Finds out what a network takes and gives. Runs it once, on a picture of noise.
///
/// # Errors
/// [`ImportError`]: what is not certain is asked for by name.
pub fn understand(graph: &OnnxGraph, asked: &Asked, engine: &EngineOptions) -> Result<Understood, ImportError> {
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
    let looking = graph.adapt_to_look(&takes, &values)?.write();
    let mut session = session::open(&looking, engine)?;
    let mut random = andon_core::SplitMix64::new(1);
    let picture: Vec<f32> = (0..3 * rows * columns).map(|_| random.unit() as f32 * 255.0).collect();
    let input = session.value(&[1, 3, rows, columns], &picture)?;
    let names: Vec<String> = (0..values.len()).map(look).collect();
    let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
    let made = session.run(&[(PICTURE, &input)], &wanted)?;
    let mut outputs = Vec::new();
    for ((port, value), made) in ports.into_iter().zip(values).zip(&made) {
        let (shape, numbers) = session.read(made)?;
        let role = role(port.kind, &shape, &numbers, takes.batch(), [rows, columns]);
        outputs.push(Output { port, value, shape, role });
    }
    let map = choose(&outputs, asked.map.as_deref(), "--map", |r| matches!(r, Role::Map { .. }), &["map", "mask"])
        .map_err(ImportError::Ask)?;
    let own = asked.score.as_deref();
    let score = match own {
        Some("max") if map.is_some() => None,
        _ => choose(&outputs, own, "--score", |r| r == Role::Score, &["score"]).map_err(ImportError::Ask)?,
    };
    for (number, what) in [(map, "the map"), (score, "the score")] {
        if let Some(output) = number.map(|i| &outputs[i]) {
            found_out.push(format!("`{}` is {what}, by its shape {:?}", output.port.name, output.shape));
        }
    }
    let map = map.map(MapOf::Map).or(made_map(&outputs, asked, &mut found_out)?);
    if map.is_none() && score.is_none() {
        return Err(ImportError::NotTaken(no_map(&outputs)));
    }
    if score.is_none() {
        found_out.push("the score is the largest value of the map".to_owned());
    }
    Ok(Understood { takes, normalise, outputs, map, score, found_out, engine: session.name() })
}

/// A map that is made of a reconstruction or of latents.
fn made_map(outputs: &[Output], asked: &Asked, found_out: &mut Vec<String>) -> Result<Option<MapOf>, ImportError> {
    if !asked.latents.is_empty() {
        let number = |name: &String| {
            let fits = |o: &Output| o.port.name == *name && o.role == Role::Features && o.shape.len() == 4;
            let found = outputs.iter().position(fits);
            found.ok_or_else(|| {
                let why = no_map(outputs);
                ImportError::Ask(format!("--latents {name}: no output of this name with planes of values; {why}"))
            })
        };
        let all: Vec<usize> = asked.latents.iter().map(number).collect::<Result<_, _>>()?;
        found_out.push("the map is how unlikely the latents are: 1 - mean of exp(-mean(z^2) / 2)".to_owned());
        return Ok(Some(MapOf::Latents(all)));
    }
    let mut pictures = outputs.iter().enumerate().filter(|(_, o)| o.role == Role::Picture);
    Ok(match (pictures.next(), pictures.next()) {
        (Some((number, output)), None) => {
            found_out.push(format!(
                "`{}` is a reconstruction of the picture, by its shape {:?}; the map is the squared difference from what the network is given",
                output.port.name, output.shape
            ));
            Some(MapOf::Reconstruction(number))
        }
        _ => None,
    })
}

fn no_map(outputs: &[Output]) -> String {
    let words =
        outputs.iter().map(|o| format!("`{}` is {}", o.port.name, o.role.words())).collect::<Vec<_>>().join(", ");
    let more = match outputs.iter().map(|o| o.role).find(|role| matches!(role, Role::Features | Role::Picture)) {
        Some(Role::Features) => {
            "; if they are features, `andon fit --backbone FILE --layers NAME,… --normalise …` learns from them; if they are latents of a flow, say --latents NAME,…"
        }
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
    let colours_last = match port.sides.as_slice() {
        [_, Some(3), ..] if port.sides.len() == 4 => false,
        [_, _, _, Some(3)] => true,
        [_, None, ..] if port.sides.len() == 4 => false,
        _ => return Err(refused("; networks for grey pictures and for clips are not taken")),
    };
    if !matches!(port.kind, Kind::Float | Kind::Half | Kind::Byte) {
        return Err(refused(", as f32, f16 or u8"));
    }
    let (rows, columns) = if colours_last { (port.sides[1], port.sides[2]) } else { (port.sides[2], port.sides[3]) };
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
    let takes = Takes { port: port.clone(), size, colours_last, bgr: asked.bgr, arithmetic: Arithmetic::NONE };
    found_out.push(layout(&takes.port, colours_last, takes.batch()));
    Ok(takes)
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

fn layout(port: &Port, colours_last: bool, batch: usize) -> String {
    let order = if colours_last { "rows, columns, colours" } else { "colours, rows, columns" };
    match batch {
        1 => format!("`{}` takes {order} as {}", port.name, port.kind),
        n => format!(
            "`{}` takes {order} as {}, {n} pictures at a time: the one is given {n} times",
            port.name, port.kind
        ),
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
                "--normalise {}: the network normalises by itself; doing it twice would be wrong: --normalise unit",
                normalise.as_str()
            )));
        }
        (Some(normalise), _) => return Ok(normalise),
        (None, Kind::Byte) => (Normalise::Bytes, "it takes bytes"),
        (None, _) if inside => (Normalise::Unit, "ImageNet's mean and deviation are applied inside the network"),
        (None, _) if is_anomalib(graph) => {
            (Normalise::Unit, "its outputs are those of a whole anomalib export, which normalises by itself")
        }
        (None, _) => {
            let all = Normalise::ALL.map(Normalise::as_str).join(", ");
            return Err(ImportError::Ask(format!(
                "how pictures are normalised is not to be seen in the file: say --normalise ({all}), as it was trained"
            )));
        }
    };
    found_out.push(format!("pictures are given as `{}`: {why}", normalise.as_str()));
    Ok(normalise)
}
