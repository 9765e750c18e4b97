//! What each output is, by what it gave for a picture; names only decide between equals.

use crate::model::engine::token_grid;
use crate::model::graph::{Channel, Kind, Port};

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
    /// What it is if that is said by name: whole numbers may be values, tokens of features may be a map.
    pub named: Option<Role>,
    /// The same for two pictures that have nothing in common.
    pub fixed: bool,
    /// Of another shape for another picture.
    pub varies: bool,
    /// Between which numbers it lies, if the network's end says it.
    pub bounds: Option<[f32; 2]>,
}

/// What an output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// One number a picture.
    Score {
        /// The second of two that add up to 1.
        channel: Option<Channel>,
    },
    /// A plane of numbers: rows and columns, and which channel of two.
    Map {
        /// Rows and columns.
        size: [usize; 2],
        /// The second of two that add up to 1.
        channel: Option<Channel>,
    },
    /// Two planes of numbers that are no shares of a whole: logits of two classes, if it is said that they are the map.
    Logits {
        /// Rows and columns.
        size: [usize; 2],
        /// The second, less the first.
        channel: Channel,
    },
    /// A picture of as many colours as the input's and as large: a reconstruction.
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
            Role::Score { channel: None } => "a score".to_owned(),
            Role::Score { channel: Some(c) } => format!("a score: channel {} of 2", c.index),
            Role::Map { size: [rows, columns], channel: None } => format!("a map of {columns}x{rows}"),
            Role::Map { size: [rows, columns], channel: Some(c) } => {
                format!("a map of {columns}x{rows}: channel {} of 2", c.index)
            }
            Role::Logits { size: [1, 1], .. } => "two values, which add up to nothing".to_owned(),
            Role::Logits { size: [rows, columns], .. } => {
                format!("two values for each of {columns}x{rows} places, which add up to nothing")
            }
            Role::Picture => "a reconstruction".to_owned(),
            Role::Features => "features".to_owned(),
            Role::Label => "a label or mask".to_owned(),
            Role::Other => "neither map nor score".to_owned(),
        }
    }
}

/// What an output is that gave this for `batch` pictures of `picture` rows and columns, and what it is if it is named.
pub(super) fn roles(
    port: &Port,
    shape: &[usize],
    values: &[f32],
    batch: usize,
    picture: [usize; 2],
) -> (Role, Option<Role>) {
    let half = matches!(port.kind, Kind::Half | Kind::Other(BFLOAT16));
    let is = role(half, shape, values, batch, picture);
    if !matches!(port.kind, Kind::Float | Kind::Half | Kind::Other(DOUBLE | BFLOAT16)) {
        return (Role::Label, Some(is).filter(|role| matches!(role, Role::Map { .. } | Role::Score { .. })));
    }
    let name = port.name.to_lowercase();
    let says = ["map", "anom", "heat", "mask", "seg", "score"].iter().any(|word| name.contains(word));
    match (shape, is) {
        // As many rows as a transformer has patches: what they are is not to be seen.
        ([_, rows, columns], Role::Map { size, .. })
            if size != picture && !says && *columns >= 16 && token_grid(*rows, [picture[1], picture[0]]).is_some() =>
        {
            (Role::Features, Some(is))
        }
        _ => (is, None),
    }
}

/// ONNX's numbers for two more types of fractions.
const DOUBLE: i32 = 11;
const BFLOAT16: i32 = 16;

/// What numbers of this shape are.
fn role(half: bool, shape: &[usize], values: &[f32], batch: usize, picture: [usize; 2]) -> Role {
    let sums_to_one =
        |values: &[f32], shape: &[usize], axis| sums_to_one(values, shape, axis, if half { 8e-3 } else { 1e-3 });
    let count: usize = shape.iter().product();
    if count == batch && batch > 0 {
        return Role::Score { channel: None };
    }
    let of_two = |axis: usize| Some(Channel { axis, index: 1, less: None });
    let logits = |axis, rows, columns| Role::Logits {
        size: [rows, columns],
        channel: Channel { axis, index: 1, less: Some(0) },
    };
    let alone = |n: usize| n == batch || n == 1;
    let plane = |rows: usize, columns: usize| rows > 1 && columns > 1 && in_proportion(rows, columns, picture);
    let map = |rows, columns, channel| Role::Map { size: [rows, columns], channel };
    match *shape {
        [n, 2] if alone(n) && sums_to_one(values, shape, 1) => Role::Score { channel: of_two(1) },
        [n, 2] if alone(n) => logits(1, 1, 1),
        [rows, columns] if plane(rows, columns) => map(rows, columns, None),
        [n, rows, columns] if alone(n) && plane(rows, columns) => map(rows, columns, None),
        [rows, columns, 1] if plane(rows, columns) => map(rows, columns, None),
        [2, rows, columns] if sums_to_one(values, shape, 0) => map(rows, columns, of_two(0)),
        [rows, columns, 2] if plane(rows, columns) && sums_to_one(values, shape, 2) => map(rows, columns, of_two(2)),
        [3, rows, columns] | [rows, columns, 3] if [rows, columns] == picture => Role::Picture,
        [n, 1, rows, columns] if alone(n) => map(rows, columns, None),
        [n, rows, columns, 1] if alone(n) && plane(rows, columns) => map(rows, columns, None),
        [n, 2, rows, columns] if alone(n) && sums_to_one(values, shape, 1) => map(rows, columns, of_two(1)),
        [n, rows, columns, 2] if alone(n) && sums_to_one(values, shape, 3) => map(rows, columns, of_two(3)),
        [n, 2, rows, columns] if alone(n) && plane(rows, columns) => logits(1, rows, columns),
        [n, rows, columns, 2] if alone(n) && plane(rows, columns) => logits(3, rows, columns),
        [n, 3, rows, columns] | [n, rows, columns, 3] if alone(n) && [rows, columns] == picture => Role::Picture,
        [n, channels, ..] if alone(n) && channels > 2 && shape.len() >= 3 => Role::Features,
        _ => Role::Other,
    }
}

/// Whether rows and columns are in the proportion of the picture, so that they are a plane and no tokens of a transformer.
fn in_proportion(rows: usize, columns: usize, [height, width]: [usize; 2]) -> bool {
    (rows * width).abs_diff(columns * height) <= width.max(height)
}

/// Whether two channels, along this axis, are shares of one whole everywhere.
fn sums_to_one(values: &[f32], shape: &[usize], axis: usize, within: f32) -> bool {
    let inner: usize = shape[axis + 1..].iter().product();
    let mut pairs = values.chunks_exact((2 * inner).max(1)).map(|both| both.split_at(inner));
    !values.is_empty() && pairs.all(|(a, b)| a.iter().zip(b).all(|(a, b)| (a + b - 1.0).abs() < within))
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
        let second = |axis| Some(Channel { axis, index: 1, less: None });
        let logits = Channel { axis: 1, index: 1, less: Some(0) };
        for (kind, shape, batch, want) in [
            (Kind::Float, &[1, 1, 8, 8][..], 1, Role::Map { size: [8, 8], channel: None }),
            (Kind::Half, &[1, 8, 8], 1, Role::Map { size: [8, 8], channel: None }),
            (Kind::Float, &[4, 1, 8, 8], 4, Role::Map { size: [8, 8], channel: None }),
            (Kind::Float, &[1, 2, 8, 8], 1, Role::Map { size: [8, 8], channel: second(1) }),
            (Kind::Float, &[1, 2, 4, 4], 1, Role::Logits { size: [4, 4], channel: logits }),
            (Kind::Float, &[1, 8, 8, 1], 1, Role::Map { size: [8, 8], channel: None }),
            (Kind::Float, &[8, 8], 1, Role::Map { size: [8, 8], channel: None }),
            (Kind::Float, &[8, 8, 1], 1, Role::Map { size: [8, 8], channel: None }),
            (Kind::Float, &[2, 8, 8], 1, Role::Map { size: [8, 8], channel: second(0) }),
            (Kind::Float, &[1, 64, 64, 3], 1, Role::Picture),
            (Kind::Float, &[3, 64, 64], 1, Role::Picture),
            (Kind::Float, &[1, 3, 64, 64], 1, Role::Picture),
            (Kind::Float, &[1, 3, 8, 8], 1, Role::Features),
            (Kind::Float, &[1, 197, 384], 1, Role::Features),
            (Kind::Float, &[1], 1, Role::Score { channel: None }),
            (Kind::Float, &[], 1, Role::Score { channel: None }),
            (Kind::Float, &[2, 1], 2, Role::Score { channel: None }),
            (Kind::Float, &[1, 2], 1, Role::Logits { size: [1, 1], channel: logits }),
            (Kind::Other(9), &[1, 1, 8, 8], 1, Role::Label),
            (Kind::Other(7), &[1], 1, Role::Label),
            (Kind::Other(16), &[1, 1, 8, 8], 1, Role::Map { size: [8, 8], channel: None }),
        ] {
            let port = Port { name: "y".to_owned(), kind, sides: Vec::new() };
            assert_eq!(roles(&port, shape, &half, batch, [64, 64]).0, want, "{shape:?}");
        }
    }

    #[test]
    fn whole_numbers_and_what_may_be_tokens_are_maps_if_they_are_named() {
        let of = |name: &str, kind, shape: &[usize]| {
            let port = Port { name: name.to_owned(), kind, sides: Vec::new() };
            roles(&port, shape, &[0.0; 16], 1, [512, 512])
        };
        let map = |side| Role::Map { size: [side, side], channel: None };
        assert_eq!(of("y", Kind::Byte, &[1, 1, 8, 8]), (Role::Label, Some(map(8))));
        assert_eq!(of("y", Kind::Other(7), &[1]), (Role::Label, Some(Role::Score { channel: None })));
        // 64 tokens of 64 values, or a map of 64x64.
        assert_eq!(of("y", Kind::Float, &[1, 64, 64]), (Role::Features, Some(map(64))));
        assert_eq!(of("anomaly_map", Kind::Float, &[1, 64, 64]), (map(64), None));
        assert_eq!(of("y", Kind::Float, &[1, 512, 512]), (map(512), None));
    }

    #[test]
    fn names_decide_only_between_equals() {
        let output = |name: &str, role| Output {
            port: Port { name: name.to_owned(), kind: Kind::Float, sides: Vec::new() },
            value: name.to_owned(),
            shape: Vec::new(),
            role,
            named: None,
            fixed: false,
            varies: false,
            bounds: None,
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
