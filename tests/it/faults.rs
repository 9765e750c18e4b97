//! What happens, and how soon, when things around the line break: not a test but a table, `make faults`. With `ANDON_LOAD=1`
//! two processes of stress-ng load two processors meanwhile. Parts come ten a second.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::{Peer, free_port, signal, until};
use crate::plant::{Plant, count, guard_of, listen, mosquitto, of, pulses, wires};

/// Processes that load the machine; killed at the end.
struct Load(Option<Child>);

impl Load {
    fn start() -> Load {
        let loaded = std::env::var_os("ANDON_LOAD").is_some();
        Load(loaded.then(|| {
            let mut command = Command::new("stress-ng");
            command.args(["--cpu", "2", "--timeout", "3600s"]).stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().expect("stress-ng is installed")
        }))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            signal(child.id(), "TERM");
            child.wait().unwrap();
        }
    }
}

fn row(what: &str, seen: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "| {what} | {seen} |").unwrap();
}

/// p50, p99 and largest of times in milliseconds.
fn percentiles(mut ms: Vec<f64>) -> String {
    assert!(!ms.is_empty());
    ms.sort_by(f64::total_cmp);
    let at = |share: f64| ms[((ms.len() - 1) as f64 * share).round() as usize];
    format!("p50 {:.1}, p99 {:.1}, max {:.1} ms ({} of them)", at(0.5), at(0.99), at(1.0), ms.len())
}

fn start(plant: &Plant) -> Peer {
    Peer::spawn(plant.command().stderr(Stdio::null()))
}

fn stop(run: &mut Peer) {
    signal(run.id(), "TERM");
    assert_eq!(run.finish(Duration::from_secs(20)), Some(0));
    assert_eq!(run.seen.last().unwrap()["adds_up"], true);
}

fn wait_ms(peer: &mut Peer, since: Instant, fits: impl Fn(&Value) -> bool) -> f64 {
    assert!(peer.wait(fits), "{:?}", peer.seen.last());
    since.elapsed().as_secs_f64() * 1000.0
}

/// Verdicts of pictures that are bad (every third) and passed, and of all.
fn wrong(seen: &[Value]) -> String {
    let verdicts = of(seen, "andon.verdict.v1");
    let bad = verdicts.iter().filter(|v| v["seq"].as_u64().unwrap() % 3 == 2);
    let wrong = bad.filter(|v| v["result"] == "PASS").count();
    assert_eq!(wrong, 0);
    format!("wrong PASS {wrong} of {} parts", verdicts.len())
}

/// Every part is bad; the ejector is near enough that its pulse is ordered 200 ms after the trigger.
#[test]
#[ignore = "takes a while: make faults"]
fn from_trigger_to_coil() {
    let _load = Load::start();
    let port = free_port();
    let Some(mut device) = Peer::start("coil_device.py", &[&port.to_string()]) else { return };
    let plant = Plant::with(20, |_| true, "", &wires(port).replace("part_mm = 40", "part_mm = 10"));
    let mut run = start(&plant);
    assert!(until(180, || {
        run.drain();
        count(&run.seen, "andon.eject.v1") >= 2000
    }));
    stop(&mut run);
    device.drain();
    let verdicts = of(&run.seen, "andon.verdict.v1");
    let latency = verdicts.iter().map(|v| v["latency_ms"]["total"].as_f64().unwrap());
    row("trigger to verdict", &percentiles(latency.clone().collect()));
    let ejects = of(&run.seen, "andon.eject.v1");
    let pulses = pulses(&device.seen, 3);
    assert!(pulses.len() >= ejects.len(), "{} {}", pulses.len(), ejects.len());
    let ms = |ns: &Value| ns.as_u64().unwrap() as f64 / 1e6;
    let wire = |n: usize| pulses[n].0 as f64 / 1e6 - ms(&ejects[n]["t_on_mono_ns"]);
    row("order to coil at the device", &percentiles((0..ejects.len()).map(wire).collect()));
    let verdict_of = |seq: &Value| verdicts.iter().find(|v| v["seq"] == *seq).unwrap();
    let both = |n: usize| verdict_of(&ejects[n]["seq"])["latency_ms"]["total"].as_f64().unwrap() + wire(n);
    row("both, part by part: trigger to coil", &percentiles((0..ejects.len()).map(both).collect()));
    let planned = 200.0;
    let late = |n: usize| {
        let trigger = ms(&verdict_of(&ejects[n]["seq"])["t_capture_mono_ns"]);
        pulses[n].0 as f64 / 1e6 - trigger - planned
    };
    row("coil at the device against the part's place", &percentiles((0..ejects.len()).map(late).collect()));
    assert!(verdicts.iter().all(|v| v["result"] != "PASS"));
}

#[test]
#[ignore = "takes a while: make faults"]
fn plc_gone() {
    let _load = Load::start();
    let port = free_port();
    let rest = format!("[modbus_server]\nenabled = true\nlisten = \"127.0.0.1:{port}\"\nallow_write = true\n");
    let plant = Plant::new("", &rest);
    let mut run = start(&plant);
    let Some(mut plc) = Peer::start("plc.py", &[&port.to_string(), "60"]) else { return };
    assert!(plc.wait(|v| v["part"].as_u64() > Some(20)));
    drop(plc);
    run.drain();
    let before = count(&run.seen, "andon.verdict.v1");
    std::thread::sleep(Duration::from_secs(10));
    run.drain();
    let during = count(&run.seen, "andon.verdict.v1") - before;
    let back = Instant::now();
    let Some(mut plc) = Peer::start("plc.py", &[&port.to_string(), "60"]) else { return };
    let first = wait_ms(&mut plc, back, |v| v["part"].is_u64());
    let part = plc.seen.last().unwrap()["part"].clone();
    stop(&mut run);
    let told = format!(
        "{during} verdicts in 10 s without it; first result fetched {first:.0} ms after its start (part {part}); {}",
        wrong(&run.seen)
    );
    row("PLC killed and started again", &told);
}

#[test]
#[ignore = "takes a while: make faults"]
fn broker_gone() {
    let _load = Load::start();
    let port = free_port();
    let rest = format!("[store]\nenabled = true\n[mqtt]\nenabled = true\nport = {port}\nrecords = [\"verdict\"]\n");
    let plant = Plant::new("", &rest);
    let Some(mut broker) = mosquitto(plant.path(), port) else { return };
    let mut run = start(&plant);
    let mut before = listen(port, "first");
    assert!(before.wait(|v| v["payload"]["seq"].as_u64() > Some(20)));
    broker.kill().unwrap();
    broker.wait().unwrap();
    before.drain();
    let gone = Instant::now();
    std::thread::sleep(Duration::from_secs(60));
    let away = gone.elapsed().as_secs_f64();
    run.drain();
    let last = of(&run.seen, "andon.verdict.v1").last().unwrap()["seq"].as_u64().unwrap();
    // A listener that is there before the program has noticed that the broker is back.
    let Some(mut broker) = mosquitto(plant.path(), port) else { return };
    let back = Instant::now();
    let mut after = listen(port, "second");
    let caught_up = wait_ms(&mut after, back, |v| v["payload"]["seq"].as_u64() > Some(last));
    let settled = Instant::now() + Duration::from_secs(2);
    stop(&mut run);
    std::thread::sleep(settled.saturating_duration_since(Instant::now()));
    after.drain();
    let mut seqs: Vec<u64> =
        before.seen.iter().chain(&after.seen).filter_map(|v| v["payload"]["seq"].as_u64()).collect();
    let received = seqs.len();
    seqs.sort_unstable();
    seqs.dedup();
    let offered = count(&run.seen, "andon.verdict.v1");
    let told = format!(
        "delivered {} of {offered} offered ({} twice); what waited was delivered {:.1} s after its return; {}",
        seqs.len(),
        received - seqs.len(),
        caught_up / 1000.0,
        wrong(&run.seen)
    );
    row(&format!("MQTT broker killed, back after {away:.0} s"), &told);
    broker.kill().unwrap();
    broker.wait().unwrap();
}

#[test]
#[ignore = "takes a while: make faults"]
fn device_frozen() {
    let _load = Load::start();
    let port = free_port();
    let Some(device) = Peer::start("coil_device.py", &[&port.to_string(), "--watchdog", "60"]) else { return };
    let plant = Plant::new("", &wires(port));
    let mut run = start(&plant);
    assert!(run.wait(|v| v["schema"] == "andon.eject.v1"));
    let frozen = Instant::now();
    signal(device.id(), "STOP");
    let fault = wait_ms(&mut run, frozen, |v| v["event"] == "output_fault");
    let line = wait_ms(&mut run, frozen, |v| v["event"] == "line_stop");
    std::thread::sleep(Duration::from_secs(5));
    let thawed = Instant::now();
    signal(device.id(), "CONT");
    let back = wait_ms(&mut run, thawed, |v| v["event"] == "output_back");
    stop(&mut run);
    let told = format!(
        "`output_fault` after {fault:.0} ms, line stop asked for after {line:.0} ms; `output_back` {back:.0} ms after it woke; {}",
        wrong(&run.seen)
    );
    row("coil device frozen", &told);
}

#[test]
#[ignore = "takes a while: make faults"]
fn encoder_reset() {
    let _load = Load::start();
    let port = free_port();
    let Some(mut device) = Peer::start("coil_device.py", &[&port.to_string()]) else { return };
    let belt = format!(
        "[belt]\nencoder = \"modbus\"\naddress = \"127.0.0.1:{port}\"\nregister = 0\ncounts_per_mm = 10\n\
         # The fastest that it can run.\nspeed_m_s = 1.6\n"
    );
    device.tell(json!({"encoder": 8000}));
    let plant = Plant::new("", &wires(port).replace("[belt]\nspeed_m_s = 0.8\n", &belt));
    let mut run = start(&plant);
    assert!(run.wait(|v| v["schema"] == "andon.eject.v1"));
    let mut named = Vec::new();
    for n in 0..10 {
        // What comes again within ten seconds is counted, not told at once.
        std::thread::sleep(Duration::from_millis(10_500));
        run.drain();
        let since = Instant::now();
        device.tell(json!({"count": n * 3000}));
        named.push(wait_ms(&mut run, since, |v| v["event"] == "encoder_reset"));
    }
    stop(&mut run);
    device.drain();
    let bad: Vec<f64> = of(&run.seen, "andon.verdict.v1")
        .iter()
        .filter(|v| v["result"] != "PASS")
        .map(|v| v["t_capture_mono_ns"].as_u64().unwrap() as f64 / 1e6)
        .collect();
    let pulses = pulses(&device.seen, 3);
    // For every pulse the part 200 ms before it.
    let nearest = |on: f64| bad.iter().map(|t| on - t - 200.0).min_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap();
    let off: Vec<f64> = pulses.iter().map(|(on, _)| nearest(*on as f64 / 1e6).abs()).collect();
    let missed = bad.len().saturating_sub(pulses.len());
    let told = format!(
        "named: {}; {missed} of {} ejections missing (under way at the end); place of the pulse off by {}; {}",
        percentiles(named),
        bad.len(),
        percentiles(off),
        wrong(&run.seen)
    );
    row("encoder's count jumps, 10 times", &told);
}

/// libfaketime stands between the program and the wall clock.
#[test]
#[ignore = "takes a while: make faults"]
fn clock_set_back() {
    let _load = Load::start();
    let library = ["x86_64", "aarch64"].map(|a| format!("/usr/lib/{a}-linux-gnu/faketime/libfaketimeMT.so.1"));
    let Some(library) = library.iter().find(|l| Path::new(l).exists()) else {
        row("clock set back one hour", "not measured: libfaketime is not installed");
        return;
    };
    let port = free_port();
    let Some(mut device) = Peer::start("coil_device.py", &[&port.to_string()]) else { return };
    let plant = Plant::new("", &wires(port));
    let file = plant.path().join("clock");
    std::fs::write(&file, "+0").unwrap();
    let mut command = plant.command();
    command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", &file).env("FAKETIME_NO_CACHE", "1");
    command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1").stderr(Stdio::null());
    let mut run = Peer::spawn(&mut command);
    assert!(run.wait(|v| v["seq"].as_u64() > Some(50)));
    std::fs::write(&file, "-3600").unwrap();
    run.drain();
    let before = run.seen.len();
    assert!(until(20, || {
        run.drain();
        count(&run.seen[before..], "andon.verdict.v1") >= 100
    }));
    stop(&mut run);
    device.drain();
    let verdicts = of(&run.seen, "andon.verdict.v1");
    let mono = |v: &Value| v["t_capture_mono_ns"].as_u64().unwrap() as f64 / 1e6;
    let hour = |v: &Value| v["t_capture"].as_str().unwrap()[..13].to_owned();
    assert_ne!(hour(verdicts[10]), hour(verdicts[verdicts.len() - 1]), "the clock was set back");
    let longest = verdicts.windows(2).map(|w| mono(w[1]) - mono(w[0])).fold(0.0, f64::max);
    let bad: Vec<&&Value> = verdicts.iter().filter(|v| v["result"] != "PASS").collect();
    let pulses = pulses(&device.seen, 3);
    let off: Vec<f64> =
        bad.iter().zip(&pulses).map(|(v, (on, _))| (*on as f64 / 1e6 - mono(v) - 200.0).abs()).collect();
    let ids: Vec<&str> = verdicts.iter().map(|v| v["id"].as_str().unwrap()).collect();
    let sorted = ids.windows(2).all(|w| w[0] < w[1]);
    let told = format!(
        "longest time between two parts {longest:.0} ms; place of the pulses off by {}; identifiers in order: {sorted}; {}",
        percentiles(off),
        wrong(&run.seen)
    );
    row("clock set back one hour", &told);
}

/// Time from `act` to the last time that a coil fell, if one was on.
fn until_safe(device: &mut Peer, act: impl FnOnce()) -> f64 {
    assert!(device.wait(|v| v["coil"] == 3 && v["on"] == true));
    // Both clocks are CLOCK_MONOTONIC: an edge tells the time of now.
    let seen = device.seen.last().unwrap()["t"].as_u64().unwrap();
    act();
    std::thread::sleep(Duration::from_millis(900));
    device.drain();
    let level = |coil: u64| device.seen.iter().rfind(|v| v["coil"] == coil).is_some_and(|v| v["on"] == true);
    assert!(!level(3) && !level(5), "left on: {:?}", device.seen.last());
    let last = device.seen.iter().filter(|v| v["coil"].is_u64()).map(|v| v["t"].as_u64().unwrap()).max().unwrap();
    (last - seen) as f64 / 1e6
}

/// Twenty lines in which every part is bad end by `name`; times from the valve's edge, upon which the signal comes, to the last
/// edge of any output.
fn ended_by(name: &str, with_guard: bool, watchdog: &str) -> Option<(Vec<f64>, usize, usize)> {
    let (mut times, mut parts, mut passed) = (Vec::new(), 0, 0);
    for _ in 0..20 {
        let port = free_port();
        let mut device = Peer::start("coil_device.py", &[&port.to_string(), "--watchdog", watchdog])?;
        let plant = Plant::with(10, |_| true, "", &wires(port));
        let mut run = start(&plant);
        assert!(run.wait(|v| v["schema"] == "andon.eject.v1"));
        device.drain();
        let (id, guard) = (run.id(), guard_of(run.id()));
        times.push(until_safe(&mut device, || {
            if !with_guard {
                signal(guard, "KILL");
            }
            signal(id, name);
        }));
        run.finish(Duration::from_secs(5));
        parts += count(&run.seen, "andon.verdict.v1");
        passed += of(&run.seen, "andon.verdict.v1").iter().filter(|v| v["result"] == "PASS").count();
    }
    Some((times, parts, passed))
}

#[test]
#[ignore = "takes a while: make faults"]
fn terminated() {
    let _load = Load::start();
    let Some((times, parts, passed)) = ended_by("TERM", true, "60") else { return };
    let told = format!("outputs safe: {}; wrong PASS {passed} of {parts} parts", percentiles(times));
    row("SIGTERM with the valve on", &told);
}

#[test]
#[ignore = "takes a while: make faults"]
fn killed() {
    let _load = Load::start();
    let Some((times, parts, passed)) = ended_by("KILL", true, "60") else { return };
    let told = format!("outputs safe: {}; wrong PASS {passed} of {parts} parts", percentiles(times));
    row("kill -9 with the valve on: the guard", &told);
    let Some((times, parts, passed)) = ended_by("KILL", false, "0.3") else { return };
    let told = format!("outputs safe: {}; wrong PASS {passed} of {parts} parts", percentiles(times));
    row("kill -9 of the guard too: the device's watchdog of 300 ms", &told);
}
