//! How a network takes pictures: from its file, and from what was said.

use super::{Asked, ImportError, Normalise};
use crate::model::graph::{Arithmetic, Inside, Kind, OnnxGraph, Port, Range, Takes};

/// How a network takes pictures.
///
/// # Errors
/// [`ImportError`]: not one picture of three colours, or of no size that is known.
pub fn takes(graph: &OnnxGraph, asked: &Asked) -> Result<Takes, ImportError> {
    takes_of(graph, asked, &mut Vec::new())
}

pub(super) fn takes_of(graph: &OnnxGraph, asked: &Asked, found_out: &mut Vec<String>) -> Result<Takes, ImportError> {
    let all = graph.takes();
    let refused = |more| ImportError::Inputs { takes: all.clone(), more };
    let [port] = all.as_slice() else {
        return Err(refused(match all.len() {
            0 => "",
            _ => "; constant inputs beside it (text or position embeddings) are given with --input NAME=FILE.npy",
        }));
    };
    let mut port = port.clone();
    if port.sides.is_empty() && graph.channels_taken(&port.name).is_some() {
        // The file does not say how many sides it has; a convolution takes four.
        port.sides = vec![None; 4];
    }
    let Some((grey, colours_last)) = channels(graph, &port, asked)? else {
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
    let mut bgr = asked.bgr;
    match graph.normalises_inside(&port.name) {
        Some(Inside { bgr: true, of, .. }) if !bgr => {
            found_out.push(format!("blue comes first: it normalises by the numbers of {of} in that order"));
            bgr = true;
        }
        Some(Inside { bgr: false, of, .. }) if bgr => {
            return Err(ImportError::Ask(format!(
                "--colour bgr: the network normalises by the numbers of {of} with red first; leave --colour out"
            )));
        }
        _ => {}
    }
    let takes = Takes { port, size, colours_last, grey, bgr, arithmetic: Arithmetic::NONE };
    if grey && asked.bgr {
        return Err(ImportError::Ask("--colour bgr: the network takes grey pictures".to_owned()));
    }
    found_out.push(layout(&takes));
    Ok(takes)
}

/// Whether pictures are grey, and whether their channels come last; none if they are no pictures of one or three channels. Where the file leaves the sides open, the
/// weights of the first convolution tell.
fn channels(graph: &OnnxGraph, port: &Port, asked: &Asked) -> Result<Option<(bool, bool)>, ImportError> {
    let by_weights = || match (graph.channels_taken(&port.name), asked.colours_last) {
        (Some((1, last)), said) => Ok(Some((true, said.unwrap_or(last)))),
        (Some((3, last)), said) => Ok(Some((false, said.unwrap_or(last)))),
        (Some(_), _) => Ok(None),
        (None, Some(last)) => Ok(Some((false, last))),
        (None, None) => Err(ImportError::Ask(format!(
            "whether colours come first or last is not to be seen in the file ({port}): say --layout nchw or --layout nhwc"
        ))),
    };
    let known = match port.sides.as_slice() {
        [_, Some(3), _, _] | [Some(3), _, _] => Some((false, false)),
        [_, _, _, Some(3)] | [_, _, Some(3)] => Some((false, true)),
        [_, Some(1), _, _] | [Some(1), _, _] | [_, _] => Some((true, false)),
        [_, _, _, Some(1)] | [_, _, Some(1)] => Some((true, true)),
        // An open side before rows and columns is the number of pictures.
        [None, Some(_), Some(_)] => Some((true, false)),
        [_, None, _, _] | [None, _, _] => return by_weights(),
        _ => None,
    };
    match (known, asked.colours_last) {
        (Some((_, last)), Some(said)) if last != said => {
            Err(ImportError::Ask(format!("--layout: the network takes {port}, which is the other one; leave it out")))
        }
        _ => Ok(known),
    }
}

/// Whether a network is a whole export of `anomalib`: model and post-processor, with what that library puts before the network inside.
fn is_anomalib(graph: &OnnxGraph) -> bool {
    let gives = graph.gives();
    ["pred_score", "pred_label"].iter().all(|name| gives.iter().any(|port| port.name == *name))
        && graph.names_anomalib()
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

/// How pictures are normalised.
///
/// # Errors
/// [`ImportError::Ask`]: it does not show, or what was said cannot be.
pub(super) fn normalise(
    graph: &OnnxGraph,
    asked: &Asked,
    takes: &Takes,
    found_out: &mut Vec<String>,
) -> Result<Normalise, ImportError> {
    let inside = graph.normalises_inside(&takes.port.name);
    let kind = takes.port.kind;
    let fits = |range: Range| match range {
        Range::Unit => Normalise::Unit,
        Range::Bytes => Normalise::Bytes,
        Range::Centred => Normalise::Own { mean: [0.5; 3], deviation: [0.5; 3] },
    };
    if let Some(said) = asked.normalise {
        let twice = matches!(said, Normalise::Imagenet | Normalise::Clip | Normalise::Caffe);
        if let Some(Inside { range, .. }) = inside.filter(|_| twice) {
            return Err(ImportError::Ask(format!(
                "--normalise {said}: the network normalises by itself; doing it twice would be wrong: --normalise {}",
                fits(range)
            )));
        }
        whole_numbers(said, kind)?;
        if let Some(Inside { range, of, .. }) = inside.filter(|inside| fits(inside.range) != said && !kind.is_whole()) {
            found_out.push(format!(
                "pictures are given as `{said}`, as was said, although it normalises by the numbers of {of} inside, which fit `{}`",
                fits(range)
            ));
        }
        return Ok(said);
    }
    let (normalise, why) = match inside {
        _ if kind == Kind::Other(UINT16) => {
            return Err(ImportError::Ask(
                "it takes u16, and whether 0 to 255 or 0 to 65535 is meant is not to be seen in the file: say --normalise bytes or --normalise 0/1.5259022e-5".to_owned(),
            ));
        }
        _ if kind.is_whole() => (Normalise::Bytes, "it takes whole numbers".to_owned()),
        Some(Inside { range, of, .. }) => {
            let divides = if range == Range::Bytes { ", of values of 0 to 255" } else { "" };
            (fits(range), format!("{of}'s mean and deviation are applied inside the network{divides}"))
        }
        None if is_anomalib(graph) => {
            let why = "its outputs are those of a whole anomalib export, which normalises by itself";
            (Normalise::Unit, why.to_owned())
        }
        None => {
            let all = Normalise::ALL.map(Normalise::as_str).join(", ");
            return Err(ImportError::Ask(format!(
                "how pictures are normalised is not to be seen in the file: say --normalise ({all} or MEAN/DEVIATION), as it was trained"
            )));
        }
    };
    found_out.push(format!("pictures are given as `{normalise}`: {why}"));
    Ok(normalise)
}

/// ONNX's number for u16.
const UINT16: i32 = 4;

/// Whether whole numbers can hold what pictures are made.
fn whole_numbers(said: Normalise, kind: Kind) -> Result<(), ImportError> {
    /// Fewer steps than this are no picture any more.
    const STEPS: f32 = 16.0;
    if !kind.is_whole() {
        return Ok(());
    }
    let Arithmetic { divide, less, over } = said.arithmetic();
    let at = |value: f32| (0..3).map(move |c| (value / divide - less[c]) / over[c]);
    let (least, most) = (at(0.0).fold(f32::INFINITY, f32::min), at(255.0).fold(f32::NEG_INFINITY, f32::max));
    let unsigned = matches!(kind, Kind::Byte | Kind::Other(UINT16));
    let held = if kind == Kind::Byte {
        255.5
    } else if unsigned {
        65_536.0
    } else {
        f32::MAX
    };
    if most - least >= STEPS && (least > -0.5 || !unsigned) && most < held {
        return Ok(());
    }
    Err(ImportError::Ask(format!(
        "--normalise {said}: the network takes whole numbers ({kind}), and pictures would become {least:.1} to {most:.1}; --normalise bytes gives 0 to 255"
    )))
}
