//! The operator's page in a real Chromium, over a line that runs: what people see and do, what a program can check of accessibility, and what becomes of
//! an open page when the box is killed.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::{self, Peer, andon, flange_model, free_port};

/// What everybody may look at.
const PAGES: [&str; 11] = [
    "/",
    "/alarms",
    "/threshold",
    "/system",
    "/login",
    "/review",
    "/review/results",
    "/history",
    "/counters",
    "/whatif",
    "/challenge",
];

/// The line of the test: killed when the test is over, however it ends.
struct Line(Child);

impl Line {
    fn start(config: &Path, port: u16) -> Line {
        let log = std::fs::File::create(config.with_extension("log")).unwrap();
        let mut command = andon(&["run", "-c", config.to_str().unwrap(), "--json"]);
        let command = command.env("ANDON__PAGE__ENABLED", "true").stdout(Stdio::null()).stderr(log);
        let line = Line(command.spawn().unwrap());
        let end = Instant::now() + Duration::from_secs(60);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let said = || std::fs::read_to_string(config.with_extension("log")).unwrap_or_default();
            assert!(Instant::now() < end, "the page is not there: {}", said());
            std::thread::sleep(Duration::from_millis(100));
        }
        line
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.0.kill().is_ok() {
            drop(self.0.wait());
        }
    }
}

fn user(config: &Path, name: &str, role: &str, password: &str) {
    use std::io::Write;
    let mut command = andon(&["user", "add", name, "--role", role, "-c", config.to_str().unwrap()]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "user {name}");
}

/// One step of the browser; its answer.
fn step(browser: &mut Peer, step: Value) -> Value {
    browser.seen.clear();
    browser.tell(step.clone());
    let name = &step[0];
    assert!(browser.wait(|said| said["step"] == *name), "{step}: no answer, {:?}", browser.seen);
    let answer = browser.seen.last().cloned().unwrap_or_default();
    assert!(answer["fault"].is_null(), "{step}: {}", answer["fault"]);
    answer
}

#[test]
fn the_page_does_in_a_browser_what_its_users_need() {
    let dir = tempfile::tempdir().unwrap();
    let belt = andon_sim::Conveyor::new(andon_sim::SimSpec { defect_rate: 0.5, ..andon_sim::SimSpec::default() });
    let pictures = dir.path().join("belt");
    std::fs::create_dir(&pictures).unwrap();
    let mut rgb = Vec::new();
    for n in 0..12 {
        belt.paint(n + 100, &mut rgb);
        common::write_png(&pictures.join(format!("{n:05}.png")), belt.spec().side, &rgb);
    }
    let port = free_port();
    let config = dir.path().join("andon.toml");
    // A file of its own, which may be taught.
    let model = dir.path().join("part.andon");
    std::fs::copy(flange_model(), &model).unwrap();
    let written = format!(
        "site = \"plant\"\nline = \"press\"\nstation = \"outfeed\"\n[engine]\nkind = \"rten\"\n[page]\nlisten = \"127.0.0.1:{port}\"\n[store]\nenabled = true\n[alarms]\nconsecutive = 2\n[pictures]\nenabled = true\n[recipes.flange]\nnumber = 1\nmodels.top = \"{model}\"\n\
         [cameras.top]\npipeline = \"images\"\nmodel = \"{model}\"\ndeadline_ms = 5000\n\
         vars = {{ pattern = \"{}/%05d.png\", type = \"image/png\", decoder = \"pngdec\", fps = \"3\", loop = \"true\" }}\n",
        pictures.display(),
        model = model.display()
    );
    std::fs::write(&config, written).unwrap();
    user(&config, "anna", "quality", "long enough");
    user(&config, "otto", "operator", "4711");
    user(&config, "ada", "admin", "even longer");
    let line = Line::start(&config, port);
    let shots = std::env::var_os("ANDON_SHOTS").map_or_else(|| dir.path().join("shots"), Into::into);
    let url = format!("http://127.0.0.1:{port}");
    let Some(mut browser) = Peer::start("browser.py", &[&url, shots.to_str().unwrap()]) else { return };
    let browser = &mut browser;
    step(browser, json!(["look"]));
    for (language, theme) in [("de", "dark"), ("en", "light"), ("en", "dark")] {
        step(browser, json!(["dress", language, theme]));
        for page in PAGES {
            step(browser, json!(["rules", page, format!("{language}-{theme}")]));
        }
    }
    assert_eq!(step(browser, json!(["login", "anna", "wrong word"]))["in"], false);
    assert_eq!(step(browser, json!(["login", "otto", "4711"]))["in"], true);
    assert_eq!(step(browser, json!(["threshold", "12.5", "tired of it"]))["may"], false, "an operator may not");
    let results = step(browser, json!(["review"]));
    assert!(results["text"].as_str().unwrap().contains("otto"), "who said it: {results}");
    let two = step(browser, json!(["two", "anna", "long enough"]));
    let (told, kept) = (two["told"].as_str().unwrap(), two["kept"].as_str().unwrap());
    assert!(told.contains("anna") && kept.contains("anna") && !kept.contains("otto"), "{two}");
    step(browser, json!(["acknowledge"]));
    let challenged = step(browser, json!(["challenge"]));
    assert!(challenged["text"].as_str().unwrap().contains("otto"), "who started it: {challenged}");
    step(browser, json!(["plain", "otto", "4711"]));
    assert_eq!(step(browser, json!(["login", "ada", "even longer"]))["in"], true);
    let named = step(browser, json!(["users", "<b>leo</b>", "leader", "long enough"]));
    assert!(named["text"].as_str().unwrap().contains("<b>leo</b> · quality"), "{named}");
    for (language, theme) in [("de", "light"), ("en", "dark")] {
        step(browser, json!(["dress", language, theme]));
        for page in ["/users", "/users/one?name=otto", "/login", "/aid?camera=0", "/audit", "/system"] {
            step(browser, json!(["rules", page, format!("ada-{language}-{theme}")]));
        }
    }
    assert!(!step(browser, json!(["remove", "<b>leo</b>"]))["text"].as_str().unwrap().contains("<b>leo</b>"));
    let set_up = step(browser, json!(["aid"]));
    assert!(set_up["text"].as_str().unwrap().contains("ada"), "who kept the reference: {set_up}");
    let archive = dir.path().join("box.tar");
    step(browser, json!(["backup", archive.to_str().unwrap()]));
    let back = dir.path().join("back");
    let said = common::said(&["restore", archive.to_str().unwrap(), "--to", back.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{}", said.err);
    let kept = common::said(&["history", "-c", back.join("andon.toml").to_str().unwrap(), "--limit", "5"]);
    assert!(kept.code == 0 && kept.out.lines().count() >= 5, "{} {}", kept.out, kept.err);
    assert_eq!(step(browser, json!(["login", "anna", "long enough"]))["in"], true);
    assert_eq!(step(browser, json!(["own_password", "long enough", "longer still"]))["in"], true);
    assert_eq!(step(browser, json!(["login", "anna", "long enough"]))["in"], false);
    assert_eq!(step(browser, json!(["login", "anna", "longer still"]))["in"], true);
    let tried = step(browser, json!(["good"]));
    assert!(tried["text"].as_str().unwrap().contains("judged once more"), "{tried}");
    for (language, theme) in [("de", "light"), ("en", "dark")] {
        step(browser, json!(["dress", language, theme]));
        for page in [tried["path"].as_str().unwrap(), "/models", "/recipes", "/recipes/flange", "/teach"] {
            step(browser, json!(["rules", page, format!("anna-{language}-{theme}")]));
        }
    }
    let kept = step(browser, json!(["keep", "fewer <b>false</b> rejects"]));
    let text = |key: &str| kept[key].as_str().unwrap().to_owned();
    assert!(text("table").contains("fewest mistakes on reviewed parts"), "{kept}");
    assert!(text("kept").contains("fewer <b>false</b> rejects") && text("kept").contains("anna"), "{kept}");
    let hostile = "<img src=x onerror=alert(1)>";
    step(browser, json!(["trial", "12.9", 15, "only tried"]));
    let set = step(browser, json!(["threshold", "12.5", hostile]));
    assert!(set["may"] == true && set["text"].as_str().unwrap().contains("12.5"), "{set}");
    let audit = step(browser, json!(["text", "/audit"]));
    assert!(audit["text"].as_str().unwrap().contains(hostile), "what was written is shown as it was: {audit}");
    step(browser, json!(["live"]));
    line.kill();
    step(browser, json!(["veil"]));
    let _again = Line::start(&config, port);
    step(browser, json!(["back"]));
}
