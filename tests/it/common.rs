//! What the tests share: where the peers and the data are, and how to say that something is skipped.
#![allow(dead_code, reason = "not every build of the tests uses every helper")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Python of the peers' virtual environment. `make test` makes it and sets `ANDON_REQUIRE_PEERS`, so there a missing
/// one is a failure; elsewhere the caller says `skipped`.
pub fn peers_python() -> Option<PathBuf> {
    let python =
        std::env::var_os("ANDON_PEERS_PYTHON").map_or_else(|| root().join("target/venv/bin/python"), PathBuf::from);
    if python.exists() {
        return Some(python);
    }
    assert!(
        std::env::var_os("ANDON_REQUIRE_PEERS").is_none(),
        "no peers' Python at {}: run `make venv`",
        python.display()
    );
    eprintln!("skipped: no Python peers at {} (run `make venv`)", python.display());
    None
}

/// The body of what a port of this machine answers to a GET.
pub fn http(port: u16, path: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// The folder of real images, or `None` with a word about it.
pub fn data(set: &str) -> Option<PathBuf> {
    let base = std::env::var_os("ANDON_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    let path = base.join(set);
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("skipped: no data at {}", path.display());
    None
}

/// A command of the program, with the environment of the tests kept out of its configuration.
pub fn andon(args: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_andon"));
    command
        .args(args)
        .env("ANDON__METRICS__ENABLED", "false")
        .env("ANDON__ZENOH__ENABLED", "false")
        .env("ANDON__PAGE__ENABLED", "false");
    command
}

/// What a finished command said.
pub struct Said {
    /// Exit code; -1 after a signal.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs a command to its end.
pub fn run(command: &mut std::process::Command) -> Said {
    let output = command.output().expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
}

/// Runs the program and returns what it said.
pub fn said(args: &[&str]) -> Said {
    run(&mut andon(args))
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Writes a PNG.
pub fn write_png(path: &Path, side: u32, rgb: &[u8]) {
    image::RgbImage::from_raw(side, side, rgb.to_vec()).unwrap().save(path).unwrap();
}

/// A model of the simulated flanges, learned once for all tests from 12 good parts, and the folder that it lies in.
pub fn flange_model() -> &'static Path {
    static MODEL: std::sync::OnceLock<(tempfile::TempDir, PathBuf)> = std::sync::OnceLock::new();
    let (_, path) = MODEL.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let good = dir.path().join("good");
        std::fs::create_dir(&good).unwrap();
        let belt = andon_sim::Conveyor::new(andon_sim::SimSpec::default());
        let mut rgb = Vec::new();
        for k in 0..12 {
            belt.paint_good(k, &mut rgb);
            write_png(&good.join(format!("{k:02}.png")), belt.spec().side, &rgb);
        }
        let path = dir.path().join("flange.andon");
        let said = said(&["fit", good.to_str().unwrap(), "-o", path.to_str().unwrap(), "--bank", "600"]);
        assert_eq!(said.code, 0, "{}", said.err);
        (dir, path)
    });
    path
}

/// A program that talks in JSON lines, and what it has said so far.
pub struct Peer {
    child: Child,
    lines: std::sync::mpsc::Receiver<Value>,
    /// The lines so far.
    pub seen: Vec<Value>,
}

impl Peer {
    /// A script of `tests/peers` that says `{"ready": true}`; `None` where the peers are not installed.
    pub fn start(script: &str, args: &[&str]) -> Option<Peer> {
        let mut command = std::process::Command::new(peers_python()?);
        command.arg(root().join("tests/peers").join(script)).args(args);
        let mut peer = Peer::spawn(&mut command);
        assert!(peer.wait(|v| v["ready"] == true), "{script} is not ready: {:?}", peer.seen);
        Some(peer)
    }

    /// Any program that prints JSON lines.
    pub fn spawn(command: &mut std::process::Command) -> Peer {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (to, lines) = std::sync::mpsc::channel();
        std::thread::Builder::new()
            .spawn(move || {
                for line in out.lines().map_while(Result::ok) {
                    // What is no JSON is told as text.
                    let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
                    if to.send(value).is_err() {
                        return;
                    }
                }
            })
            .unwrap();
        Peer { child, lines, seen: Vec::new() }
    }

    /// One line on its standard input.
    pub fn tell(&mut self, command: Value) {
        let stdin = self.child.stdin.as_mut().unwrap();
        writeln!(stdin, "{command}").unwrap();
        stdin.flush().unwrap();
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Reads what comes until its end, at most `limit`; the exit code.
    pub fn finish(&mut self, limit: Duration) -> Option<i32> {
        let end = Instant::now() + limit;
        while let Ok(line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            self.seen.push(line);
        }
        while Instant::now() < end {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }

    /// Takes what was said until now.
    pub fn drain(&mut self) {
        self.seen.extend(self.lines.try_iter());
    }

    /// Reads on until a line fits; false after half a minute.
    pub fn wait(&mut self, fits: impl Fn(&Value) -> bool) -> bool {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let found = fits(&line);
                    self.seen.push(line);
                    if found {
                        return true;
                    }
                }
                Err(_) => return false,
            }
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Sends a signal to a process.
pub fn signal(process: u32, name: &str) {
    let status = std::process::Command::new("kill").args([&format!("-{name}"), &process.to_string()]).status().unwrap();
    assert!(status.success());
}

/// Whether something comes true within so many seconds.
pub fn until(limit_s: u64, mut done: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(limit_s);
    while Instant::now() < end {
        if done() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}
