//! Whole runs of the program with the plant's side played by others: pymodbus as I/O module and PLC, mosquitto as broker, a
//! Python web server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::common::{self, Peer, flange_model, free_port, signal, until};

/// A folder with a configuration; parts come from pictures, ten a second: two good ones, then a bad one, again and again.
pub(crate) struct Plant {
    dir: tempfile::TempDir,
    pub(crate) config: PathBuf,
}

impl Plant {
    pub(crate) fn new(camera: &str, rest: &str) -> Plant {
        Plant::with(10, |n| n % 3 == 2, camera, rest)
    }

    /// So many parts a second; which of the six pictures, that come again and again, are bad.
    pub(crate) fn with(rate: u32, bad: impl Fn(u64) -> bool, camera: &str, rest: &str) -> Plant {
        let dir = tempfile::tempdir().unwrap();
        let belt = andon_sim::Conveyor::new(andon_sim::SimSpec { defect_rate: 0.0, ..andon_sim::SimSpec::default() });
        let mut rgb = Vec::new();
        for n in 0..6 {
            match bad(n) {
                true => belt.paint_with(n, andon_sim::DefectKind::ALL[0], &mut rgb),
                false => belt.paint_good(n, &mut rgb),
            }
            common::write_png(&dir.path().join(format!("{n:02}.png")), belt.spec().side, &rgb);
        }
        let config = dir.path().join("andon.toml");
        let (pattern, model) = (dir.path().join("%02d.png"), flange_model().display());
        let text = format!(
            "[cameras.top]\npipeline = \"images\"\nmodel = \"{model}\"\nthreshold = 60.0\n{camera}\n[cameras.top.vars]\n\
             pattern = \"{}\"\nfps = \"{rate}\"\nloop = \"true\"\ntype = \"image/png\"\ndecoder = \"pngdec\"\n{rest}",
            pattern.display()
        );
        std::fs::write(&config, text).unwrap();
        Plant { dir, config }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// `andon run --json`, with the threshold in the middle between the good and the bad pictures.
    pub(crate) fn run(&self) -> Peer {
        Peer::spawn(self.command().stderr(Stdio::inherit()))
    }

    pub(crate) fn command(&self) -> Command {
        let set = format!("cameras.top.threshold={}", middle());
        common::andon(&["run", "-c", self.config.to_str().unwrap(), "--json", "--set", &set])
    }
}

/// A threshold that tells the pictures apart: the tests are about what happens then.
pub(crate) fn middle() -> f64 {
    static MIDDLE: std::sync::OnceLock<f64> = std::sync::OnceLock::new();
    *MIDDLE.get_or_init(|| {
        let plant = Plant::new("", "");
        let files: Vec<String> =
            (0..6).map(|n| plant.path().join(format!("{n:02}.png")).display().to_string()).collect();
        let mut args = vec!["inspect", flange_model().to_str().unwrap(), "--engine", "rten"];
        args.extend(files.iter().map(String::as_str));
        let said = common::said(&args);
        let scores: Vec<f64> =
            said.out.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()["score"].as_f64().unwrap()).collect();
        let good = [0, 1, 3, 4].iter().map(|n| scores[*n]).fold(0.0, f64::max);
        let bad = [2, 5].iter().map(|n| scores[*n]).fold(f64::MAX, f64::min);
        assert!(good < bad, "{scores:?}");
        (good + bad) / 2.0
    })
}

pub(crate) fn of<'a>(seen: &'a [Value], schema: &str) -> Vec<&'a Value> {
    seen.iter().filter(|v| v["schema"] == schema).collect()
}

pub(crate) fn count(seen: &[Value], schema: &str) -> usize {
    of(seen, schema).len()
}

/// 0.8 m/s, the ejector 160 mm (200 ms) behind the camera; a valve, a line stop and a heartbeat on one device.
pub(crate) fn wires(port: u16) -> String {
    let output = |name: &str, coil: u16| {
        format!("[outputs.{name}]\ndriver = \"modbus\"\naddress = \"127.0.0.1:{port}\"\npoint = {coil}\n")
    };
    format!(
        "[belt]\nspeed_m_s = 0.8\n{}{}{}[ejectors.blow]\noutput = \"valve\"\ndistance_mm = 160\npart_mm = 40\n\
         [alarms]\nline_stop = \"stop\"\nheartbeat = \"alive\"\n",
        output("valve", 3),
        output("stop", 4),
        output("alive", 5)
    )
}

/// Pulses of a coil: on and off, nanoseconds.
pub(crate) fn pulses(seen: &[Value], coil: u64) -> Vec<(u64, u64)> {
    let edges: Vec<(bool, u64)> = seen
        .iter()
        .filter(|v| v["coil"] == coil)
        .map(|v| (v["on"].as_bool().unwrap(), v["t"].as_u64().unwrap()))
        .collect();
    edges.windows(2).filter(|w| w[0].0 && !w[1].0).map(|w| (w[0].1, w[1].1)).collect()
}

#[test]
fn every_reject_and_no_other_part_gets_a_pulse_at_its_place() {
    let port = free_port();
    let Some(mut device) = Peer::start("coil_device.py", &[&port.to_string()]) else { return };
    let plant = Plant::with(5, |n| n % 3 == 2, "", &wires(port));
    let mut run = plant.run();
    let passed = |seen: &[Value]| of(seen, "andon.verdict.v1").iter().filter(|v| v["result"] == "PASS").count();
    assert!(
        until(60, || {
            run.drain();
            count(&run.seen, "andon.eject.v1") >= 8 && passed(&run.seen) > 10
        }),
        "{:?}",
        run.seen.last()
    );
    signal(run.id(), "TERM");
    assert_eq!(run.finish(Duration::from_secs(10)), Some(0));
    std::thread::sleep(Duration::from_millis(100));
    device.drain();
    let verdicts = of(&run.seen, "andon.verdict.v1");
    let captured: BTreeMap<u64, (u64, &str)> = verdicts
        .iter()
        .map(|v| {
            (v["seq"].as_u64().unwrap(), (v["t_capture_mono_ns"].as_u64().unwrap(), v["result"].as_str().unwrap()))
        })
        .collect();
    let ejected: Vec<u64> = of(&run.seen, "andon.eject.v1").iter().map(|v| v["seq"].as_u64().unwrap()).collect();
    let rejected: Vec<u64> = captured.iter().filter(|(_, (_, r))| *r != "PASS").map(|(seq, _)| *seq).collect();
    assert_eq!(ejected[..], rejected[..ejected.len()], "rejected parts and no others, in order");
    let pulses = pulses(&device.seen, 3);
    assert!(pulses.len() >= ejected.len(), "{pulses:?}");
    for (seq, (on, off)) in ejected.iter().zip(&pulses) {
        // 200 ms behind the camera; a part of the neighbours would be 200 ms off. On a busy machine the device hears late.
        let after = (*on as f64 - captured[seq].0 as f64) / 1e6;
        let width = (off - on) as f64 / 1e6;
        assert!((160.0..360.0).contains(&after) && (0.0..180.0).contains(&width), "part {seq}: {after} ms, {width} ms");
    }
    // Left safe: valve off; the heartbeat was alive; the line was never stopped.
    assert_eq!(device.seen.iter().rfind(|v| v["coil"] == 3).unwrap()["on"], false);
    assert!(self::pulses(&device.seen, 5).len() > 3);
    assert!(!device.seen.iter().any(|v| v["coil"] == 4 && v["on"] == true));
    assert!(of(&run.seen, "andon.part.v1").len() >= verdicts.len() - 1);
}

/// Whether valve and heartbeat are off.
fn is_safe(device: &mut Peer) -> bool {
    device.drain();
    [3, 5].iter().all(|c| device.seen.iter().rfind(|v| v["coil"] == *c).is_none_or(|v| v["on"] == false))
}

/// The second process of a running program.
pub(crate) fn guard_of(program: u32) -> u32 {
    let children = std::fs::read_to_string(format!("/proc/{program}/task/{program}/children")).unwrap();
    let mut children = children.split_whitespace().map(|n| n.parse::<u32>().unwrap());
    let is_guard =
        |n: &u32| std::fs::read_to_string(format!("/proc/{n}/cmdline")).unwrap_or_default().contains("guard");
    children.find(is_guard).expect("the program has a guard")
}

#[test]
fn when_the_program_is_killed_its_guard_switches_off() {
    let port = free_port();
    // A watchdog that would come much too late.
    let Some(mut device) = Peer::start("coil_device.py", &[&port.to_string(), "--watchdog", "600"]) else { return };
    let plant = Plant::with(10, |_| true, "", &wires(port));
    let mut run = plant.run();
    assert!(device.wait(|v| v["coil"] == 3 && v["on"] == true), "{:?}", run.seen);
    let guard = guard_of(run.id());
    // It does not end by what a service manager sends to the whole group.
    signal(guard, "TERM");
    signal(run.id(), "KILL");
    run.finish(Duration::from_secs(5));
    assert!(until(10, || is_safe(&mut device)), "{:?}", device.seen);
    assert!(device.seen.iter().all(|v| v["watchdog"] != true));
    // Gone, or dead and not yet buried.
    let at_home = || std::fs::read(format!("/proc/{guard}/cmdline")).map_or(true, |words| words.is_empty());
    assert!(until(10, at_home), "the guard goes home");
}

#[test]
fn without_its_guard_a_killed_program_leaves_the_valve_to_the_devices_watchdog() {
    let port = free_port();
    let Some(mut device) = Peer::start("coil_device.py", &[&port.to_string(), "--watchdog", "0.25"]) else { return };
    let plant = Plant::with(10, |_| true, "", &wires(port));
    let mut run = plant.run();
    assert!(device.wait(|v| v["coil"] == 3 && v["on"] == true), "{:?}", run.seen);
    signal(guard_of(run.id()), "KILL");
    signal(run.id(), "KILL");
    run.finish(Duration::from_secs(5));
    assert!(until(10, || is_safe(&mut device)));
    assert!(device.seen.iter().any(|v| v["watchdog"] == true));
}

#[test]
fn a_frozen_device_stops_the_line_and_the_parts_keep_their_verdicts() {
    let port = free_port();
    let Some(device) = Peer::start("coil_device.py", &[&port.to_string(), "--watchdog", "60"]) else { return };
    let web = free_port();
    let plant = Plant::new("", &format!("{}[metrics]\nlisten = \"127.0.0.1:{web}\"\n", wires(port)));
    let mut run = Peer::spawn(plant.command().env("ANDON__METRICS__ENABLED", "true").stderr(Stdio::inherit()));
    assert!(run.wait(|v| v["schema"] == "andon.eject.v1"));
    assert_eq!(common::http(web, "/healthz"), "{\"healthy\":true}");
    signal(device.id(), "STOP");
    assert!(run.wait(|v| v["event"] == "output_fault"));
    assert!(run.wait(|v| v["event"] == "line_stop"));
    let ill = common::http(web, "/healthz");
    for reason in
        ["line_stop: ", "because of output_fault", "output `valve` (ejector `blow`)", "output `stop` (line stop)"]
    {
        assert!(until(5, || common::http(web, "/healthz").contains(reason)), "{reason} is not in {ill}");
    }
    let metrics = common::http(web, "/metrics");
    assert!(metrics.contains("andon_line_stop 1\n") && metrics.contains("andon_output_fault{output=\"valve\"} 1\n"));
    let before = count(&run.seen, "andon.verdict.v1");
    assert!(until(20, || {
        run.drain();
        count(&run.seen, "andon.verdict.v1") >= before + 10
    }));
    signal(device.id(), "CONT");
    assert!(run.wait(|v| v["event"] == "output_back"));
    assert!(until(5, || !common::http(web, "/healthz").contains("output_fault: ")));
    assert!(common::http(web, "/healthz").contains("line_stop: "), "until somebody releases it");
    signal(run.id(), "TERM");
    assert_eq!(run.finish(Duration::from_secs(10)), Some(0));
    let last = run.seen.last().unwrap();
    assert!(last["schema"] == "andon.summary.v1" && last["adds_up"] == true, "{last}");

    let fault = run.seen.iter().find(|v| v["event"] == "output_fault" && v["output"] == "valve").expect("by its name");
    assert_eq!(fault["text"], "output valve does not do what it is told");
    let stop = run.seen.iter().find(|v| v["event"] == "line_stop").unwrap();
    assert_eq!(stop["cause"], "output_fault");
    let records: Vec<&Value> = run.seen.iter().filter(|v| v["schema"] != "andon.summary.v1").collect();
    let mut ids = std::collections::HashSet::new();
    for r in records {
        let origin = ["id", "boot", "site", "line", "station", "box"].map(|key| r[key].as_str().unwrap_or_default());
        assert!(origin.iter().all(|o| !o.is_empty()), "{r}");
        assert!(ids.insert(r["id"].as_str().unwrap()), "{r} has the id of another record");
    }
}

#[test]
fn a_plc_fetches_every_result_once_and_announces_parts() {
    let (modbus, camera) = (free_port(), "");
    let rest = format!("[modbus_server]\nenabled = true\nlisten = \"127.0.0.1:{modbus}\"\nallow_write = true\n");
    let plant = Plant::new(camera, &rest);
    let mut run = plant.run();
    let Some(mut plc) = Peer::start("plc.py", &[&modbus.to_string(), "4"]) else { return };
    assert_eq!(plc.finish(Duration::from_secs(30)), Some(0), "{:?}", plc.seen.last());
    signal(run.id(), "TERM");
    assert_eq!(run.finish(Duration::from_secs(10)), Some(0));
    let verdicts: BTreeMap<u64, &Value> =
        of(&run.seen, "andon.verdict.v1").into_iter().map(|v| (v["seq"].as_u64().unwrap(), v)).collect();
    let fetched: Vec<&Value> = plc.seen.iter().filter(|v| v["part"].is_u64()).collect();
    assert!(fetched.len() > 20, "{fetched:?}");
    let parts: Vec<u64> = fetched.iter().map(|v| v["part"].as_u64().unwrap()).collect();
    assert!(parts.windows(2).all(|w| w[1] == w[0] + 1), "each once, in order: {parts:?}");
    for f in &fetched {
        let v = verdicts[&f["part"].as_u64().unwrap()];
        let code = ["", "PASS", "REJECT", "UNINSPECTED", "ERROR"][f["code"].as_u64().unwrap() as usize];
        assert_eq!(code, v["result"].as_str().unwrap());
        assert_eq!(f["job_pass"], v["result"] == "PASS");
        let score = v["score"].as_f64().map_or(-1.0, |s| (s * 10_000.0).trunc());
        assert!((f["score"].as_f64().unwrap() - score).abs() <= 1.0, "{f} {v}");
    }
    let last = plc.seen.last().unwrap()["last"].as_array().unwrap().clone();
    assert_eq!(last[1], 1, "map version");
    assert!(last[17].as_u64().unwrap() >= fetched.len() as u64, "offered: {last:?}");

    // The same with parts that the PLC announces; frames come within 100 ms.
    let rest = format!(
        "{rest}[parts]\ntrigger = \"message\"\nframe_ms = [-60, 60]\nmin_pitch_mm = 20\n[belt]\nspeed_m_s = 0.8\n"
    );
    let plant = Plant::new(camera, &rest);
    let mut run = plant.run();
    assert!(until(30, || std::net::TcpStream::connect(("127.0.0.1", modbus)).is_ok()));
    std::thread::sleep(Duration::from_secs(1));
    let Some(mut plc) = Peer::start("plc.py", &[&modbus.to_string(), "4", "--trigger", "4"]) else { return };
    assert_eq!(plc.finish(Duration::from_secs(30)), Some(0), "{:?}", plc.seen.last());
    signal(run.id(), "TERM");
    assert_eq!(run.finish(Duration::from_secs(10)), Some(0));
    let triggers: Vec<&Value> = plc.seen.iter().filter(|v| v["triggered"].is_u64()).collect();
    assert!(triggers.len() > 10 && triggers.iter().all(|v| v["ack"] == true), "{triggers:?}");
    let parts = of(&run.seen, "andon.part.v1");
    assert_eq!(parts.len(), triggers.len(), "each trigger is a part");
    assert!(parts.iter().filter(|p| p["result"] == "PASS" || p["result"] == "REJECT").count() > 2, "{parts:?}");
}

#[test]
fn a_plc_may_only_read_unless_it_is_allowed_more() {
    let modbus = free_port();
    let rest = format!("[modbus_server]\nenabled = true\nlisten = \"127.0.0.1:{modbus}\"\n");
    let plant = Plant::new("", &rest);
    let mut run = plant.run();
    let Some(mut plc) = Peer::start("plc.py", &[&modbus.to_string(), "1.5", "--read-only"]) else { return };
    assert_eq!(plc.finish(Duration::from_secs(30)), Some(0));
    assert_eq!(plc.seen[0]["refused"], true);
    let last = plc.seen.last().unwrap()["last"].as_array().unwrap();
    assert!(last[0].as_u64().unwrap() & 1 << 4 != 0 && last[3].as_u64().unwrap() > 0, "results are shown all the same");
    signal(run.id(), "TERM");
    assert_eq!(run.finish(Duration::from_secs(10)), Some(0));
}

pub(crate) fn mosquitto(dir: &Path, port: u16) -> Option<std::process::Child> {
    mosquitto_with(dir, port, "")
}

/// With further lines of configuration.
pub(crate) fn mosquitto_with(dir: &Path, port: u16, more: &str) -> Option<std::process::Child> {
    let config = dir.join("mosquitto.conf");
    let text = format!("listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n{more}");
    std::fs::write(&config, text).unwrap();
    let found = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto", "/usr/local/sbin/mosquitto"];
    let Some(program) = found.iter().find(|p| Path::new(p).exists()) else {
        assert!(std::env::var_os("ANDON_REQUIRE_PEERS").is_none(), "no mosquitto: run `make peers`");
        eprintln!("skipped: no mosquitto (run `make peers`)");
        return None;
    };
    let child =
        Command::new(program).arg("-c").arg(&config).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    assert!(until(10, || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()), "mosquitto listens");
    Some(child)
}

/// Prints each message as a JSON line: mosquitto's own client.
pub(crate) fn listen(port: u16, id: &str) -> Peer {
    let port = port.to_string();
    // A session that the broker keeps while the client is away.
    let args = [
        "-h",
        "127.0.0.1",
        "-p",
        &port,
        "-q",
        "1",
        "-t",
        "andon/#",
        "-F",
        "{\"topic\":\"%t\",\"retain\":%r,\"payload\":%p}",
        "-i",
        id,
    ];
    Peer::spawn(Command::new("mosquitto_sub").args(args).stderr(Stdio::null()))
}

#[test]
fn a_broker_gets_everything_also_what_happened_while_it_was_away() {
    let port = free_port();
    let web = free_port();
    let rest = format!(
        "[store]\nenabled = true\n[mqtt]\nenabled = true\nport = {port}\nrecords = [\"verdict\"]\n\
         [webhook]\nenabled = true\nurl = \"http://127.0.0.1:{web}/hook\"\nrecords = [\"verdict\"]\nrejects_only = true\n"
    );
    let plant = Plant::new("", &rest);
    let Some(mut broker) = mosquitto(plant.path(), port) else { return };
    let Some(mut hook) = Peer::start("webhook.py", &[&web.to_string()]) else { return };
    let mut before = listen(port, "first");
    let mut run = plant.run();
    let seqs = |seen: &[Value]| -> Vec<u64> {
        let verdicts = seen.iter().filter(|v| v["topic"] == "andon/site/line/station/top/verdict");
        verdicts.map(|v| v["payload"]["seq"].as_u64().unwrap()).collect()
    };
    assert!(before.wait(|v| v["topic"] == "andon/site/line/station/status" && v["payload"]["online"] == true));
    assert!(before.wait(|v| v["payload"]["seq"] == 10), "{:?}", before.seen.last());
    broker.kill().unwrap();
    broker.wait().unwrap();
    before.drain();
    run.drain();
    let at = count(&run.seen, "andon.verdict.v1");
    assert!(
        until(30, || {
            run.drain();
            count(&run.seen, "andon.verdict.v1") >= at + 20
        }),
        "the line runs on without its broker"
    );
    let Some(mut broker) = mosquitto(plant.path(), port) else { return };
    let mut after = listen(port, "second");
    assert!(after.wait(|v| v["payload"]["seq"].as_u64().is_some_and(|s| s > at as u64 + 25)));
    signal(run.id(), "TERM");
    assert_eq!(run.finish(Duration::from_secs(10)), Some(0));
    assert!(after.wait(|v| v["topic"] == "andon/site/line/station/status" && v["payload"]["online"] == false));
    // What both listeners got: everything up to the last, duplicates allowed, with the stamps of the line.
    let mut all = seqs(&before.seen);
    all.extend(seqs(&after.seen));
    all.sort_unstable();
    all.dedup();
    let last = *all.last().unwrap();
    // The listener that came after the broker may have come after some of what waited; the broker itself got it.
    let stamps: BTreeMap<u64, Value> = of(&run.seen, "andon.verdict.v1")
        .iter()
        .map(|v| (v["seq"].as_u64().unwrap(), v["t_capture"].clone()))
        .collect();
    for v in after.seen.iter().filter(|v| v["payload"]["seq"].is_u64()) {
        assert_eq!(v["payload"]["t_capture"], stamps[&v["payload"]["seq"].as_u64().unwrap()]);
    }
    let store = rusqlite_count(&plant.path().join("andon.db"));
    assert_eq!(store.0 as usize, count(&run.seen, "andon.verdict.v1"), "every verdict is in the history");
    assert!(store.1 >= last as i64, "the outbox was taken up to the last: {store:?}, {last}");
    hook.drain();
    let rejected: Vec<&Value> = hook.seen.iter().filter(|v| v["record"]["schema"] == "andon.verdict.v1").collect();
    assert!(rejected.len() > 8 && rejected.iter().all(|v| v["record"]["result"] != "PASS"), "{rejected:?}");
    broker.kill().unwrap();
    broker.wait().unwrap();
}

/// Verdicts in the history, and how many of them the broker has acknowledged; asked with Python's own SQLite.
fn rusqlite_count(path: &Path) -> (i64, i64) {
    let code = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\n\
                one = lambda q: c.execute(q).fetchone()[0]\n\
                print(one(\"select count(*) from record where kind = 'verdict'\"), \
                one(\"select count(*) from record where kind = 'verdict' and id <= (select last from cursor where name = 'mqtt')\"))";
    let output = Command::new("python3").args(["-c", code, path.to_str().unwrap()]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut numbers = text.split_whitespace().map(|n| n.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

#[test]
fn what_cannot_be_is_refused_with_its_key() {
    let refused = |rest: &str, words: &[&str]| {
        let plant = Plant::new("", rest);
        let said = common::said(&["config", "check", "-c", plant.config.to_str().unwrap()]);
        assert_eq!(said.code, 78, "{rest}: {}", said.err);
        for word in words {
            assert!(said.err.contains(word), "`{word}` is not in: {}", said.err);
        }
    };
    refused("[mqtt]\nenabled = true\n", &["mqtt.enabled", "store.enabled"]);
    refused("[webhook]\nenabled = true\nurl = \"ftp://x\"\n[store]\nenabled = true\n", &["webhook.url", "http://"]);
    refused("[modbus_server]\nlisten = \"502\"\n", &["modbus_server.listen", "ADDRESS:PORT"]);
    refused("[opcua]\nlisten = \"4840\"\n", &["opcua.listen", "ADDRESS:PORT"]);
    refused("[parts]\ntrigger = \"sensor\"\n", &["parts.sensor", "belt.speed_m_s", "0 of frame_ms"]);
    let eject = "[ejectors.a]\noutput = \"nowhere\"\ndistance_mm = 100\npart_mm = 10\n";
    refused(eject, &["[outputs.nowhere]", "belt.speed_m_s"]);
    let dry = "[belt]\nspeed_m_s = 1.0\n[outputs.v]\ndriver = \"dry-run\"\n";
    let one = "[ejectors.a]\noutput = \"v\"\ndistance_mm = 100\npart_mm = 10\n";
    refused(&format!("{dry}{one}causes = [\"error\"]\n"), &["none acts on `reject`"]);
    let borderline = "causes = [\"reject\", \"error\", \"uninspected\", \"borderline\"]\n";
    refused(&format!("{dry}{one}{borderline}"), &["without parts.review_from"]);
    refused(&format!("{dry}{one}max_duty = 2.0\nbefore_mm = 200\n"), &["max_duty", "would begin before the trigger"]);
    refused(
        &format!("{dry}{one}[ejectors.b]\noutput = \"v\"\ndistance_mm = 1\npart_mm = 1\n"),
        &["is ejectors.a.output already"],
    );
    refused(
        &format!("{dry}{one}[alarms]\ntolerate = [\"x\"]\nshare = [5, 3]\n"),
        &["`x` stops no line", "alarms.share"],
    );
    refused("[belt]\nencoder = \"gpio\"\n", &["belt.speed_m_s", "belt.counts_per_mm", "belt.chip", "belt.line"]);
}

#[test]
#[cfg(not(feature = "opcua"))]
fn a_server_that_is_not_built_in_is_named_with_its_feature() {
    let plant = Plant::new("", "[opcua]\nenabled = true\n");
    let said = common::said(&["run", "-c", plant.config.to_str().unwrap()]);
    assert_eq!(said.code, 78, "{}", said.err);
    assert!(said.err.contains("opcua") && said.err.contains("--features opcua"), "{}", said.err);
}
