//! What each output is, by what it gave for a picture; names only decide between equals.

use crate::model::graph::{Kind, Port};

/// An output of a network, with what was seen of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// As the file has it.
    pub port: Port,
    /// The value that is taken for it: itself, or what a post-processor made it of.
    pub value: String,
    /// The shape that it had for one run.
    pub shape: Vec<usize>,
    /// What it is.
    pub role: Role,
}

/// What an output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// One number a picture.
    Score,
    /// A plane of numbers: rows and columns, and which channel of two.
    Map {
        /// Rows and columns.
        size: [usize; 2],
        /// The second of two that add up to 1.
        channel: Option<usize>,
    },
    /// A picture of three colours, as large as the input: a reconstruction.
    Picture,
    /// Planes of many values: features or latents.
    Features,
    /// Yes or no, or a number of a kind.
    Label,
    /// Something else.
    Other,
}

impl Role {
    /// For people.
    pub fn words(self) -> String {
        match self {
            Role::Score => "a score".to_owned(),
            Role::Map { size: [rows, columns], channel: None } => format!("a map of {columns}x{rows}"),
            Role::Map { size: [rows, columns], channel: Some(c) } => {
                format!("a map of {columns}x{rows}: channel {c} of 2")
            }
            Role::Picture => "a reconstruction".to_owned(),
            Role::Features => "features".to_owned(),
            Role::Label => "a label or mask".to_owned(),
            Role::Other => "neither map nor score".to_owned(),
        }
    }
}

/// What an output of this type is that gave this for `batch` pictures of `picture` rows and columns.
pub(super) fn role(kind: Kind, shape: &[usize], values: &[f32], batch: usize, picture: [usize; 2]) -> Role {
    if !matches!(kind, Kind::Float | Kind::Half | Kind::Other(11)) {
        return Role::Label;
    }
    let count: usize = shape.iter().product();
    if count == batch && batch > 0 {
        return Role::Score;
    }
    let alone = |n: usize| n == batch || n == 1;
    match *shape {
        [n, rows, columns] if alone(n) && rows > 1 && columns > 1 && square(rows, columns, picture) => {
            Role::Map { size: [rows, columns], channel: None }
        }
        [n, 1, rows, columns] if alone(n) => Role::Map { size: [rows, columns], channel: None },
        [n, 2, rows, columns] if alone(n) && sums_to_one(values, rows * columns) => {
            Role::Map { size: [rows, columns], channel: Some(1) }
        }
        [n, 3, rows, columns] if alone(n) && [rows, columns] == picture => Role::Picture,
        [n, channels, ..] if alone(n) && channels > 2 && shape.len() >= 3 => Role::Features,
        _ => Role::Other,
    }
}

/// Whether rows and columns are in the proportion of the picture, so that they are a plane and no tokens of a transformer.
fn square(rows: usize, columns: usize, [height, width]: [usize; 2]) -> bool {
    (rows * width).abs_diff(columns * height) <= width.max(height)
}

/// Whether two channels are shares of one whole everywhere.
fn sums_to_one(values: &[f32], plane: usize) -> bool {
    let (first, second) = values.split_at(plane.min(values.len()));
    !second.is_empty() && first.iter().zip(second).all(|(a, b)| (a + b - 1.0).abs() < 1e-3)
}

/// The one of several that is meant: the one that was named, the only one, or the only one whose name says it.
///
/// # Errors
/// What to ask.
pub(super) fn choose(
    outputs: &[Output],
    named: Option<&str>,
    flag: &str,
    fits: impl Fn(Role) -> bool,
    words: &[&str],
) -> Result<Option<usize>, String> {
    let names = |numbers: &[usize]| {
        numbers
            .iter()
            .map(|i| format!("`{}` ({})", outputs[*i].port.name, outputs[*i].role.words()))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let all: Vec<usize> = (0..outputs.len()).collect();
    if let Some(name) = named {
        let found = all.iter().copied().find(|i| outputs[*i].port.name == name);
        let found = found.ok_or_else(|| format!("{flag} {name}: no output of this name; it has {}", names(&all)))?;
        return match fits(outputs[found].role) {
            true => Ok(Some(found)),
            false => {
                Err(format!("{flag} {name}: it is {}; the outputs are {}", outputs[found].role.words(), names(&all)))
            }
        };
    }
    let fitting: Vec<usize> = all.into_iter().filter(|i| fits(outputs[*i].role)).collect();
    let said = |i: &usize| words.iter().any(|word| outputs[*i].port.name.to_lowercase().contains(word));
    let speaking: Vec<usize> = fitting.iter().copied().filter(said).collect();
    match (fitting.as_slice(), speaking.as_slice()) {
        ([], _) => Ok(None),
        ([only], _) | (_, [only]) => Ok(Some(*only)),
        (several, _) => Err(format!("several outputs could be meant: {}; say which with {flag} NAME", names(several))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_known_by_what_they_give() {
        let half: Vec<f32> = (0..128).map(|i| if i < 64 { 0.25 } else { 0.75 }).collect();
        for (kind, shape, batch, want) in [
            (Kind::Float, &[1, 1, 8, 8][..], 1, Role::Map { size: [8, 8], channel: None }),
            (Kind::Half, &[1, 8, 8], 1, Role::Map { size: [8, 8], channel: None }),
            (Kind::Float, &[4, 1, 8, 8], 4, Role::Map { size: [8, 8], channel: None }),
            (Kind::Float, &[1, 2, 8, 8], 1, Role::Map { size: [8, 8], channel: Some(1) }),
            (Kind::Float, &[1, 3, 64, 64], 1, Role::Picture),
            (Kind::Float, &[1, 3, 8, 8], 1, Role::Features),
            (Kind::Float, &[1, 197, 384], 1, Role::Features),
            (Kind::Float, &[1], 1, Role::Score),
            (Kind::Float, &[], 1, Role::Score),
            (Kind::Float, &[2, 1], 2, Role::Score),
            (Kind::Float, &[1, 2], 1, Role::Other),
            (Kind::Other(9), &[1, 1, 8, 8], 1, Role::Label),
            (Kind::Other(7), &[1], 1, Role::Label),
        ] {
            assert_eq!(role(kind, shape, &half, batch, [64, 64]), want, "{shape:?}");
        }
    }

    #[test]
    fn names_decide_only_between_equals() {
        let output = |name: &str, role| Output {
            port: Port { name: name.to_owned(), kind: Kind::Float, sides: Vec::new() },
            value: name.to_owned(),
            shape: Vec::new(),
            role,
        };
        let map = Role::Map { size: [8, 8], channel: None };
        let fits = |role| matches!(role, Role::Map { .. });
        let lying = [output("anomaly_map", Role::Picture), output("score", map)];
        assert_eq!(choose(&lying, None, "--map", fits, &["map"]), Ok(Some(1)));
        let two = [output("map_a", map), output("b", map)];
        assert_eq!(choose(&two, None, "--map", fits, &["map"]), Ok(Some(0)));
        assert_eq!(choose(&two, Some("b"), "--map", fits, &["map"]), Ok(Some(1)));
        let alike = [output("a", map), output("b", map)];
        assert!(choose(&alike, None, "--map", fits, &["map"]).unwrap_err().contains("say which with --map NAME"));
        assert!(
            choose(&lying, Some("anomaly_map"), "--map", fits, &[]).unwrap_err().contains("it is a reconstruction")
        );
        assert!(choose(&lying, Some("c"), "--map", fits, &[]).unwrap_err().contains("no output of this name"));
    }
}
