//! The metrics endpoint, asked by a plain TCP client.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use andon::telemetry::Metrics;
use andon::types::{CameraId, ClockState};
use andon::web::{Health, Server};

fn get(address: SocketAddr, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
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
    let hot = ClockState {
        what: "gpu".into(),
        celsius: Some(91.5),
        mhz: Some(306),
        full_mhz: Some(918),
        slowed: Some("too hot".into()),
    };
    metrics.machine.set(vec![hot, ClockState { what: "processor".into(), ..ClockState::default() }]);
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
