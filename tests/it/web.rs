//! The metrics endpoint, asked by a plain TCP client.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use andon_core::{
    CameraId, CameraVerdict, EventKind, ModelTag, Mono, Outcome, Reason, Regions, Score, Seq, StageTimes,
    ThermalReading,
};
use andon_line::telemetry::{JudgeState, LineState, Metrics};
use andon_service::{Health, Server};

use crate::common::{peers_python, root};

fn get(address: SocketAddr, path: &str) -> (String, String) {
    get_as(address, path, "")
}

/// With further lines in the head.
fn get_as(address: SocketAddr, path: &str, head: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

fn start(health: Health) -> (Server, Arc<Metrics>) {
    let metrics = Metrics::new(&["top".to_owned(), "side".to_owned()]);
    (Server::start("127.0.0.1:0".parse().unwrap(), metrics.clone(), health).unwrap(), metrics)
}

#[test]
fn metrics_are_openmetrics_and_count() {
    let (server, metrics) = start(Arc::new(|| Ok(())));
    metrics.offered(CameraId(1), 3);
    metrics.camera(CameraId(0), true, 4, 0);
    let hot = ThermalReading {
        what: "gpu".into(),
        celsius: Some(91.5),
        mhz: Some(306),
        full_mhz: Some(918),
        slowed: Some("too hot".into()),
    };
    metrics.machine.set(vec![hot, ThermalReading { what: "processor".into(), ..ThermalReading::default() }]);
    let (head, body) = get(server.address(), "/metrics");
    assert!(head.starts_with("http/1.1 200") && head.contains("application/openmetrics-text"), "{head}");
    assert!(body.contains("andon_parts_offered_total{camera=\"side\"} 3"), "{body}");
    assert!(
        body.contains("andon_camera_up{camera=\"top\"} 1")
            && body.contains("andon_camera_restarts_total{camera=\"top\"} 4")
    );
    for line in [
        "andon_slowed{what=\"gpu\"} 1",
        "andon_slowed{what=\"processor\"} 0",
        "andon_temperature_celsius{what=\"gpu\"} 91.5",
        "andon_clock_hertz{what=\"gpu\"} 306000000",
    ] {
        assert!(body.contains(line), "{line} missing in {body}");
    }
    assert!(body.contains("outcome=\"UNINSPECTED\",reason=\"late\"") && body.ends_with("# EOF\n"));
    // Every sample belongs to a family that was declared before it, and has a number.
    let mut families = Vec::new();
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            families.push(rest.split(' ').next().unwrap());
        } else if !line.starts_with('#') {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(families.iter().any(|f| name.starts_with(f)), "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
}

#[test]
fn health_says_which_camera_is_ill() {
    let (server, _) = start(Arc::new(|| Err(vec!["camera top is down".to_owned()])));
    let (head, body) = get(server.address(), "/healthz");
    assert!(head.starts_with("http/1.1 503"), "{head}");
    assert_eq!(body, "{\"healthy\":false,\"reasons\":[\"camera top is down\"]}");
    let (server, _) = start(Arc::new(|| Ok(())));
    assert!(get(server.address(), "/healthz").0.starts_with("http/1.1 200"));
    assert!(get(server.address(), "/nothing").0.starts_with("http/1.1 404"));
}

#[test]
fn a_port_in_use_is_named_and_a_stop_is_quick() {
    let (server, metrics) = start(Arc::new(|| Ok(())));
    // A client that connects and says nothing must not hold up the stop.
    let _idle = TcpStream::connect(server.address()).unwrap();
    let message = Server::start(server.address(), metrics, Arc::new(|| Ok(()))).unwrap_err().to_string();
    assert!(message.contains(&server.address().to_string()) && message.contains("metrics.listen"), "{message}");
    let before = Instant::now();
    drop(server);
    assert!(before.elapsed() < Duration::from_secs(3));
}

/// A part that was rejected; only its score and its times count here.
fn verdict(score: f32, latency_ms: u64) -> CameraVerdict {
    let tag = ModelTag {
        name: "m".into(),
        blake3: "0".into(),
        engine: "rten".into(),
        threshold: 3.0,
        baseline: 0.0,
        picture_size: [0; 2],
        sources: vec![],
        recipe: None,
    };
    CameraVerdict {
        camera: CameraId(0),
        seq: Seq(0),
        source_index: None,
        t_trigger: Mono(0),
        trigger_id: None,
        encoder: None,
        outcome: Outcome::Reject,
        reason: Reason::OverThreshold,
        score: Score::new(score),
        threshold: 3.0,
        regions: Regions::default(),
        t_capture: Mono(0),
        t_verdict: Mono(latency_ms * 1_000_000),
        deadline: Mono(0),
        queue_ns: 0,
        times: StageTimes::default(),
        model: Arc::new(tag),
        degraded: false,
    }
}

/// What Prometheus' own parser makes of it: families by name; `None` where there are no peers.
fn parsed(text: &str, format: &str) -> Option<serde_json::Value> {
    let mut parser = Command::new(peers_python()?)
        .arg(root().join("tests/peers/openmetrics.py"))
        .arg(format)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    parser.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = parser.wait_with_output().unwrap();
    assert!(output.status.success(), "refused:\n{text}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// The value of a sample with these labels.
fn value(families: &serde_json::Value, family: &str, sample: &str, labels: serde_json::Value) -> Option<f64> {
    let samples = families[family]["samples"].as_array()?;
    samples.iter().find(|s| s[0] == sample && s[1] == labels)?[2].as_f64()
}

#[test]
fn prometheus_own_parsers_take_the_metrics_and_find_what_was_counted() {
    use serde_json::json;
    let (server, metrics) = start(Arc::new(|| Ok(())));
    let judge = JudgeState {
        camera: "top".into(),
        model: "a \"flange\"\n\\".into(),
        blake3: "ab12".into(),
        engine: "rten".into(),
        threshold: 3.0,
        own_threshold: 2.0,
        degraded: false,
    };
    let state = LineState {
        judges: vec![judge],
        line_stop: true,
        encoder_lost: true,
        outputs: [("stop".to_owned(), false), ("valve".to_owned(), true)].into(),
        inputs: [("eye".to_owned(), true)].into(),
        shed: vec![("records", 7)],
    };
    metrics.watch(move || state.clone());
    metrics.offered(CameraId(0), 2);
    metrics.notice(EventKind::OutputFault);
    for (score, latency_ms) in [(1.5, 15), (3.3, 250), (0.9, 20_000)] {
        metrics.ended(CameraId(0), &verdict(score, latency_ms));
    }
    let Some(open) = parsed(&get(server.address(), "/metrics").1, "openmetrics") else { return };
    let top = json!({"camera": "top"});
    let with = |name: &str, value: &str| json!({"camera": "top", name: value});
    let bucket = |family: &str, le: &str| value(&open, family, &format!("{family}_bucket"), with("le", le));
    assert_eq!(bucket("andon_latency_seconds", "+Inf"), Some(3.0), "{open}");
    assert_eq!(bucket("andon_latency_seconds", "10.0"), Some(2.0), "{open}");
    assert_eq!(bucket("andon_latency_seconds", "0.015"), Some(1.0), "{open}");
    assert_eq!(value(&open, "andon_latency_seconds", "andon_latency_seconds_count", top.clone()), Some(3.0));
    let ratio =
        (bucket("andon_score_ratio", "0.4"), bucket("andon_score_ratio", "1.0"), bucket("andon_score_ratio", "+Inf"));
    assert_eq!(ratio, (Some(1.0), Some(2.0), Some(3.0)), "{open}");
    let model = json!({"camera": "top", "model": "a \"flange\"\n\\", "blake3": "ab12", "engine": "rten"});
    for (family, sample, labels, expected) in [
        ("andon_parts_offered", "andon_parts_offered_total", top.clone(), 2.0),
        ("andon_model", "andon_model_info", model, 1.0),
        ("andon_threshold", "andon_threshold", top.clone(), 3.0),
        ("andon_threshold_override_ratio", "andon_threshold_override_ratio", top.clone(), 1.5),
        ("andon_line_stop", "andon_line_stop", json!({}), 1.0),
        ("andon_encoder_lost", "andon_encoder_lost", json!({}), 1.0),
        ("andon_output_fault", "andon_output_fault", json!({"output": "valve"}), 1.0),
        ("andon_output_fault", "andon_output_fault", json!({"output": "stop"}), 0.0),
        ("andon_input_fault", "andon_input_fault", json!({"input": "eye"}), 1.0),
        ("andon_channel_shed", "andon_channel_shed_total", json!({"channel": "records"}), 7.0),
        ("andon_notices", "andon_notices_total", json!({"kind": "output_fault"}), 1.0),
    ] {
        assert_eq!(value(&open, family, sample, labels), Some(expected), "{sample} in {open}");
    }
    let older = "Accept: text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n";
    let (head, text) = get_as(server.address(), "/metrics", older);
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    let plain = parsed(&text, "plain").unwrap();
    assert_eq!(value(&plain, "andon_parts_offered", "andon_parts_offered_total", top), Some(2.0), "{plain}");
    assert_eq!(plain["andon_parts_offered"]["type"], "counter");
    assert_eq!(plain["andon_latency_seconds"]["type"], "histogram");
    let both = "Accept: application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.4\r\n";
    assert!(get_as(server.address(), "/metrics", both).0.contains("openmetrics-text"));
}

#[test]
fn silent_and_slow_connections_keep_nobody_from_the_metrics() {
    let (server, _) = start(Arc::new(|| Ok(())));
    let silent: Vec<TcpStream> = (0..300).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    let before = Instant::now();
    assert!(get(server.address(), "/metrics").0.starts_with("http/1.1 200"));
    assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
    let open = |streams: &[TcpStream]| {
        let closed = |mut s: &TcpStream| {
            s.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
            let mut byte = [0];
            !matches!(s.read(&mut byte), Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
        };
        streams.iter().filter(|s| !closed(s)).count()
    };
    assert!(open(&silent) <= 64, "the oldest gave way: {}", open(&silent));
    // One that sends its head byte by byte ends too.
    let mut slow = TcpStream::connect(server.address()).unwrap();
    let byte = |stream: &mut TcpStream| {
        std::thread::sleep(Duration::from_millis(100));
        stream.write_all(b"G").is_ok()
    };
    let bytes = (0..150).take_while(|_| byte(&mut slow)).count();
    assert!(bytes < 120, "{bytes} bytes, one each 100 ms");
    assert_eq!(open(&silent), 0, "after the time that a head may take");
}

#[test]
fn the_first_page_names_the_others() {
    let (server, _) = start(Arc::new(|| Ok(())));
    let (head, body) = get(server.address(), "/");
    assert!(head.starts_with("http/1.1 200") && head.contains("text/html"), "{head}");
    assert!(body.contains("href=\"/metrics\"") && body.contains("href=\"/healthz\""), "{body}");
}
