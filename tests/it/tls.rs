//! MQTT over TLS with certificates of openssl on both sides; mosquitto demands the box's own.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::common::{Peer, free_port, signal};
use crate::plant::{Plant, count, mosquitto_with};

fn openssl(dir: &Path, args: &str) {
    let said = Command::new("openssl").current_dir(dir).args(args.split(' ')).output().expect("openssl is installed");
    assert!(said.status.success(), "{args}: {}", String::from_utf8_lossy(&said.stderr));
}

/// An authority, and two certificates of it.
fn certificates(dir: &Path, authority: &str) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    openssl(dir, &format!("req -x509 {key} -subj /CN={authority} -keyout {authority}.key -out {authority}.pem"));
    std::fs::write(dir.join("san"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    for name in ["broker", "box"] {
        openssl(
            dir,
            &format!("req {} -subj /CN={name} -keyout {name}.key -out {name}.csr", key.replace(" -days 2", "")),
        );
        openssl(
            dir,
            &format!(
                "x509 -req -in {name}.csr -CA {authority}.pem -CAkey {authority}.key -CAcreateserial -days 2 -extfile san \
                 -out {name}.pem"
            ),
        );
    }
}

#[test]
fn records_go_through_tls_and_only_to_a_broker_of_the_named_authority() {
    let port = free_port();
    let files = tempfile::tempdir().unwrap();
    let dir = files.path();
    certificates(dir, "plant");
    openssl(
        dir,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=other -keyout other.key -out other.pem",
    );
    let at = dir.display();
    // Started by root, mosquitto would become a user who may not read the key.
    let tls = format!(
        "cafile {at}/plant.pem\ncertfile {at}/broker.pem\nkeyfile {at}/broker.key\nrequire_certificate true\nuser root\n"
    );
    let Some(mut broker) = mosquitto_with(dir, port, &tls) else { return };
    let rest = |ca: &str| {
        format!(
            "[store]\nenabled = true\n[mqtt]\nenabled = true\nport = {port}\nrecords = [\"verdict\"]\nca = \"{at}/{ca}.pem\"\n\
             certificate = \"{at}/box.pem\"\nkey = \"{at}/box.key\"\n"
        )
    };
    let mut listener = Command::new("mosquitto_sub");
    listener.args([
        "-h",
        "127.0.0.1",
        "-p",
        &port.to_string(),
        "-q",
        "1",
        "-t",
        "andon/#",
        "-F",
        "{\"topic\":\"%t\",\"payload\":%p}",
    ]);
    for (option, file) in [("--cafile", "plant.pem"), ("--cert", "box.pem"), ("--key", "box.key")] {
        listener.arg(option).arg(dir.join(file));
    }
    let mut seen = Peer::spawn(listener.stderr(Stdio::null()));

    // A broker that another authority vouches for is none: nothing is sent, and the line runs all the same.
    let plant = Plant::new("", &rest("other"));
    let mut run = plant.run();
    assert!(run.wait(|v| v["seq"].as_u64() > Some(15)));
    signal(run.id(), "TERM");
    assert_eq!(run.finish(Duration::from_secs(10)), Some(0));
    seen.drain();
    assert!(seen.seen.is_empty(), "{:?}", seen.seen);

    let plant = Plant::new("", &rest("plant"));
    let mut run = plant.run();
    assert!(seen.wait(|v| v["payload"]["seq"].as_u64() > Some(10)), "{:?}", seen.seen.last());
    signal(run.id(), "TERM");
    assert_eq!(run.finish(Duration::from_secs(10)), Some(0));
    assert!(count(&run.seen, "andon.verdict.v1") > 10);
    assert!(seen.seen.iter().any(|v| v["payload"]["online"] == true));
    broker.kill().unwrap();
    broker.wait().unwrap();
}
