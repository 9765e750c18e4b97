//! Pipeline files: gst-launch text with comments and variables. Text only; GStreamer is not needed to read them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A pipeline's text, ready to parse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineSpec {
    /// Built-in name or file, for messages.
    pub origin: String,
    /// gst-launch text in one line.
    pub text: String,
}

/// Why a pipeline file or its variables are refused.
#[derive(Debug, Error)]
pub enum TemplateError {
    /// Neither a built-in name nor a readable file.
    #[error(
        "no pipeline `{name}`{}: it is none of the built-in ones ({known}) and cannot be read as a file: {source}",
        meant(&[name], .known.split(", "))
    )]
    NotFound {
        /// What was asked for.
        name: String,
        /// Built-in names.
        known: String,
        /// Why the file cannot be read.
        source: std::io::Error,
    },
    /// A variable without a value.
    #[error("{origin}: no value for {}; set it under [cameras.NAME.vars]", list(.names))]
    Unset {
        /// Pipeline.
        origin: String,
        /// Variables.
        names: Vec<String>,
    },
    /// A value for a variable that the file does not have.
    #[error(
        "{origin}: has no variable {}{}; it knows {}", list(.names), meant(.names, .known.iter().map(String::as_str)), list(.known)
    )]
    Unused {
        /// Pipeline.
        origin: String,
        /// Given names.
        names: Vec<String>,
        /// Names in the file.
        known: Vec<String>,
    },
    /// A value that could change the pipeline itself.
    #[error("{origin}: the value of {name} holds `{}`; letters, digits and _ . / : @ % + , = ? & ~ - are allowed", .character.escape_default())]
    Character {
        /// Pipeline.
        origin: String,
        /// Variable.
        name: String,
        /// The first character that is refused.
        character: char,
    },
    /// A size or a rate that is none.
    #[error("{origin}: {name} is `{value}`, and a {what} is a whole number from 1")]
    Number {
        /// Pipeline.
        origin: String,
        /// Variable.
        name: String,
        /// Its value.
        value: String,
        /// What it is there for.
        what: &'static str,
    },
    /// `${` that does not end, or an odd name in it.
    #[error("{origin}: `{found}` is no variable; write ${{NAME}} or ${{NAME:-default}} with capitals, digits and _")]
    Syntax {
        /// Pipeline.
        origin: String,
        /// Where.
        found: String,
    },
}

fn list(names: &[String]) -> String {
    names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

/// `, did you mean ...?` if one of the known words is near to one of these.
fn meant<'a>(names: &[impl AsRef<str>], known: impl Iterator<Item = &'a str> + Clone) -> String {
    let near = |name: &str| {
        let alike = |k: &str| strsim::jaro_winkler(&k.to_lowercase(), &name.to_lowercase());
        let best = known.clone().map(|k| (k, alike(k))).max_by(|a, b| a.1.total_cmp(&b.1))?;
        (best.1 > 0.7).then(|| format!("`{}`", best.0))
    };
    let near: Vec<String> = names.iter().filter_map(|name| near(name.as_ref())).collect();
    if near.is_empty() { String::new() } else { format!(", did you mean {}?", near.join(", ")) }
}

const BUILT_IN: [(&str, &str); 7] = [
    ("v4l2", include_str!("../../../../pipelines/v4l2.gst")),
    ("rtsp", include_str!("../../../../pipelines/rtsp.gst")),
    ("gige", include_str!("../../../../pipelines/gige.gst")),
    ("file", include_str!("../../../../pipelines/file.gst")),
    ("images", include_str!("../../../../pipelines/images.gst")),
    ("test", include_str!("../../../../pipelines/test.gst")),
    ("simulator", include_str!("../../../../pipelines/simulator.gst")),
];

/// Name and text of the pipelines that are compiled in; the files are in the folder `pipelines/`.
pub fn built_in_pipelines() -> &'static [(&'static str, &'static str)] {
    &BUILT_IN
}

impl PipelineSpec {
    /// A built-in pipeline by name, or a file by path, with its variables filled in.
    ///
    /// # Errors
    /// See [`TemplateError`].
    pub fn load(name: &str, vars: &BTreeMap<String, String>) -> Result<PipelineSpec, TemplateError> {
        PipelineSpec::load_all(name, vars).map_err(first)
    }

    /// Like [`PipelineSpec::load`], with all that is wrong.
    ///
    /// # Errors
    /// At least one [`TemplateError`].
    pub fn load_all(name: &str, vars: &BTreeMap<String, String>) -> Result<PipelineSpec, Vec<TemplateError>> {
        if let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
            return PipelineSpec::from_text_all(&format!("pipeline `{name}`"), text, vars);
        }
        let path = PathBuf::from(name);
        let text = std::fs::read_to_string(&path).map_err(|source| {
            let known = BUILT_IN.map(|(name, _)| name).join(", ");
            vec![TemplateError::NotFound { name: name.to_owned(), known, source }]
        })?;
        PipelineSpec::from_text_all(&path_name(&path), &text, vars)
    }

    /// Fills the variables of a pipeline text in. Values may hold only characters that cannot start another element or
    /// property; `#` starts a comment to the end of the line.
    ///
    /// # Errors
    /// See [`TemplateError`].
    pub fn from_text(origin: &str, text: &str, vars: &BTreeMap<String, String>) -> Result<PipelineSpec, TemplateError> {
        PipelineSpec::from_text_all(origin, text, vars).map_err(first)
    }

    fn from_text_all(
        origin: &str,
        text: &str,
        vars: &BTreeMap<String, String>,
    ) -> Result<PipelineSpec, Vec<TemplateError>> {
        let lines =
            text.lines().map(|l| l.split('#').next().unwrap_or_default().trim().trim_end_matches('\\').trim_end());
        let joined = lines.filter(|l| !l.is_empty()).collect::<Vec<_>>().join(" ");
        let mut filler = Filler { origin, vars, known: Vec::new(), unset: Vec::new(), refused: Vec::new() };
        let text = filler.fill(&joined).map_err(|e| vec![e])?;
        let mut faults = filler.refused;
        if !filler.unset.is_empty() {
            faults.push(TemplateError::Unset { origin: origin.to_owned(), names: filler.unset });
        }
        let unused: Vec<String> = vars.keys().filter(|k| !filler.known.contains(k)).cloned().collect();
        if !unused.is_empty() {
            faults.push(TemplateError::Unused { origin: origin.to_owned(), names: unused, known: filler.known });
        }
        if faults.is_empty() { Ok(PipelineSpec { origin: origin.to_owned(), text }) } else { Err(faults) }
    }
}

/// Of a list that is never empty.
fn first(mut faults: Vec<TemplateError>) -> TemplateError {
    faults.swap_remove(0)
}

fn path_name(path: &Path) -> String {
    format!("pipeline {}", path.display())
}

struct Filler<'a> {
    origin: &'a str,
    vars: &'a BTreeMap<String, String>,
    known: Vec<String>,
    unset: Vec<String>,
    refused: Vec<TemplateError>,
}

impl Filler<'_> {
    fn fill(&mut self, text: &str) -> Result<String, TemplateError> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            let syntax = || TemplateError::Syntax {
                origin: self.origin.to_owned(),
                found: format!("${{{}", after.chars().take(20).collect::<String>()),
            };
            let (inside, tail) = after.split_once('}').ok_or_else(syntax)?;
            let (name, default) = match inside.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (inside, None),
            };
            let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            if name.is_empty() || !name.chars().all(fits) {
                return Err(syntax());
            }
            if !self.known.iter().any(|k| k == name) {
                self.known.push(name.to_owned());
            }
            match self.vars.get(name) {
                Some(value) => {
                    self.refused.extend(self.check(name, value).and_then(|()| self.number(name, value, before)).err());
                    out.push_str(value);
                }
                None => match default {
                    Some(default) => out.push_str(default),
                    None => self.unset.push(name.to_owned()),
                },
            }
            rest = tail;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn check(&self, name: &str, value: &str) -> Result<(), TemplateError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "_./:@%+,=?&~-".contains(c);
        match value.chars().find(|c| !fits(*c)) {
            None if !value.is_empty() => Ok(()),
            refused => Err(TemplateError::Character {
                origin: self.origin.to_owned(),
                name: name.to_owned(),
                character: refused.unwrap_or(' '),
            }),
        }
    }

    /// Where a value stands in place of a number, it is one; `before` is what the pipeline says before it.
    fn number(&self, name: &str, value: &str, before: &str) -> Result<(), TemplateError> {
        let Some((_, what)) = NUMBERS.into_iter().find(|(field, _)| before.ends_with(field)) else { return Ok(()) };
        match value.parse::<u32>() {
            Ok(n) if n > 0 => Ok(()),
            _ => Err(TemplateError::Number {
                origin: self.origin.to_owned(),
                name: name.to_owned(),
                value: value.to_owned(),
                what,
            }),
        }
    }
}

/// Fields of caps that hold whole numbers, and what those are called. With a frame rate of 0 an element does not start and does not say why.
const NUMBERS: [(&str, &str); 3] = [("width=", "width"), ("height=", "height"), ("framerate=", "frame rate")];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vars(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn fill(text: &str, pairs: &[(&str, &str)]) -> Result<String, String> {
        PipelineSpec::from_text("p.gst", text, &vars(pairs)).map(|s| s.text).map_err(|e| e.to_string())
    }

    #[test]
    fn comments_go_lines_join_and_variables_are_filled() {
        let text = "# a camera\nv4l2src device=${DEVICE} !  # here\n  queue \\\n ! appsink name=sink width=${W:-640}";
        let want = "v4l2src device=/dev/video0 ! queue ! appsink name=sink width=640";
        assert_eq!(fill(text, &[("DEVICE", "/dev/video0")]).unwrap(), want);
    }

    #[test]
    fn what_is_missing_too_much_or_odd_is_named() {
        let message = fill("a ${X} ${Y}", &[]).unwrap_err();
        assert!(message.contains("`X`, `Y`") && message.contains("p.gst"), "{message}");
        let message = fill("a ${X}", &[("X", "1"), ("Z", "2")]).unwrap_err();
        assert!(message.contains("has no variable `Z`") && message.contains("knows `X`"), "{message}");
        for text in ["${", "a ${x}", "${X", "${}", "${A B}"] {
            assert!(fill(text, &[]).is_err(), "{text}");
        }
        assert!(fill("a ${X}", &[("X", "")]).is_err());
        for value in ["0", "29.97", "-1", "fast"] {
            let message = fill("a ! video/x-raw,framerate=${FPS:-10}/1", &[("FPS", value)]).unwrap_err();
            assert!(message.contains(&format!("FPS is `{value}`")) && message.contains("frame rate"), "{message}");
        }
        assert!(fill("a ! video/x-raw,framerate=${FPS:-10}/1 rate=${RATE}", &[("FPS", "30"), ("RATE", "0.5")]).is_ok());
    }

    #[test]
    fn a_value_cannot_bring_in_an_element() {
        for value in ["a ! filesink location=/etc/x", "a\"b", "a'b", "a;b", "(a)", "a\\b", "a\nb", "a$b", "a#b"] {
            let message = fill("filesrc location=${FILE} ! fakesink", &[("FILE", value)]).unwrap_err();
            assert!(message.contains("FILE") && message.contains("p.gst"), "{message}");
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let message = PipelineSpec::load("webcam", &vars(&[])).unwrap_err().to_string();
        assert!(message.contains("webcam") && message.contains("v4l2, rtsp"), "{message}");
    }

    proptest! {
        #[test]
        fn no_text_and_no_value_makes_the_parser_panic_or_adds_a_link(text in "\\PC{0,60}", value in "\\PC{0,20}") {
            drop(fill(&text, &[("X", &value)]));
            if let Ok(filled) = fill("a location=${X} ! b", &[("X", &value)]) {
                prop_assert_eq!(filled.matches('!').count(), 1);
                prop_assert_eq!(filled.split_whitespace().count(), 4);
            }
        }
    }
}
