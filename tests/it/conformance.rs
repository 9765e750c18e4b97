//! Networks of other people, as exporters wrote them: what they give through our reader, our feeding and each engine beside what ONNX Runtime gave for the files
//! as they are, without optimisation. `ANDON_CONFORMANCE` names the folder with the filled cases; `ANDON_CONFORMANCE_SET` the set that they were filled from, if it is another than the known
//! one. The figures are in docs/methods.md.

use std::path::{Path, PathBuf};

use andon_vision::import::{Asked, npy, takes};
use andon_vision::model::engine::{EngineChoice, EngineOptions, session};
use andon_vision::model::graph::{Arithmetic, OnnxGraph, PICTURE, Takes, look, read_network};
use serde_json::{Value, json};

use crate::common;

struct Case {
    name: String,
    /// With the weights.
    filled: PathBuf,
    meta: Value,
}

fn cases() -> Option<(PathBuf, Vec<Case>)> {
    let Some(folder) = std::env::var_os("ANDON_CONFORMANCE").map(PathBuf::from) else {
        eprintln!("skipped: ANDON_CONFORMANCE names no folder with filled networks");
        return None;
    };
    let known = std::env::var_os("ANDON_CONFORMANCE_SET").map(PathBuf::from);
    let known = known.unwrap_or_else(|| common::data("../conformance").unwrap());
    let mut cases: Vec<Case> = std::fs::read_dir(&known)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("meta.json").is_file())
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let meta = serde_json::from_slice(&std::fs::read(path.join("meta.json")).unwrap()).unwrap();
            Case { filled: folder.join(&name), meta, name }
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Some((known, cases))
}

impl Case {
    /// The network, or the several in a row as one, with what is constant beside the picture put in.
    fn graph(&self) -> OnnxGraph {
        let files = self.meta["sequence"].as_array().cloned().unwrap_or_else(|| vec![json!("model.onnx")]);
        let mut graphs: Vec<OnnxGraph> = files
            .iter()
            .map(|file| OnnxGraph::read(&read_network(&self.filled.join(file.as_str().unwrap())).unwrap()).unwrap())
            .collect();
        for feed in self.meta["feeds"].as_array().unwrap().iter().filter(|feed| feed["kind"] != "picture") {
            let name = feed["name"].as_str().unwrap();
            let safe: String =
                name.chars().map(|c| if c.is_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
            let array = npy::read(&std::fs::read(self.filled.join(format!("input_0_{safe}.npy"))).unwrap()).unwrap();
            let graph = graphs.iter_mut().find(|graph| graph.takes().iter().any(|port| port.name == name)).unwrap();
            graph.fill_input(name, &array.shape, &array.numbers).unwrap();
        }
        let mut graphs = graphs.into_iter();
        let first = graphs.next().unwrap();
        graphs.fold(first, |all, next| all.followed_by(&next).unwrap())
    }

    fn feed(&self) -> &Value {
        self.meta["feeds"].as_array().unwrap().iter().find(|feed| feed["kind"] == "picture").unwrap()
    }

    fn takes(&self, graph: &OnnxGraph) -> Takes {
        let feed = self.feed();
        let size = ["width", "height"].map(|side| feed[side].as_u64().unwrap() as u32);
        let sides: Vec<usize> =
            graph.takes().first().map(|p| p.sides.iter().flatten().copied().collect()).unwrap_or_default();
        let open = !size.iter().all(|side| sides.contains(&(*side as usize)));
        let asked = Asked { bgr: feed["bgr"] == true, size: open.then_some(size), ..Asked::default() };
        let mut takes = takes(graph, &asked).unwrap();
        let three = |key: &str, usual: f32| {
            let all: Vec<f32> =
                feed[key].as_array().into_iter().flatten().map(|v| v.as_f64().unwrap() as f32).collect();
            match all[..] {
                [one] => [one; 3],
                [a, b, c] => [a, b, c],
                _ => [usual; 3],
            }
        };
        let bytes = feed["dtype"] == "uint8";
        let divide = if bytes { 1.0 } else { feed["divide"].as_f64().unwrap_or(255.0) as f32 };
        takes.arithmetic = Arithmetic { divide, less: three("mean", 0.0), over: three("std", 1.0) };
        assert_eq!(takes.grey, feed["gray"] == true, "{}", self.name);
        takes
    }

    /// Runs the three pictures, each of a batch for itself, and writes what came out.
    fn run(&self, out: &Path, choice: EngineChoice, engine: &str) -> Result<(), String> {
        let (graph, said) = (self.graph(), |e: &dyn std::fmt::Display| e.to_string());
        let takes = self.takes(&graph);
        let mut values = Vec::new();
        for port in graph.gives() {
            let raw = &self.meta["raw"][&port.name];
            values.push((port.name.clone(), json!({"value": port.name, "output": port.name, "raw": null})));
            if let Some(tensor) = raw["tensor"].as_str() {
                assert_eq!(graph.raw_of(&port.name).as_deref(), Some(tensor), "what a post-processor takes is found");
                values.push((tensor.to_owned(), json!({"value": tensor, "output": port.name, "raw": raw})));
            }
        }
        let names: Vec<String> = values.iter().map(|(name, _)| name.clone()).collect();
        let looking = graph.adapt_to_look(&takes, &names).map_err(|e| said(&e))?.write();
        let options = EngineOptions { choice, threads: 2, ..EngineOptions::default() };
        let mut session = session::open(&looking, &options).map_err(|e| said(&e))?;
        let looks: Vec<String> = (0..names.len()).map(look).collect();
        let wanted: Vec<&str> = looks.iter().map(String::as_str).collect();
        let [columns, rows] = takes.size;
        for run in 0..3 {
            let mut all: Vec<(Vec<usize>, Vec<f32>)> = Vec::new();
            for item in 0..takes.batch() {
                let bytes = npy::read(&std::fs::read(out.join(format!("{run}_{item}.npy"))).unwrap()).unwrap().numbers;
                let planes: Vec<f32> =
                    (0..3).flat_map(|c| bytes.iter().skip(c).step_by(3).map(|v| *v as f32)).collect();
                let input = session.value(&[1, 3, rows, columns], &planes).map_err(|e| said(&e))?;
                let made = session.run(&[(PICTURE, &input)], &wanted).map_err(|e| said(&e))?;
                for (number, made) in made.iter().enumerate() {
                    let (shape, values) = session.read(made).map_err(|e| said(&e))?;
                    // Of copies of one picture, the first.
                    let one = values.len() / takes.batch();
                    match all.get_mut(number) {
                        Some((_, before)) => before.extend(&values[..one]),
                        None => all.push((shape, values[..one].to_vec())),
                    }
                }
            }
            for (number, (shape, values)) in all.iter().enumerate() {
                crate::npy::write_f32(&out.join(format!("{engine}_{run}_{number}.npy")), shape, values);
            }
        }
        let listed: Vec<&Value> = values.iter().map(|(_, value)| value).collect();
        std::fs::write(out.join(format!("{engine}.json")), json!(listed).to_string()).unwrap();
        Ok(())
    }
}

const ENGINES: [(EngineChoice, &str); 2] = [(EngineChoice::Ort, "ort"), (EngineChoice::Rten, "rten")];

/// Where more than the tolerance is allowed, in multiples of it, and why.
fn known(case: &str, engine: &str, value: &str) -> f64 {
    match (case, engine, value) {
        // For one of the three pictures two code words are as near; ONNX Runtime, too, takes the other one as soon as it optimises, and the decoder carries that everywhere.
        ("dsr__ts", "ort", _) => f64::INFINITY,
        // The value before the post-processor agrees; that divides it by 0.05, and with it what it is rounded by.
        ("reverse_distillation", _, "pred_score") => 3.0,
        _ => 1.0,
    }
}

/// Every case runs on ONNX Runtime, and on rten where that has its operators; the others are named.
#[test]
fn other_peoples_exports_give_what_they_gave_elsewhere() {
    let (Some((set, cases)), Some(python)) = (cases(), common::peers_python()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let peer = |what: &str| {
        let script = common::root().join("tests/peers/conformance.py");
        let said = common::run(std::process::Command::new(&python).arg(script).arg(what).arg(&set).arg(dir.path()));
        assert_eq!(said.code, 0, "{}", said.err);
    };
    peer("pictures");
    let mut not_run = Vec::new();
    for case in &cases {
        for (choice, engine) in ENGINES {
            if let Err(why) = case.run(&dir.path().join(&case.name), choice, engine) {
                let why = why.lines().next().unwrap_or_default().to_owned();
                eprintln!("{} {engine}: not run: {why}", case.name);
                not_run.push((case.name.clone(), engine));
            }
        }
    }
    peer("compare");
    let compared: Value = serde_json::from_slice(&std::fs::read(dir.path().join("compared.json")).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for (which, values) in compared.as_object().unwrap() {
        let (case, engine) = which.split_once(' ').unwrap();
        let worst = values.as_object().unwrap().iter().map(|(value, off)| (value, off.as_f64().unwrap()));
        for (value, off) in worst.clone() {
            if off.is_nan() || off > known(case, engine, value) {
                wrong.push(format!("{which}, `{value}`: {off:.2} of what is allowed"));
            }
        }
        eprintln!("{which}: {:.2} of what is allowed", worst.map(|(_, off)| off).fold(0.0, f64::max));
    }
    eprintln!(
        "{} cases, {} runs compared, {} not run",
        cases.len(),
        compared.as_object().unwrap().len(),
        not_run.len()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(not_run.iter().all(|(_, engine)| *engine == "rten"), "{not_run:?}");
}
