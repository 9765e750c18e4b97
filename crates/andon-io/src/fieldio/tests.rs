use std::path::Path;

use super::*;

fn table(text: &str) -> IoTable {
    serde_json::from_str(text).unwrap()
}

fn checked(text: &str, direction: Direction) -> (IoPoint, Vec<String>) {
    let mut wrong = Vec::new();
    let point = table(text).check("valve", direction, Path::new("/etc/andon"), &mut Check { wrong: &mut wrong });
    (point, wrong)
}

const GPIO: &str = r#"{ "driver": "gpio", "chip": "chip0", "line": 4, "active": "low" }"#;
const MODBUS: &str = r#"{ "driver": "modbus", "address": "10.0.0.5:502", "point": 3, "safe": "on" }"#;
const DRY_RUN: &str = r#"{ "driver": "dry-run" }"#;

#[test]
fn every_word_of_the_configuration_has_its_driver() {
    for (text, name) in [(GPIO, "gpio"), (MODBUS, "modbus"), (DRY_RUN, "dry-run")] {
        let (point, wrong) = checked(text, Direction::Output);
        assert_eq!((point.address.driver().name, wrong.len()), (name, 0), "{wrong:?}");
    }
}

#[test]
fn an_address_says_what_it_is_and_lies_where_the_configuration_means_it() {
    let (point, _) = checked(GPIO, Direction::Output);
    assert!(point.active_low && !point.safe);
    assert_eq!(point.address.get().describe(), "GPIO /etc/andon/chip0 line 4");
    let missing = point.address.get().check_machine().unwrap();
    assert!(missing.starts_with("there is no GPIO chip /etc/andon/chip0"), "{missing}");
    let (point, _) = checked(MODBUS, Direction::Output);
    assert!(point.safe);
    assert_eq!(point.address.get().host(), Some("10.0.0.5:502"));
}

#[test]
fn missing_keys_and_inputs_without_a_wire_are_refused_with_their_key() {
    let (_, wrong) = checked(r#"{ "driver": "gpio" }"#, Direction::Input);
    assert!(wrong[0].starts_with("inputs.valve.chip: missing") && wrong[1].starts_with("inputs.valve.line: missing"));
    let (_, wrong) = checked(r#"{ "driver": "modbus", "address": "h", "point": 1, "poll_ms": 0 }"#, Direction::Output);
    assert!(wrong[0].starts_with("outputs.valve.address: `h`") && wrong[1].starts_with("outputs.valve.poll_ms: 0"));
    let (_, wrong) = checked(DRY_RUN, Direction::Input);
    assert_eq!(wrong, ["inputs.valve.driver: an input needs a wire: gpio or modbus"]);
}

#[test]
fn an_output_that_leads_nowhere_opens_and_a_driver_that_is_not_built_says_so() {
    let mut devices = Devices::default();
    let (point, _) = checked(DRY_RUN, Direction::Output);
    assert_eq!(devices.output(&point).unwrap().name(), "valve");
    devices.wait();
    for text in [GPIO, MODBUS] {
        let (point, _) = checked(text, Direction::Output);
        let driver = point.address.driver();
        if !driver.is_built {
            let Err(e) = devices.output(&point) else { panic!("{} opened", driver.name) };
            let words = format!("the driver `{0}` is not in this build: needs --features {0}", driver.name);
            assert!(e.to_string().contains(&words), "{e}");
        }
    }
}
