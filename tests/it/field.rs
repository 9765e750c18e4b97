//! Wires on a Modbus device that shares no code with us (pymodbus), and GPIO where the kernel can simulate it.

use std::time::Duration;

use andon_core::Mono;
use andon_core::{BeltSource, Encoder, EncoderFault, FieldError, Input, SharedEncoder};
use andon_io::fieldio::modbus::{CoilDevice, ModbusEncoder, ModbusInput, ModbusPoint};
use serde_json::{Value, json};

use crate::common::{self, Peer, signal, until};

fn point(port: u16, point: u16) -> ModbusPoint {
    let timeout = Duration::from_millis(100);
    ModbusPoint { name: "wire".into(), address: format!("127.0.0.1:{port}"), unit: 1, point, timeout }
}

fn device(args: &[&str]) -> Option<(Peer, u16)> {
    let port = common::free_port();
    let text = port.to_string();
    Some((Peer::start("coil_device.py", &[&[text.as_str()], args].concat())?, port))
}

/// The changes of a coil so far.
fn edges(peer: &mut Peer, coil: u64) -> Vec<bool> {
    peer.drain();
    peer.seen.iter().filter(|v| v["coil"] == coil).map(|v| v["on"].as_bool().unwrap()).collect()
}

#[test]
fn coils_do_what_they_are_told_and_are_left_safe() {
    let Some((mut peer, port)) = device(&[]) else { return };
    let bank = CoilDevice::start(point(port, 0)).unwrap();
    let mut valve = bank.coil("valve", 3, false, false);
    let mut inverse = bank.coil("inverse", 4, true, false);
    drop(bank);
    assert!(until(10, || valve.fault().is_none()), "{:?}", valve.fault());
    for _ in 0..20 {
        valve.set(true);
        valve.set(false);
    }
    valve.set(true);
    assert!(until(10, || edges(&mut peer, 3).len() == 41), "no edge is left out: {:?}", edges(&mut peer, 3));
    assert!(until(10, || edges(&mut peer, 4) == [true]), "off is the high level of an inverted coil");
    inverse.set(true);
    assert!(until(10, || edges(&mut peer, 4) == [true, false]));
    // Longer than the device's watchdog: it is kept alive.
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(edges(&mut peer, 3).last(), Some(&true));
    drop((valve, inverse));
    let dropped = Mono::now();
    assert!(until(10, || edges(&mut peer, 3).last() == Some(&false)));
    let off = peer.seen.iter().rfind(|v| v["coil"] == 3).unwrap();
    assert!(off["t"].as_u64().unwrap() <= dropped.0, "safe before the drop returned");
    assert!(!peer.seen.iter().any(|v| v["watchdog"] == true));
}

#[test]
fn a_device_that_freezes_or_goes_is_a_fault_until_it_is_back() {
    let Some((mut peer, port)) = device(&["--watchdog", "60"]) else { return };
    let bank = CoilDevice::start(point(port, 0)).unwrap();
    let mut valve = bank.coil("valve", 0, false, false);
    assert!(bank.ready(Duration::from_secs(10)));
    signal(peer.id(), "STOP");
    let start = Mono::now();
    valve.set(true);
    valve.set(false);
    valve.set(true);
    assert!(Mono::now().since(start) < Duration::from_millis(90), "an order does not wait for the device's 100 ms");
    assert!(until(10, || valve.fault().is_some()));
    signal(peer.id(), "CONT");
    assert!(until(10, || valve.fault().is_none()), "{:?}", valve.fault());
    assert!(until(10, || edges(&mut peer, 0).last() == Some(&true)), "the level of now");
    drop(peer);
    assert!(until(10, || valve.fault().is_some()));
    let nobody = CoilDevice::start(point(common::free_port(), 0)).unwrap();
    let lonely = nobody.coil("lonely", 0, false, false);
    assert!(!nobody.ready(Duration::from_millis(300)) && lonely.fault().unwrap().contains("127.0.0.1"));
}

#[test]
fn inputs_tell_rising_edges_and_encoders_their_count() {
    let Some((mut peer, port)) = device(&[]) else { return };
    let set = |peer: &mut Peer, command: Value| {
        let (what, _) = command.as_object().unwrap().iter().next().unwrap();
        let what = what.clone();
        peer.tell(command);
        assert!(peer.wait(|v| !v[&what].is_null()), "{:?}", peer.seen);
    };
    set(&mut peer, json!({"input": [5, true]}));
    let mut eye = ModbusInput::new(point(port, 5), Duration::from_millis(2), false);
    let next = |eye: &mut ModbusInput, ms: u64| eye.next(Mono::now() + Duration::from_millis(ms)).unwrap();
    assert_eq!(next(&mut eye, 400), None, "what was on before is no edge");
    set(&mut peer, json!({"input": [5, false]}));
    assert_eq!(next(&mut eye, 400), None);
    let before = Mono::now();
    set(&mut peer, json!({"input": [5, true]}));
    let edge = next(&mut eye, 10_000).expect("an edge");
    assert!(edge.at >= before && edge.at <= Mono::now());

    // 8,000 counts a second on 16 bits wrap every eight seconds: start near the end.
    let track = SharedEncoder::new(1 << 16, 10_000.0, 2_500);
    let mut encoder = ModbusEncoder::new(point(port, 0), Duration::from_millis(5), 1);
    set(&mut peer, json!({"encoder": 8000}));
    set(&mut peer, json!({"count": 64_000}));
    let read = |encoder: &mut ModbusEncoder, ms: u64| encoder.read(&track, Mono::now() + Duration::from_millis(ms));
    let start = Mono::now();
    read(&mut encoder, 700).unwrap();
    let (belt, since) = (track.at(Mono::now()), Mono::now().since(start).as_secs_f64());
    assert!((7_000.0..9_000.0).contains(&belt.rate), "{belt:?}");
    // From the first reading on, over the wrap; a busy machine reads later and belongs to the tolerance.
    let off = |ticks: i64, since: f64| (ticks as f64 - since * 8_000.0).abs();
    assert!(off(belt.ticks.0, since) < 1_500.0, "{belt:?} after {since} s");
    assert_eq!(track.trouble(), None);
    set(&mut peer, json!({"count": 30_000}));
    let mut trouble = None;
    assert!(until(10, || {
        read(&mut encoder, 50).unwrap();
        trouble = trouble.or(track.trouble());
        trouble.is_some()
    }));
    assert_eq!(trouble, Some(EncoderFault::Reset));
    let (belt, since) = (track.at(Mono::now()), Mono::now().since(start).as_secs_f64());
    assert!(off(belt.ticks.0, since) < 2_000.0, "the jump was bridged: {belt:?} after {since} s");
    signal(peer.id(), "STOP");
    assert!(matches!(read(&mut encoder, 1000), Err(FieldError::Modbus { .. })));
    signal(peer.id(), "CONT");
    assert!(until(10, || read(&mut encoder, 50).is_ok()));
}

#[cfg(feature = "gpio")]
#[test]
fn gpio_lines_of_a_missing_chip_are_refused_by_name() {
    use andon_io::fieldio::gpio::{GpioEncoder, GpioInput, GpioLine, GpioOutput};
    let spec = || GpioLine {
        name: "valve".into(),
        chip: "/dev/gpiochip-none".into(),
        line: 7,
        active_low: false,
        pull: false,
    };
    let errors = [
        GpioOutput::open(spec(), false).err().unwrap(),
        GpioInput::open(spec(), Duration::ZERO).err().unwrap(),
        GpioEncoder::open(spec(), Some(8)).err().unwrap(),
    ];
    for e in errors.map(|e| e.to_string()) {
        assert!(e.contains("line 7 of /dev/gpiochip-none (valve)") && e.contains("andon doctor"), "{e}");
    }
}

/// Real lines, where the kernel has gpio-sim and this user may use it: an output pulls another line's level up and down.
#[cfg(feature = "gpio")]
#[test]
fn gpio_lines_of_the_kernels_simulator() {
    use andon_core::Output as _;
    use andon_io::fieldio::gpio::{GpioInput, GpioLine, GpioOutput};
    let base = std::path::Path::new("/sys/kernel/config/gpio-sim");
    if !base.is_dir() {
        eprintln!("skipped: this kernel has no gpio-sim (/sys/kernel/config/gpio-sim)");
        return;
    }
    let dir = base.join("andon-test");
    let write = |name: &str, text: &str| std::fs::write(dir.join(name), text);
    let made = std::fs::create_dir(&dir)
        .and_then(|()| std::fs::create_dir(dir.join("bank")))
        .and_then(|()| write("bank/num_lines", "4"))
        .and_then(|()| write("live", "1"));
    if let Err(e) = made {
        eprintln!("skipped: gpio-sim cannot be configured here: {e}");
        return;
    }
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap().trim().to_owned();
    let (chip, device) = (format!("/dev/{}", read("bank/chip_name")), read("dev_name"));
    let sysfs = |line: u32, file: &str| {
        format!("/sys/devices/platform/{device}/{}/sim_gpio{line}/{file}", read("bank/chip_name"))
    };
    let spec = |line: u32, active_low: bool| GpioLine {
        name: "wire".into(),
        chip: chip.clone().into(),
        line,
        active_low,
        pull: false,
    };
    {
        let mut valve = GpioOutput::open(spec(0, false), false).unwrap();
        let mut inverse = GpioOutput::open(spec(1, true), false).unwrap();
        valve.set(true);
        inverse.set(true);
        let level = |line: u32| std::fs::read_to_string(sysfs(line, "value")).unwrap().trim().to_owned();
        assert_eq!((level(0), level(1)), ("1".to_owned(), "0".to_owned()));
        drop(valve);
        let mut eye = GpioInput::open(spec(2, false), Duration::from_millis(2)).unwrap();
        std::fs::write(sysfs(2, "pull"), "pull-up").unwrap();
        let edge = eye.next(Mono::now() + Duration::from_secs(2)).unwrap().expect("an edge");
        assert!(Mono::now().since(edge.at) < Duration::from_secs(2));
    }
    drop(write("live", "0"));
    drop(std::fs::remove_dir(dir.join("bank")).and_then(|()| std::fs::remove_dir(&dir)));
}
