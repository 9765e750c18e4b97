//! Weighs a file's bytes before a record is made of them: two bytes can ask for one of hundreds, and graphs can lie in one another without end.

/// Graphs in graphs at most; exporters come to two.
const DEEPEST: usize = 16;
/// Bytes that records may come to, beside three times the file's length: a network of fifty thousand nodes is below.
const ROOM: u64 = 128 << 20;

/// Messages of the format whose parts are looked at.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    Value,
    Function,
    /// Bytes, text or numbers.
    Leaf,
}

impl Kind {
    /// What the field of this number is.
    fn of(self, field: u64) -> Kind {
        match (self, field) {
            (Kind::Model, 7) | (Kind::Attribute, 6 | 11) => Kind::Graph,
            (Kind::Model, 25) => Kind::Function,
            (Kind::Graph, 1) | (Kind::Function, 7) => Kind::Node,
            (Kind::Graph, 5) | (Kind::Attribute, 5 | 10) => Kind::Tensor,
            (Kind::Graph, 11..=13) | (Kind::Function, 12) => Kind::Value,
            (Kind::Node, 5) | (Kind::Function, 11) => Kind::Attribute,
            _ => Kind::Leaf,
        }
    }

    /// Bytes that a record of it takes in memory, about, beside what is in it.
    fn weight(self) -> u64 {
        match self {
            Kind::Attribute => 448,
            Kind::Tensor => 384,
            Kind::Node | Kind::Graph | Kind::Function | Kind::Model => 256,
            Kind::Value => 224,
            Kind::Leaf => 48,
        }
    }
}

/// Weighs a file.
///
/// # Errors
/// It would need far more memory than it is long, its graphs lie too deep in one another, or it holds what the format does not have. What is cut short is left to the decoder.
pub(super) fn weigh(bytes: &[u8]) -> Result<(), String> {
    let mut room = ROOM + 3 * bytes.len() as u64;
    within(bytes, Kind::Model, 0, &mut room)
}

fn within(mut rest: &[u8], kind: Kind, depth: usize, room: &mut u64) -> Result<(), String> {
    if depth > DEEPEST {
        return Err(format!("its graphs lie in one another more than {DEEPEST} deep"));
    }
    while let Some(key) = varint(&mut rest) {
        let mut take = |weight: u64| -> Result<(), String> {
            let left = room.checked_sub(weight);
            *room = left.ok_or(
                "it is made of so many small records that it would need far more memory than it is long; no network is like that",
            )?;
            Ok(())
        };
        match key & 7 {
            0 => {
                if varint(&mut rest).is_none() {
                    return Ok(());
                }
                take(8)?;
            }
            1 | 5 => {
                let length = if key & 7 == 1 { 8 } else { 4 };
                let Some(after) = rest.get(length..) else { return Ok(()) };
                rest = after;
                take(8)?;
            }
            2 => {
                let length = varint(&mut rest).and_then(|length| usize::try_from(length).ok());
                let Some((inner, after)) = length.and_then(|length| rest.split_at_checked(length)) else {
                    return Ok(());
                };
                rest = after;
                let part = kind.of(key >> 3);
                // Whole numbers in a row become eight bytes each; other bytes are counted by the file's length.
                let packed = if kind == Kind::Tensor && matches!(key >> 3, 1 | 5 | 7 | 11) { 8 } else { 0 };
                take(part.weight() + packed * inner.len() as u64)?;
                if part != Kind::Leaf {
                    within(inner, part, depth + usize::from(part == Kind::Graph && kind == Kind::Attribute), room)?;
                }
            }
            _ => {
                return Err(
                    "it is no ONNX file, or damaged: it holds groups, which the format does not have".to_owned()
                );
            }
        }
    }
    Ok(())
}

/// The number that stands first, taken off; none at the end, or if it is none.
fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for (i, byte) in rest.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * i as u32).unwrap_or(0);
        if byte & 0x80 == 0 {
            *rest = &rest[i + 1..];
            return Some(value);
        }
    }
    None
}
