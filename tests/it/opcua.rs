//! The OPC UA server beside a client that we did not write: asyncua.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::common::{Peer, free_port, said, signal};
use crate::plant::{Plant, of};

#[test]
fn a_client_sees_each_result_with_its_fields_and_may_write_none() {
    let port = free_port();
    let plant = Plant::new("", &format!("[opcua]\nenabled = true\nlisten = \"127.0.0.1:{port}\"\n"));
    let mut run = plant.run();
    let Some(mut client) = Peer::start("opcua_client.py", &[&port.to_string(), "top", "3"]) else { return };
    assert_eq!(client.seen[0]["writable"], false, "nobody may write");
    assert_eq!(client.finish(Duration::from_secs(20)), Some(0), "{:?}", client.seen.last());
    signal(run.id(), "TERM");
    assert_eq!(run.finish(Duration::from_secs(10)), Some(0));

    let verdicts: BTreeMap<&str, &Value> =
        of(&run.seen, "andon.verdict.v1").into_iter().map(|v| (v["id"].as_str().unwrap(), v)).collect();
    let results: Vec<&Value> =
        client.seen.iter().filter(|v| v["ResultId"].as_str().is_some_and(|id| !id.is_empty())).collect();
    assert!(results.len() >= 20, "ten a second for three seconds: {}", results.len());
    let numbers: Vec<u64> = results.iter().map(|r| r["number"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|w| w[0] < w[1]), "{numbers:?}");
    for r in &results {
        let v = verdicts[r["ResultId"].as_str().unwrap()];
        assert_eq!(r["Result"], v["result"]);
        assert_eq!(r["Reason"], v["reason"]);
        assert_eq!(r["PartId"], v["seq"]);
        let (state, evaluation) = match v["result"].as_str().unwrap() {
            "PASS" => (1, "OK"),
            "REJECT" => (1, "NotOK"),
            "UNINSPECTED" => (3, "NotDecidable"),
            _ => (4, "NotDecidable"),
        };
        assert_eq!((r["ResultState"].as_i64(), r["ResultEvaluation"].as_str()), (Some(state), Some(evaluation)));
        assert_eq!(r["Score"].as_f64().unwrap() as f32, v["score"].as_f64().map_or(-1.0, |s| s as f32));
    }
    assert!(results.iter().any(|r| r["ResultEvaluation"] == "OK"));
    assert!(results.iter().any(|r| r["ResultEvaluation"] == "NotOK"));
    let end = client.seen.last().unwrap();
    assert_eq!((&end["state"], &end["operational"]), (&"ContinuousExecution".into(), &true.into()));
    assert!(end["offered"].as_u64().unwrap() >= 10, "{end}");
}

#[test]
fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap();
    let plant = Plant::new("", &format!("[opcua]\nenabled = true\nlisten = \"{listen}\"\n"));
    let said = said(&["run", "-c", plant.config.to_str().unwrap(), "--set", "cameras.top.threshold_unsafe=true"]);
    assert_eq!(said.code, 78, "{}", said.err);
    assert!(said.err.contains("opcua.listen") && said.err.contains(&listen.to_string()), "{}", said.err);
}
