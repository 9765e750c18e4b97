//! Tensors of a file that PyTorch wrote, without executing any of it: Python's pickle is read as data, classes and functions are names and are never
//! called. Opcodes: Python's `pickletools`; the layout of the archive: PyTorch's `torch/serialization.py`.

use std::collections::HashMap;
use std::io::{Cursor, Read};

use half::{bf16, f16};

use super::foreign::Found;

/// Objects in a file at most: a network has some hundreds.
const MOST_OBJECTS: usize = 1_000_000;
/// Bytes of one part of the archive at most.
const MOST_BYTES: u64 = 1 << 30;
/// How deep objects may lie in one another.
const DEPTH: usize = 64;

/// What a pickle builds; other objects are named by their number.
#[derive(Clone, Debug)]
enum Object {
    /// Whatever does not matter here.
    Other,
    Whole(i64),
    Text(String),
    /// A class or a function.
    Name(String),
    List(Vec<usize>),
    Pairs(Vec<(usize, usize)>),
    /// What came of calling something: what, with what, and the state that it was given.
    Made {
        what: usize,
        with: usize,
        state: Option<usize>,
        items: Vec<(usize, usize)>,
    },
    /// Values in a file of the archive: their type and the file's name.
    Storage {
        kind: String,
        key: String,
    },
}

/// The tensors of an archive by name, in the order of the file.
///
/// # Errors
/// What is wrong with it.
pub(super) fn tensors(bytes: &[u8]) -> Result<Vec<Found>, String> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|e| e.to_string())?;
    let main = archive.file_names().flatten().find(|name| name.ends_with("/data.pkl")).map(|name| name.into_owned());
    let main = main.ok_or("it is an archive without PyTorch's data.pkl")?;
    let folder = main.trim_end_matches("data.pkl").to_owned();
    let mut read = |name: &str| -> Result<Vec<u8>, String> {
        let file = archive.by_name(name).map_err(|e| format!("{name}: {e}"))?;
        let mut data = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut data).map_err(|e| format!("{name}: {e}"))?;
        Ok(data)
    };
    let pickle = read(&main)?;
    let mut machine = Machine {
        code: &pickle,
        at: 0,
        objects: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    let root = machine.run()?;
    let mut found = Vec::new();
    let mut wanted = Vec::new();
    machine.walk(root, "", 0, &mut wanted);
    for (name, object) in wanted {
        let Some((kind, key, offset, shape)) = machine.tensor(object) else { continue };
        let data = read(&format!("{folder}data/{key}"))?;
        let values = values(&kind, &data, offset, shape.iter().product()).map_err(|why| format!("`{name}`: {why}"))?;
        found.push(Found { name, shape, values });
    }
    Ok(found)
}

fn values(kind: &str, data: &[u8], offset: usize, count: usize) -> Result<Vec<f32>, String> {
    let part = |size: usize| {
        let range = offset.checked_mul(size).zip((offset + count).checked_mul(size));
        range.and_then(|(from, to)| data.get(from..to)).ok_or("its values are not all there")
    };
    Ok(match kind.rsplit('.').next().unwrap_or_default() {
        "FloatStorage" => part(4)?.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        "DoubleStorage" => part(8)?.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
        "HalfStorage" => part(2)?.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
        "BFloat16Storage" => part(2)?.as_chunks::<2>().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect(),
        // Counters and the like: no weights.
        _ => Vec::new(),
    })
}

struct Machine<'a> {
    code: &'a [u8],
    at: usize,
    objects: Vec<Object>,
    stack: Vec<usize>,
    marks: Vec<usize>,
    memo: HashMap<u32, usize>,
}

impl Machine<'_> {
    fn run(&mut self) -> Result<usize, String> {
        loop {
            let op = self.byte()?;
            match op {
                // PROTO, FRAME
                0x80 => drop(self.take(1)?),
                0x95 => drop(self.take(8)?),
                b'.' => return self.pop(),
                b'(' => self.marks.push(self.stack.len()),
                b'}' | 0x8f => self.push(Object::Pairs(Vec::new()))?,
                b']' | b')' => self.push(Object::List(Vec::new()))?,
                // NONE, NEWTRUE, NEWFALSE
                b'N' | 0x88 | 0x89 => self.push(Object::Other)?,
                b'K' => {
                    let value = i64::from(self.byte()?);
                    self.push(Object::Whole(value))?;
                }
                b'M' => {
                    let value = i64::from(u16::from_le_bytes(self.array()?));
                    self.push(Object::Whole(value))?;
                }
                b'J' => {
                    let value = i64::from(i32::from_le_bytes(self.array()?));
                    self.push(Object::Whole(value))?;
                }
                // LONG1
                0x8a => {
                    let length = usize::from(self.byte()?);
                    let bytes = self.take(length)?;
                    let value = bytes.iter().rev().try_fold(0i64, |sum, b| Some(sum.checked_mul(256)? + i64::from(*b)));
                    self.push(value.map_or(Object::Other, Object::Whole))?;
                }
                b'G' => {
                    self.take(8)?;
                    self.push(Object::Other)?;
                }
                // BINUNICODE, SHORT_BINUNICODE, and bytes, which are no names but do no harm as such
                b'X' | b'B' => {
                    let length = u32::from_le_bytes(self.array()?) as usize;
                    self.text(length)?;
                }
                0x8c | b'C' | b'U' => {
                    let length = usize::from(self.byte()?);
                    self.text(length)?;
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.push(Object::Name(format!("{module}.{name}")))?;
                }
                // STACK_GLOBAL
                0x93 => {
                    let (name, module) = (self.pop()?, self.pop()?);
                    let text = |machine: &Self, i: usize| match &machine.objects[i] {
                        Object::Text(text) => text.clone(),
                        _ => String::new(),
                    };
                    let whole = format!("{}.{}", text(self, module), text(self, name));
                    self.push(Object::Name(whole))?;
                }
                b'q' => {
                    let number = u32::from(self.byte()?);
                    self.remember(number)?;
                }
                b'r' => {
                    let number = u32::from_le_bytes(self.array()?);
                    self.remember(number)?;
                }
                // MEMOIZE
                0x94 => {
                    let number = self.memo.len() as u32;
                    self.remember(number)?;
                }
                b'h' => {
                    let number = u32::from(self.byte()?);
                    self.recall(number)?;
                }
                b'j' => {
                    let number = u32::from_le_bytes(self.array()?);
                    self.recall(number)?;
                }
                b't' => {
                    let items = self.since_mark()?;
                    self.push(Object::List(items))?;
                }
                // TUPLE1, TUPLE2, TUPLE3
                0x85..=0x87 => {
                    let from = self.stack.len().checked_sub(usize::from(op - 0x84)).ok_or(CUT)?;
                    let items = self.stack.split_off(from);
                    self.push(Object::List(items))?;
                }
                b'a' => {
                    let item = self.pop()?;
                    self.append(vec![item])?;
                }
                b'e' => {
                    let items = self.since_mark()?;
                    self.append(items)?;
                }
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.set(&[key, value])?;
                }
                b'u' => {
                    let items = self.since_mark()?;
                    self.set(&items)?;
                }
                // REDUCE, NEWOBJ
                b'R' | 0x81 => {
                    let (with, what) = (self.pop()?, self.pop()?);
                    self.push(Object::Made { what, with, state: None, items: Vec::new() })?;
                }
                b'b' => {
                    let given = self.pop()?;
                    let top = *self.stack.last().ok_or(CUT)?;
                    if let Object::Made { state, .. } = &mut self.objects[top] {
                        *state = Some(given);
                    }
                }
                // BINPERSID: ('storage', type, key, where, count)
                b'Q' => {
                    let id = self.pop()?;
                    let storage = self.storage(id).unwrap_or(Object::Other);
                    self.push(storage)?;
                }
                b'0' => drop(self.pop()?),
                other => {
                    return Err(format!(
                        "its pickle has an operation ({other:#04x}) that state dictionaries do not need"
                    ));
                }
            }
        }
    }

    fn storage(&self, id: usize) -> Option<Object> {
        let Object::List(parts) = &self.objects[id] else { return None };
        let (kind, key) = (*parts.get(1)?, *parts.get(2)?);
        match (&self.objects[kind], &self.objects[key]) {
            (Object::Name(kind), Object::Text(key)) => Some(Object::Storage { kind: kind.clone(), key: key.clone() }),
            _ => None,
        }
    }

    /// Type, file, first value and shape of a tensor, if the object is one whose values lie in rows.
    fn tensor(&self, object: usize) -> Option<(String, String, usize, Vec<usize>)> {
        let Object::Made { what, with, .. } = &self.objects[object] else { return None };
        let (Object::Name(what), Object::List(with)) = (&self.objects[*what], &self.objects[*with]) else {
            return None;
        };
        if what == "torch._utils._rebuild_parameter" {
            return self.tensor(*with.first()?);
        }
        if what != "torch._utils._rebuild_tensor_v2" {
            return None;
        }
        let [storage, offset, shape, stride] = [0, 1, 2, 3].map(|i| with.get(i).map(|i| &self.objects[*i]));
        let (Object::Storage { kind, key }, Object::Whole(offset)) = (storage?, offset?) else { return None };
        let (shape, stride) = (self.numbers(shape?)?, self.numbers(stride?)?);
        let mut step = 1;
        for (side, stride) in shape.iter().zip(&stride).rev() {
            if *side > 1 && *stride != step {
                return None;
            }
            step = step.checked_mul(*side)?;
        }
        (step as u64 <= MOST_BYTES).then_some(())?;
        Some((kind.clone(), key.clone(), usize::try_from(*offset).ok()?, shape))
    }

    fn numbers(&self, object: &Object) -> Option<Vec<usize>> {
        let Object::List(items) = object else { return None };
        let number = |i: &usize| match self.objects[*i] {
            Object::Whole(n) => usize::try_from(n).ok(),
            _ => None,
        };
        items.iter().map(number).collect()
    }

    /// Every tensor under an object, with the names on the way to it.
    fn walk(&self, object: usize, path: &str, depth: usize, found: &mut Vec<(String, usize)>) {
        if depth > DEPTH || found.len() > MOST_OBJECTS {
            return;
        }
        if self.tensor(object).is_some() {
            found.push((path.to_owned(), object));
            return;
        }
        let (pairs, others): (&[(usize, usize)], Vec<usize>) = match &self.objects[object] {
            Object::Pairs(pairs) => (pairs, Vec::new()),
            Object::Made { state, items, .. } => (items, state.iter().copied().collect()),
            Object::List(items) => (&[], items.clone()),
            _ => return,
        };
        for (key, value) in pairs {
            let name = match &self.objects[*key] {
                // A module's own rooms, which its state dictionary does not name.
                Object::Text(key) if ["_parameters", "_modules", "_buffers"].contains(&key.as_str()) => path.to_owned(),
                Object::Text(key) if path.is_empty() => key.clone(),
                Object::Text(key) => format!("{path}.{key}"),
                _ => continue,
            };
            self.walk(*value, &name, depth + 1, found);
        }
        for other in others {
            self.walk(other, path, depth + 1, found);
        }
    }

    fn push(&mut self, object: Object) -> Result<(), String> {
        if self.objects.len() >= MOST_OBJECTS {
            return Err("its pickle holds too many objects".to_owned());
        }
        self.stack.push(self.objects.len());
        self.objects.push(object);
        Ok(())
    }

    fn pop(&mut self) -> Result<usize, String> {
        self.stack.pop().ok_or_else(|| CUT.to_owned())
    }

    fn since_mark(&mut self) -> Result<Vec<usize>, String> {
        let mark = self.marks.pop().filter(|mark| *mark <= self.stack.len()).ok_or(CUT)?;
        Ok(self.stack.split_off(mark))
    }

    fn append(&mut self, items: Vec<usize>) -> Result<(), String> {
        let top = *self.stack.last().ok_or(CUT)?;
        if let Object::List(list) = &mut self.objects[top] {
            list.extend(items);
        }
        Ok(())
    }

    fn set(&mut self, flat: &[usize]) -> Result<(), String> {
        let top = *self.stack.last().ok_or(CUT)?;
        let pairs = flat.as_chunks::<2>().0.iter().map(|[key, value]| (*key, *value));
        match &mut self.objects[top] {
            Object::Pairs(all) | Object::Made { items: all, .. } => all.extend(pairs),
            _ => {}
        }
        Ok(())
    }

    fn remember(&mut self, number: u32) -> Result<(), String> {
        let top = *self.stack.last().ok_or(CUT)?;
        self.memo.insert(number, top);
        Ok(())
    }

    fn recall(&mut self, number: u32) -> Result<(), String> {
        let object = *self.memo.get(&number).ok_or(CUT)?;
        self.stack.push(object);
        if self.stack.len() > MOST_OBJECTS { Err(CUT.to_owned()) } else { Ok(()) }
    }

    fn text(&mut self, length: usize) -> Result<(), String> {
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.push(Object::Text(text))
    }

    fn line(&mut self) -> Result<String, String> {
        let rest = self.code.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|b| *b == b'\n').ok_or(CUT)?;
        self.at += end + 1;
        Ok(String::from_utf8_lossy(&rest[..end]).into_owned())
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N)?.try_into().map_err(|_| CUT.to_owned())
    }

    fn take(&mut self, count: usize) -> Result<&[u8], String> {
        let to = self.at.checked_add(count).ok_or(CUT)?;
        let bytes = self.code.get(self.at..to).ok_or(CUT)?;
        self.at = to;
        Ok(bytes)
    }
}

const CUT: &str = "its pickle is cut short or broken";
