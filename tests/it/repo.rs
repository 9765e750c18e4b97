//! The house rules that a program can check.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::common;

/// The crates and which of them each may use: the compiler keeps to what their `Cargo.toml`s say, and those say this.
const CRATES: [(&str, &[&str]); 10] = [
    ("core", &[]),
    ("vision", &["core"]),
    ("train", &["core", "vision"]),
    ("gpu", &["core", "vision"]),
    ("line", &["core"]),
    ("io", &["core"]),
    ("service", &["core", "io", "line"]),
    ("sim", &["core", "line", "io"]),
    ("testkit", &["core", "vision"]),
    ("", &["core", "vision", "train", "gpu", "line", "io", "service", "sim"]),
];

/// Inside a crate of several rooms, what each may use. A name that is missing here is a new room that has to be placed.
type Rooms = &'static [(&'static str, &'static [&'static str])];
const ROOMS: [(&str, Rooms); 7] = [
    (
        "crates/andon-vision",
        &[
            ("preprocess", &[]),
            ("model", &["preprocess"]),
            ("fit", &["preprocess", "model"]),
            ("methods", &["preprocess", "model", "fit"]),
            ("eval", &["model", "fit"]),
            ("search", &["preprocess", "model", "fit", "methods", "eval"]),
            ("import", &["preprocess", "model", "fit", "methods", "eval", "search"]),
        ],
    ),
    (
        "crates/andon-line",
        &[
            ("decide", &[]),
            ("act", &["decide"]),
            ("controller", &["decide", "act"]),
            ("telemetry", &[]),
            ("runtime", &["decide", "act", "controller", "telemetry"]),
        ],
    ),
    (
        "crates/andon-io",
        &[
            ("endpoint", &[]),
            ("check", &["endpoint"]),
            ("not_built", &[]),
            ("capture", &[]),
            ("fieldio", &["check"]),
            ("history", &[]),
            ("sinks", &["endpoint", "not_built", "history"]),
            ("pictures", &["check", "sinks"]),
            ("thermal", &[]),
        ],
    ),
    (".", &[("config", &[]), ("logging", &[]), ("assemble", &["config"]), ("cli", &["config", "logging", "assemble"])]),
    (
        "crates/andon-gpu",
        &[
            ("error", &[]),
            ("module", &["error"]),
            ("driver", &["error", "module"]),
            ("memory", &["error", "driver"]),
            ("ops", &["error", "module", "driver", "memory"]),
            ("backbone", &["error", "driver", "memory"]),
            ("features", &["error", "driver", "memory", "ops", "backbone"]),
            ("pipeline", &["error", "driver", "memory", "ops", "backbone", "features"]),
            ("detector", &["error", "driver", "ops", "backbone", "features", "pipeline"]),
            ("batch", &["detector"]),
            ("self_test", &["error", "driver", "ops"]),
            ("bench", &["error", "driver", "ops", "backbone", "features", "pipeline"]),
            ("tensorrt", &["error", "driver", "memory", "backbone"]),
        ],
    ),
    (
        "crates/andon-service",
        &[
            ("accounts", &[]),
            ("live", &[]),
            ("models", &[]),
            ("backup", &["accounts"]),
            ("act", &["accounts", "live", "models", "backup"]),
            ("page", &["accounts", "live", "models", "backup", "act"]),
            ("metrics", &[]),
        ],
    ),
    (
        "crates/andon-train",
        &[
            ("files", &[]),
            ("pictures", &[]),
            ("optimiser", &[]),
            ("tape", &[]),
            ("trainer", &["tape", "optimiser"]),
            ("networks", &["tape", "trainer"]),
            ("checkpoint", &["files", "trainer"]),
            ("teacher", &["files", "tape", "networks", "trainer"]),
            (
                "efficientad",
                &["files", "pictures", "optimiser", "tape", "trainer", "networks", "checkpoint", "teacher"],
            ),
            ("standard", &[]),
            ("simplenet", &["optimiser", "tape", "trainer", "standard"]),
            ("cfa", &["optimiser", "tape", "trainer", "standard"]),
            ("distill", &["files", "pictures", "optimiser", "tape", "trainer", "networks", "checkpoint", "teacher"]),
        ],
    ),
];

fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
}

/// Every source file of the product by its path, such as `crates/andon-line/src/decide/ledger.rs`.
fn sources() -> BTreeMap<String, String> {
    let mut found = Vec::new();
    files(&common::root().join("src"), "rs", &mut found);
    for member in std::fs::read_dir(common::root().join("crates")).unwrap() {
        files(&member.unwrap().path().join("src"), "rs", &mut found);
    }
    let name = |p: &PathBuf| p.strip_prefix(common::root()).unwrap().display().to_string();
    found.iter().map(|p| (name(p), std::fs::read_to_string(p).unwrap())).collect()
}

#[test]
fn crates_depend_only_on_those_below_them() {
    for (name, allowed) in CRATES {
        let folder = if name.is_empty() { ".".to_owned() } else { format!("crates/andon-{name}") };
        let text = std::fs::read_to_string(common::root().join(folder).join("Cargo.toml")).unwrap();
        let table: toml::Table = text.parse().unwrap();
        let own = table["dependencies"].as_table().unwrap().keys().filter_map(|k| k.strip_prefix("andon-"));
        for used in own {
            assert!(allowed.contains(&used), "andon-{name} may not use andon-{used}");
        }
    }
    assert_eq!(
        std::fs::read_dir(common::root().join("crates")).unwrap().count(),
        CRATES.len() - 1,
        "crates in the table"
    );
}

/// Uses of `crate::X` in a file that its room may not have.
fn violations(file: &str, text: &str, rooms: &[(&str, &[&str])]) -> Vec<String> {
    let room = file.split(['/', '.']).next().unwrap();
    if matches!(room, "lib" | "main") {
        return Vec::new();
    }
    let Some((_, allowed)) = rooms.iter().find(|(name, _)| *name == room) else {
        return vec![format!("{file}: the room `{room}` has no place in the table")];
    };
    let code = text.lines().filter(|l| !l.trim_start().starts_with("//"));
    let used = code.flat_map(|line| {
        line.split("crate::")
            .skip(1)
            .map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default())
    });
    let mut found: Vec<String> = used
        .filter(|name| *name != room && rooms.iter().any(|(n, _)| n == name) && !allowed.contains(name))
        .map(|name| format!("{file}: `{room}` may not use `{name}`"))
        .collect();
    found.dedup();
    found
}

#[test]
fn rooms_use_only_those_above_them() {
    let sources = sources();
    for (folder, rooms) in ROOMS {
        let prefix = if folder == "." { "src/".to_owned() } else { format!("{folder}/src/") };
        let found: Vec<String> = sources
            .iter()
            .filter_map(|(path, text)| Some(violations(path.strip_prefix(&prefix)?, text, rooms)))
            .flatten()
            .collect();
        assert!(found.is_empty(), "{folder}: {}", found.join("\n"));
    }
    // The check itself: it sees what it should.
    let rooms = ROOMS[1].1;
    assert_eq!(violations("decide/x.rs", "use crate::runtime::Line;", rooms).len(), 1);
    assert_eq!(violations("telemetry/x.rs", "fn f() { crate::act::plan() }", rooms).len(), 1);
    assert_eq!(violations("newcomer/mod.rs", "", rooms).len(), 1);
    assert!(violations("runtime/x.rs", "use crate::decide::Ledger;", rooms).is_empty());
}

#[test]
fn each_lib_lists_its_rooms_in_the_order_of_the_table() {
    for (folder, rooms) in ROOMS {
        let lib = std::fs::read_to_string(common::root().join(folder).join("src/lib.rs")).unwrap();
        let module = |l: &str| Some(l.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';')?.to_owned());
        let listed: Vec<String> = lib.lines().filter_map(module).collect();
        assert_eq!(listed, rooms.iter().map(|(name, _)| *name).collect::<Vec<_>>(), "{folder}");
    }
}

#[test]
fn every_channel_is_made_in_the_wiring_or_belongs_to_one_owner() {
    // Channels between stages are made in wiring (through queue); these few others never leave their owner.
    const OWNERS: [&str; 14] = [
        "crates/andon-line/src/runtime/tape.rs",
        "crates/andon-line/src/runtime/wiring.rs",
        "crates/andon-core/src/queue.rs",
        "crates/andon-core/src/threads.rs",
        "crates/andon-line/src/runtime/line.rs",
        "crates/andon-core/src/pool.rs",
        "crates/andon-vision/src/model/head/knn.rs",
        "crates/andon-io/src/capture/pipeline/instance.rs",
        "crates/andon-io/src/fieldio/modbus/driver.rs",
        "crates/andon-io/src/sinks/json_lines/mod.rs",
        "crates/andon-io/src/sinks/zenoh/sink/history.rs",
        "crates/andon-io/src/sinks/zenoh/sink/session.rs",
        "crates/andon-io/src/sinks/store/sink/mod.rs",
        "src/assemble/line_models/swap.rs",
    ];
    for (file, text) in sources() {
        let makes = text.contains("bounded(") || text.contains("bounded::<");
        assert!(!makes || OWNERS.contains(&file.as_str()) || file == "src/cli/demo.rs", "{file} makes a channel");
    }
}

#[test]
fn files_are_short_and_finished() {
    for (file, text) in sources() {
        let body = text.split("#[cfg(test)]").next().unwrap_or_default();
        let tests = file.ends_with("tests.rs");
        assert!(tests || body.lines().count() <= 400, "{file} has {} lines", body.lines().count());
        assert!(tests || text.starts_with("//!"), "{file} does not open with what it is");
        for word in ["todo!", "unimplemented!", "dbg!(", "FIXME", "XXX"] {
            assert!(!text.contains(word), "{file} holds {word}");
        }
    }
}

#[test]
fn no_file_names_a_path_of_somebodys_machine() {
    let output = std::process::Command::new("git").args(["ls-files"]).current_dir(common::root()).output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    assert!(listed.lines().count() > 50 || !output.status.success(), "git lists the files");
    for name in listed.lines().filter(|n| !n.ends_with(".onnx") && !n.ends_with(".png") && *n != "Cargo.lock") {
        let Ok(text) = std::fs::read_to_string(common::root().join(name)) else { continue };
        for (n, line) in text.lines().enumerate() {
            for folder in ["home", "root", "Users"] {
                assert!(!line.contains(&format!("/{folder}/")), "{name}:{}: {line}", n + 1);
            }
        }
    }
}

#[test]
fn what_the_readme_tells_people_to_run_exists() {
    let readme = std::fs::read_to_string(common::root().join("README.md")).unwrap();
    let makefile = std::fs::read_to_string(common::root().join("Makefile")).unwrap();
    for target in readme.match_indices("make ").filter_map(|(i, _)| {
        let word = readme[i + 5..].split(|c: char| !c.is_ascii_lowercase()).next()?;
        (readme[..i].ends_with('`') || readme[..i].ends_with('\n')).then_some(word)
    }) {
        assert!(makefile.contains(&format!("\n{target}:")), "README names `make {target}`");
    }
    for link in readme.split("](").skip(1).map(|rest| rest.split([')', '#']).next().unwrap()) {
        let local = !link.is_empty() && !link.contains("://");
        assert!(!local || common::root().join(link).exists(), "README links to {link}");
    }
}

/// docs/field.md names tests as `file::test`, or a module of a crate whose own tests are meant.
#[test]
fn every_test_that_the_field_has_is_there() {
    let text = std::fs::read_to_string(common::root().join("docs/field.md")).unwrap();
    let named: Vec<&str> = text.split('`').skip(1).step_by(2).filter(|word| word.contains("::")).collect();
    assert!(named.len() > 30, "{named:?}");
    for name in named {
        let (module, test) = name.rsplit_once("::").unwrap();
        let body = |path: String| std::fs::read_to_string(common::root().join(path)).unwrap_or_default();
        let in_tests = body(format!("tests/it/{module}.rs"));
        let (krate, module_path) = name.split_once("::").unwrap();
        let folder = common::root().join("crates").join(krate.replace('_', "-")).join("src");
        let of_module = folder.join(module_path.replace("::", "/"));
        let is_there = match test {
            "" => !in_tests.is_empty(),
            test => in_tests.contains(&format!("fn {test}(")) || of_module.with_extension("rs").exists(),
        };
        assert!(is_there, "docs/field.md names `{name}`, which is not there");
    }
}

#[test]
fn documents_use_english_quotation_marks() {
    let mut found = vec![common::root().join("README.md"), common::root().join("CHANGELOG.md")];
    files(&common::root().join("docs"), "md", &mut found);
    for file in found {
        let text = std::fs::read_to_string(&file).unwrap();
        let line = text.lines().position(|l| l.contains(['\u{ab}', '\u{bb}', '\u{201e}']));
        assert_eq!(line, None, "{}: line from 0", file.display());
    }
}

#[test]
fn every_pipeline_file_is_built_in() {
    let mut found = Vec::new();
    files(&common::root().join("pipelines"), "gst", &mut found);
    let known: Vec<&str> = andon_io::capture::built_in_pipelines().iter().map(|(name, _)| *name).collect();
    for file in found {
        assert!(known.contains(&file.file_stem().unwrap().to_str().unwrap()), "{}", file.display());
    }
}

#[test]
fn the_embedded_backbone_is_the_one_that_is_documented() {
    let about = std::fs::read_to_string(common::root().join("models/README.md")).unwrap();
    let digest = blake3::hash(&andon_vision::model::Backbone::embedded().onnx).to_hex();
    assert!(about.contains(digest.as_str()), "models/README.md does not name blake3 {digest}");
}

/// Words in backticks that look like a file of this repository.
fn files_named_in(text: &str) -> Vec<String> {
    let words = text.split('`').skip(1).step_by(2);
    let is_file = |word: &&str| {
        let of_ours =
            ["crates/", "src/", "tests/", "docs/", "kernels/", "pipelines/", "config/", "examples/", "scripts/"];
        of_ours.iter().any(|folder| word.starts_with(folder)) && !word.contains(char::is_whitespace)
    };
    words.filter(is_file).map(str::to_owned).collect()
}

#[test]
fn guides_name_what_is_there() {
    let mut guides = vec![common::root().join("CONTRIBUTING.md"), common::root().join("docs/architecture.md")];
    files(&common::root().join("docs/guides"), "md", &mut guides);
    let mut named = 0;
    for guide in guides {
        let text = std::fs::read_to_string(&guide).unwrap();
        for name in files_named_in(&text) {
            named += 1;
            // What somebody is going to write has NAME in place of its name: the folder that it goes to has to be there.
            let there = name.split("NAME").next().unwrap();
            let there = if there.ends_with('/') || there == name { there } else { there.rsplit_once('/').unwrap().0 };
            assert!(common::root().join(there).exists(), "{} names `{name}`, which is not there", guide.display());
        }
    }
    assert!(named > 60, "{named}");
    assert_eq!(files_named_in("see `src/cli/NAME.rs` and `make test`, not src/x"), ["src/cli/NAME.rs"]);
}

/// Words that say nothing to somebody who knows the field, each with the one that does.
const NOT_NAMES: [(&str, &str); 24] = [
    ("Card", "GpuContext"),
    ("CardOptions", "GpuOptions"),
    ("Causes", "EjectOn"),
    ("Ending", "CameraEnding"),
    ("Fired", "Ejection"),
    ("FromCard", "GpuChoice"),
    ("Gone", "PlaceholderDetector"),
    ("Joined", "NamedThread"),
    ("Look", "GpuProbe"),
    ("Machine", "HardwareHealth"),
    ("Made", "BuiltDetector"),
    ("Near", "Neighbors"),
    ("Notice", "LineEvent"),
    ("Now", "Moment"),
    ("Offer", "Accepted"),
    ("OnCard", "ReadyGpu"),
    ("Pushed", "ReadingKind"),
    ("Rule", "LaneRules"),
    ("ScoreMap", "AnomalyMap"),
    ("Searcher", "KnnSearcher"),
    ("Shape", "PulseShape"),
    ("Told", "LedgerEvent"),
    ("Trouble", "EncoderFault"),
    ("Woken", "ParkedReceiver"),
];

/// The name that a line declares in public, if it does.
fn public_name(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix("pub ")?;
    let rest = rest.strip_prefix("unsafe ").unwrap_or(rest);
    let rest = ["struct ", "enum ", "trait ", "type ", "union "].iter().find_map(|kind| rest.strip_prefix(kind))?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

#[test]
fn public_names_are_the_fields_words() {
    assert_eq!(public_name("    pub enum Told<'a> {"), Some("Told"));
    for (file, text) in sources() {
        for name in text.lines().filter_map(public_name) {
            let better = NOT_NAMES.iter().find(|(word, _)| *word == name);
            assert_eq!(better, None, "{file} declares `{name}`; the second word is the field's");
        }
    }
}
