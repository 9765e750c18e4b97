//! The Modbus server, asked by raw sockets and by pymodbus; its peers also say nothing, half of something, and nonsense.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use andon_core::CameraId;
use andon_core::{Actor, ChallengeSign, ChallengeState, Control, ControlError, RecipeState};
use andon_io::sinks::modbus_server::{ModbusServer, ModbusServerOptions};

use crate::common::{Peer, free_port, until};

/// A server with the blocks of two cameras.
fn server(idle: Duration) -> (ModbusServer, SocketAddr) {
    let listen = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let options = ModbusServerOptions { listen, allow_write: true, takes_triggers: false, idle };
    (ModbusServer::start(options, 2, Arc::new(Recipes::default())).unwrap(), listen)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn request(pdu: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x77, 1, 0, 0, 0, pdu.len() as u8 + 1, 9];
    bytes.extend(pdu);
    bytes
}

/// The next answer's function code and data; `None` when the connection has ended.
fn answer(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = [0u8; 7];
    stream.read_exact(&mut head).ok()?;
    assert_eq!((&head[..4], head[6]), (&[0x77, 1, 0, 0][..], 9));
    let mut pdu = vec![0; usize::from(u16::from_be_bytes([head[4], head[5]])) - 1];
    stream.read_exact(&mut pdu).ok()?;
    Some(pdu)
}

fn ask(stream: &mut TcpStream, pdu: &[u8]) -> Option<Vec<u8>> {
    stream.write_all(&request(pdu)).ok()?;
    answer(stream)
}

/// Registers 0 and 1: the status and the version of the map.
const HELLO: [u8; 5] = [4, 0, 0, 0, 2];

/// How long it takes until the server closes the connection.
fn closed_after(stream: &mut TcpStream) -> Duration {
    let begun = Instant::now();
    match stream.read(&mut [0; 16]) {
        Ok(0) => begun.elapsed(),
        Err(e) if e.kind() == ErrorKind::ConnectionReset => begun.elapsed(),
        other => panic!("{other:?} after {:?}", begun.elapsed()),
    }
}

#[test]
fn silent_connections_shut_no_plc_out() {
    let (_server, address) = server(Duration::from_secs(60));
    let mut plc = connect(address);
    assert_eq!(ask(&mut plc, &HELLO).unwrap()[..2], [4, 4]);
    let mut silent: Vec<TcpStream> = (0..40).map(|_| connect(address)).collect();
    std::thread::sleep(Duration::from_millis(200));
    assert!(ask(&mut plc, &HELLO).is_some(), "who talks keeps its place");
    let mut second = connect(address);
    assert!(ask(&mut second, &HELLO).is_some(), "a new one gets a place");
    assert!(closed_after(&mut silent[0]) < Duration::from_secs(1), "the oldest silent one gave way");
    assert!(ask(&mut silent[39], &HELLO).is_some(), "the newest did not");
}

#[test]
fn a_connection_that_asks_nothing_ends_and_one_that_polls_does_not() {
    let (_server, address) = server(Duration::from_secs(1));
    let (mut silent, mut plc) = (connect(address), connect(address));
    for _ in 0..6 {
        assert!(ask(&mut plc, &HELLO).is_some());
        std::thread::sleep(Duration::from_millis(300));
    }
    assert!(closed_after(&mut silent) < Duration::from_millis(200), "after 1.8 s");
    let after = closed_after(&mut plc);
    assert!((Duration::from_millis(400)..Duration::from_secs(3)).contains(&after), "{after:?}");
}

#[test]
fn a_request_that_dribbles_or_stops_half_way_is_cut_off() {
    let (_server, address) = server(Duration::from_secs(60));
    let mut half = connect(address);
    half.write_all(&request(&HELLO)[..9]).unwrap();
    let mut dribble = connect(address);
    let begun = Instant::now();
    // The header of a request of 254 bytes, a byte each 100 ms.
    let long: Vec<u8> = [0x77, 1, 0, 0, 0, 254, 9].into_iter().chain(std::iter::repeat_n(0, 248)).collect();
    let sent = long.chunks(1).take_while(|byte| {
        std::thread::sleep(Duration::from_millis(100));
        dribble.write_all(byte).is_ok()
    });
    let sent = sent.count();
    assert!(sent < 60 && begun.elapsed() < Duration::from_secs(8), "{sent} bytes in {:?}", begun.elapsed());
    assert!(closed_after(&mut half) < Duration::from_millis(200));
    // In pieces, but in time.
    let mut plc = connect(address);
    for byte in request(&HELLO) {
        plc.write_all(&[byte]).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(answer(&mut plc).unwrap()[..2], [4, 4]);
}

#[test]
fn nonsense_ends_its_own_connection_only() {
    let (_server, address) = server(Duration::from_secs(60));
    let mut plc = connect(address);
    for nonsense in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 64], &[0xFF; 300], &[0x77, 1, 0, 1, 0, 6, 9, 4, 0, 0, 0, 2]] {
        let mut stream = connect(address);
        stream.write_all(nonsense).unwrap();
        assert!(closed_after(&mut stream) < Duration::from_secs(1), "{nonsense:?}");
        assert!(ask(&mut plc, &HELLO).is_some());
    }
}

#[test]
fn wrong_requests_get_the_exception_of_the_standard_and_the_next_one_is_answered() {
    let (_server, address) = server(Duration::from_secs(60));
    let mut plc = connect(address);
    for (pdu, exception) in [
        (&[3u8, 0, 0, 0, 126][..], 3),
        (&[3, 0, 0, 0, 0], 3),
        (&[4, 0, 0, 1, 0], 3),
        (&[1, 0, 0, 7, 209], 3),
        (&[15, 0, 0, 0, 9, 1, 0], 3),
        (&[16, 0, 40, 0, 1, 3, 0, 0], 3),
        (&[5, 0, 0, 1, 0], 3),
        (&[3, 0, 150, 0, 100], 2),
        (&[3, 255, 255, 0, 1], 2),
        (&[6, 0, 0, 0, 1], 2),
        (&[16, 0, 40, 0, 2, 4, 0, 0, 0, 0], 2),
        (&[5, 0, 32, 255, 0], 2),
        (&[7], 1),
        (&[43, 14, 1, 0], 1),
    ] {
        assert_eq!(ask(&mut plc, pdu).unwrap(), [pdu[0] | 0x80, exception], "{pdu:?}");
    }
    // Two at once are answered in order.
    plc.write_all(&[request(&[3, 0, 1, 0, 1]), request(&[2, 0, 0, 0, 3])].concat()).unwrap();
    assert_eq!((answer(&mut plc).unwrap(), answer(&mut plc).unwrap()), (vec![3, 2, 0, 1], vec![2, 1, 0]));
    assert_eq!(ask(&mut plc, &[3, 0, 75, 0, 125]).unwrap().len(), 252, "the most that can be read");
    assert_eq!(ask(&mut plc, &[16, 0, 140, 0, 1, 2, 0, 8]).unwrap(), [16, 0, 140, 0, 1]);
    assert_eq!(ask(&mut plc, &[1, 0, 16, 0, 16]).unwrap(), [1, 2, 8, 0], "the register's bits are the coils");
}

#[test]
fn pymodbus_reads_writes_and_is_refused() {
    let (_server, address) = server(Duration::from_secs(60));
    let Some(mut client) = Peer::start("modbus_client.py", &[&address.port().to_string()]) else { return };
    assert_eq!(client.finish(Duration::from_secs(20)), Some(0), "{:?}", client.seen);
    let last = client.seen.last().unwrap();
    assert_eq!(last["read"], serde_json::json!([1, 125, 20]), "{last}");
    assert_eq!(last["coils"], serde_json::json!([true, false, true]), "{last}");
    assert_eq!(last["refused"], serde_json::json!([2, 2, 1, 1]), "{last}");
}

/// A line that is changed over to recipe 7 and to no other, and whose second camera can be challenged once.
#[derive(Default)]
struct Recipes(std::sync::Mutex<u16>, std::sync::atomic::AtomicBool);

impl Control for Recipes {
    fn threshold(&self, _: CameraId) -> f32 {
        1.0
    }

    fn set_threshold(&self, _: CameraId, _: f32, _: &Actor, _: &str) -> Result<(), ControlError> {
        Err(ControlError::NoTriggers)
    }

    fn trigger(&self, _: Option<u64>) -> Result<(), ControlError> {
        Err(ControlError::NoTriggers)
    }

    fn release(&self, _: &Actor) -> Result<(), ControlError> {
        Ok(())
    }

    fn challenge(&self, _: CameraId, _: ChallengeSign) -> Result<(), ControlError> {
        Ok(())
    }

    fn recipe(&self) -> RecipeState {
        RecipeState { name: None, number: *self.0.lock().unwrap(), changing: false }
    }

    fn change_recipe(&self, recipe: &str, by: &Actor) -> Result<(), ControlError> {
        assert_eq!(by, &Actor::modbus());
        if recipe != "7" {
            return Err(ControlError::NotAllowed(format!("there is no recipe {recipe}")));
        }
        *self.0.lock().unwrap() = 7;
        Ok(())
    }

    fn challenge_state(&self, camera: CameraId) -> ChallengeState {
        let runs = camera == CameraId(1) && self.1.load(std::sync::atomic::Ordering::Relaxed);
        if runs { ChallengeState::Running } else { ChallengeState::None }
    }

    fn start_challenge(&self, camera: CameraId, by: &Actor) -> Result<(), ControlError> {
        assert_eq!((camera, by), (CameraId(1), &Actor::modbus()));
        match self.1.swap(true, std::sync::atomic::Ordering::Relaxed) {
            false => Ok(()),
            true => Err(ControlError::NotAllowed("one runs already".to_owned())),
        }
    }

    fn config_json(&self) -> String {
        String::new()
    }
}

#[test]
fn a_plc_changes_the_line_over_by_a_number_and_hears_when_nothing_came_of_it() {
    let listen = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let idle = Duration::from_secs(60);
    let options = ModbusServerOptions { listen, allow_write: true, takes_triggers: false, idle };
    let _server = ModbusServer::start(options, 2, Arc::new(Recipes::default())).unwrap();
    let mut plc = connect(listen);
    // Function 6 on the recipe register of the second block, then functions 4 and 2 on what says what came of it.
    let write = |number: u8| [6, 0, 141, 0, number];
    let number = |plc: &mut TcpStream| ask(plc, &[4, 0, 130, 0, 1]).map(|pdu| u16::from_be_bytes([pdu[2], pdu[3]]));
    let failed = |plc: &mut TcpStream| ask(plc, &[2, 0, 16 + 10, 0, 1]).map(|pdu| pdu[2] & 1 == 1);
    assert_eq!(number(&mut plc), Some(0));
    assert_eq!(ask(&mut plc, &write(7)).unwrap()[0], 6);
    assert!(until(10, || number(&mut plc) == Some(7)));
    assert_eq!(failed(&mut plc), Some(false));
    assert_eq!(ask(&mut plc, &write(9)).unwrap()[0], 6, "it was begun");
    assert!(until(10, || failed(&mut plc) == Some(true)));
    assert_eq!(number(&mut plc), Some(7), "and everything is as it was");
}

#[test]
fn a_plc_starts_a_challenge_by_a_coil_and_reads_how_it_is() {
    let listen = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let options =
        ModbusServerOptions { listen, allow_write: true, takes_triggers: false, idle: Duration::from_secs(60) };
    let _server = ModbusServer::start(options, 2, Arc::new(Recipes::default())).unwrap();
    let mut plc = connect(listen);
    let states = |plc: &mut TcpStream| {
        [31u8, 131].map(|at| ask(plc, &[4, 0, at, 0, 1]).map(|pdu| u16::from_be_bytes([pdu[2], pdu[3]])).unwrap())
    };
    let failed = |plc: &mut TcpStream| ask(plc, &[2, 0, 16 + 10, 0, 1]).map(|pdu| pdu[2] & 1 == 1);
    assert_eq!(states(&mut plc), [0, 0]);
    let coil = |on: u8| [5, 0, 16 + 5, on, 0];
    assert_eq!(ask(&mut plc, &coil(255)).unwrap()[0], 5);
    assert_eq!((states(&mut plc), failed(&mut plc)), ([0, 1], Some(false)));
    ask(&mut plc, &coil(0)).unwrap();
    ask(&mut plc, &coil(255)).unwrap();
    assert_eq!((states(&mut plc), failed(&mut plc)), ([0, 1], Some(true)), "one at a time");
}

/// A line of its own process, killed with the test.
#[cfg(all(feature = "page", feature = "rten", feature = "gst"))]
struct Killed(std::process::Child);

#[cfg(all(feature = "page", feature = "rten", feature = "gst"))]
impl Drop for Killed {
    fn drop(&mut self) {
        if self.0.kill().is_ok() {
            drop(self.0.wait());
        }
    }
}

#[cfg(all(feature = "page", feature = "rten", feature = "gst"))]
#[test]
fn without_a_page_a_plc_changes_the_recipe_with_an_audit_and_the_next_start_begins_with_it() {
    use crate::common::{andon, flange_model, write_png};

    let dir = tempfile::tempdir().unwrap();
    let (belt, mut rgb) = (andon_sim::Conveyor::new(andon_sim::SimSpec::default()), Vec::new());
    for n in 0..2 {
        belt.paint_good(n, &mut rgb);
        write_png(&dir.path().join(format!("{n:05}.png")), belt.spec().side, &rgb);
    }
    for name in ["part.andon", "other.andon"] {
        std::fs::copy(flange_model(), dir.path().join(name)).unwrap();
    }
    let listen = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let config = dir.path().join("andon.toml");
    let written = format!(
        "[engine]\nkind = \"rten\"\n[modbus_server]\nenabled = true\nlisten = \"{listen}\"\nallow_write = true\n\
         [recipes.first]\nnumber = 1\nmodels.top = \"part.andon\"\n[recipes.other]\nnumber = 2\nmodels.top = \"other.andon\"\n\
         [cameras.top]\npipeline = \"images\"\nmodel = \"part.andon\"\ndeadline_ms = 5000\n\
         vars = {{ pattern = \"{}/%05d.png\", type = \"image/png\", decoder = \"pngdec\", fps = \"5\", loop = \"true\" }}\n",
        dir.path().display()
    );
    std::fs::write(&config, written).unwrap();
    let start = || {
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let mut command = andon(&["run", "-c", config.to_str().unwrap()]);
        Killed(command.stdout(std::process::Stdio::null()).stderr(log).spawn().unwrap())
    };
    let plc = || {
        assert!(
            until(60, || TcpStream::connect(listen).is_ok()),
            "{:?}",
            std::fs::read_to_string(dir.path().join("log"))
        );
        connect(listen)
    };
    let number = |plc: &mut TcpStream| ask(plc, &[4, 0, 30, 0, 1]).map(|pdu| u16::from_be_bytes([pdu[2], pdu[3]]));
    let line = start();
    let mut asks = plc();
    assert_eq!(number(&mut asks), Some(1));
    assert_eq!(ask(&mut asks, &[6, 0, 41, 0, 2]).unwrap()[0], 6);
    assert!(until(30, || number(&mut asks) == Some(2)));
    let coil = [5, 0, 5, 255, 0];
    assert_eq!(ask(&mut asks, &coil).unwrap()[0], 5);
    let failed = ask(&mut asks, &[2, 0, 10, 0, 1]).unwrap()[2] & 1;
    assert_eq!(failed, 1, "nobody would see what becomes of a challenge");
    drop(line);
    let accounts = andon_service::accounts::Accounts::open(&dir.path().join("andon-page.db")).unwrap();
    let audit = accounts.audit(None, 10).unwrap();
    let acts: Vec<_> = audit.iter().map(|e| (e.user.as_str(), e.via.as_str(), e.act.as_str(), e.done)).collect();
    assert_eq!(acts, [("plc", "modbus", "change_recipe", true)]);
    let _again = start();
    assert_eq!(number(&mut plc()), Some(2));
}
