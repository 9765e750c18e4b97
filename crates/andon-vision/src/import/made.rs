//! Maps that are made of other outputs: of a reconstruction of the picture, of two sets of features, of the latents of a flow.

use super::outputs::{Output, Role};
use super::understand::no_map;
use super::{Asked, ImportError, MapOf};
use crate::model::graph::{Arithmetic, Distance, Takes};

/// The map that was asked for, or that the one reconstruction makes; none if there is nothing of the kind.
///
/// # Errors
/// [`ImportError::Ask`]: names that do not fit, or an output that could be two things.
pub(super) fn map(
    outputs: &[Output],
    asked: &Asked,
    takes: &Takes,
    found_out: &mut Vec<String>,
) -> Result<Option<MapOf>, ImportError> {
    let said = [!asked.latents.is_empty(), !asked.pair.is_empty(), asked.reconstruction.is_some(), asked.map.is_some()];
    if said.into_iter().filter(|said| *said).count() > 1 {
        return Err(ask("--map, --reconstruction, --pair and --latents each say what the map is; take one of them"));
    }
    if !asked.log_det.is_empty() && asked.latents.is_empty() {
        return Err(ask("--log-det is about the latents of a flow; name these with --latents"));
    }
    let made = if !asked.latents.is_empty() {
        Some(latents(outputs, asked, found_out)?)
    } else if !asked.pair.is_empty() {
        Some(pair(outputs, asked, found_out)?)
    } else {
        reconstruction(outputs, asked, takes, found_out)?
    };
    if asked.distance.is_some() && !matches!(made, Some(MapOf::Reconstruction(..) | MapOf::Pair(..))) {
        return Err(ask(
            "--distance is about a reconstruction or a pair; say which outputs with --reconstruction or --pair",
        ));
    }
    Ok(made)
}

fn ask(why: impl Into<String>) -> ImportError {
    ImportError::Ask(why.into())
}

/// The number of the output of this name, if it is of the kind that is wanted.
fn named(outputs: &[Output], flag: &str, name: &str, fits: impl Fn(&Output) -> bool) -> Result<usize, ImportError> {
    let found = outputs.iter().position(|output| output.port.name == name && fits(output));
    found
        .ok_or_else(|| ask(format!("{flag} {name}: no output of this name with planes of values; {}", no_map(outputs))))
}

fn planes(output: &Output) -> bool {
    output.shape.len() == 4 && !matches!(output.role, Role::Label | Role::Score { .. })
}

fn latents(outputs: &[Output], asked: &Asked, found_out: &mut Vec<String>) -> Result<MapOf, ImportError> {
    if !asked.log_det.is_empty() && asked.log_det.len() != asked.latents.len() {
        let (these, those) = (asked.log_det.len(), asked.latents.len());
        return Err(ask(format!(
            "--log-det names {these} outputs for {those} latents; name one for each, in their order"
        )));
    }
    let mut all = Vec::new();
    for (number, name) in asked.latents.iter().enumerate() {
        let latent = named(outputs, "--latents", name, planes)?;
        let [rows, columns] = [2, 3].map(|axis| outputs[latent].shape[axis]);
        let log_det = asked.log_det.get(number).map(|name| {
            let fits = |output: &Output| match output.role {
                Role::Score { channel } => channel.is_none(),
                Role::Map { size, channel } => size == [rows, columns] && channel.is_none(),
                _ => false,
            };
            let found = outputs.iter().position(|output| output.port.name == *name && fits(output));
            found.ok_or_else(|| {
                ask(format!(
                    "--log-det {name}: no output of this name with one number, or one for each of {columns}x{rows} places; {}",
                    no_map(outputs)
                ))
            })
        });
        all.push((latent, log_det.transpose()?));
    }
    found_out.push(
        match asked.log_det.is_empty() {
            true => "the map is how unlikely the latents are: 1 - mean of exp(-mean(z^2) / 2)",
            false => "the map is how unlikely the latents are: mean of mean(z^2) / 2 - log-determinant / channels",
        }
        .to_owned(),
    );
    Ok(MapOf::Latents(all))
}

fn pair(outputs: &[Output], asked: &Asked, found_out: &mut Vec<String>) -> Result<MapOf, ImportError> {
    let [a, b] = asked.pair.as_slice() else {
        return Err(ask("--pair names two outputs, as in --pair features,reconstructed"));
    };
    let distance = asked.distance.unwrap_or(Distance::Cosine);
    if distance.of_pictures() {
        return Err(ask(format!(
            "--distance {} is of pictures; a pair of outputs has squared or cosine",
            distance.as_str()
        )));
    }
    let both = [named(outputs, "--pair", a, planes)?, named(outputs, "--pair", b, planes)?];
    let [first, second] = both.map(|number| &outputs[number].shape);
    if first != second {
        return Err(ask(format!(
            "--pair {a},{b}: they have the shapes {first:?} and {second:?}, which have to be one"
        )));
    }
    found_out.push(format!("the map is what `{a}` and `{b}` differ by: {}", words(distance)));
    Ok(MapOf::Pair(both, distance))
}

fn reconstruction(
    outputs: &[Output],
    asked: &Asked,
    takes: &Takes,
    found_out: &mut Vec<String>,
) -> Result<Option<MapOf>, ImportError> {
    let picture = [takes.size[1], takes.size[0]];
    let as_large = |output: &Output| match output.role {
        Role::Picture => !takes.grey,
        Role::Map { size, channel } => takes.grey && size == picture && channel.is_none(),
        _ => false,
    };
    let number = match &asked.reconstruction {
        Some(name) => {
            let found = outputs.iter().position(|output| output.port.name == *name && as_large(output));
            Some(found.ok_or_else(|| {
                ask(format!(
                    "--reconstruction {name}: no output of this name as large as the picture; {}",
                    no_map(outputs)
                ))
            })?)
        }
        None => alone(outputs, asked, takes, &as_large)?,
    };
    let Some(number) = number else {
        return match asked.reconstructs {
            Some(_) => {
                Err(ask("--reconstructs is about a reconstruction; say which output is one with --reconstruction"))
            }
            None => Ok(None),
        };
    };
    let distance = asked.distance.unwrap_or_default();
    let Output { port, shape, bounds, .. } = &outputs[number];
    if let Some([low, high]) = bounds.filter(|_| asked.reconstructs.is_none()) {
        let Arithmetic { divide, less, over } = takes.arithmetic;
        let at = |value: f32| (0..3).map(move |c| (value / divide - less[c]) / over[c]);
        let (least, most) = (at(0.0).fold(f32::INFINITY, f32::min), at(255.0).fold(f32::NEG_INFINITY, f32::max));
        let near = |a: f32, b: f32| (a - b).abs() <= 0.25 * (high - low);
        if !near(least, low) || !near(most, high) {
            return Err(ask(format!(
                "`{name}` lies in {low}..{high}, as its end says, and the network is given {least:.1} to {most:.1}: say in which numbers the reconstruction is, --reconstructs {how}",
                name = port.name,
                how = if low < 0.0 { "0.5/0.5 (-1..1)" } else { "unit (0..1)" }
            )));
        }
    }
    let than = match asked.reconstructs {
        Some(how) => format!("the picture, as `{how}`"),
        None => "what the network is given".to_owned(),
    };
    found_out.push(format!(
        "`{}` is a reconstruction of the picture, by its shape {shape:?}; the map is how it differs from {than}: {}",
        port.name,
        words(distance)
    ));
    Ok(Some(MapOf::Reconstruction(number, distance, asked.reconstructs)))
}

/// The output that is a reconstruction although nobody said so. A grey one looks like a map: its name has to say what it is.
fn alone(
    outputs: &[Output],
    asked: &Asked,
    takes: &Takes,
    as_large: &dyn Fn(&Output) -> bool,
) -> Result<Option<usize>, ImportError> {
    let says = |output: &Output, words: &[&str]| {
        let name = output.port.name.to_lowercase();
        words.iter().any(|word| name.contains(word))
    };
    let map = |output: &Output| matches!(output.role, Role::Map { .. });
    let mut candidates: Vec<usize> = (0..outputs.len()).filter(|i| as_large(&outputs[*i])).collect();
    if takes.grey {
        if asked.map.is_some() {
            return Ok(None);
        }
        let a_map = ["map", "mask", "anom", "score", "prob", "seg", "heat"];
        let a_picture = ["recon", "x_hat", "xhat", "decode", "restore", "restoration", "rebuilt"];
        let smaller = outputs.iter().any(|output| map(output) && !as_large(output));
        let silent = |i: &usize| !says(&outputs[*i], &a_map) && !says(&outputs[*i], &a_picture);
        if let Some(i) = candidates.iter().find(|i| silent(i)).filter(|_| !smaller && candidates.len() == 1) {
            let name = &outputs[*i].port.name;
            return Err(ask(format!(
                "`{name}` is as large as the grey picture: is it the anomaly map (--map {name}) or a reconstruction (--reconstruction {name})?"
            )));
        }
        candidates.retain(|i| says(&outputs[*i], &a_picture));
    }
    // A map of the network's own is what it was made for.
    let other = outputs.iter().enumerate().any(|(i, output)| map(output) && !candidates.contains(&i));
    let a_difference = ["resid", "diff", "err"];
    if let [only] = candidates.as_slice() {
        let output = &outputs[*only];
        if !other && says(output, &a_difference) {
            let name = &output.port.name;
            return Err(ask(format!(
                "`{name}` is as large as the picture: is it a reconstruction of it (--reconstruction {name}), or already the difference, by its name? Then export the network with one plane of it"
            )));
        }
    }
    Ok(match candidates.as_slice() {
        [only] if asked.distance.is_some() || !other => Some(*only),
        _ => None,
    })
}

fn words(distance: Distance) -> &'static str {
    match distance {
        Distance::Squared => "the squared difference",
        Distance::Ssim => "1 - structural similarity",
        Distance::Gradients => "1 - similarity of gradients at several sizes",
        Distance::Cosine => "1 - cosine",
    }
}
