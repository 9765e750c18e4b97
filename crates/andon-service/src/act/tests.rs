use std::sync::{Arc, Mutex};

use super::*;
use crate::accounts::Accounts;
use crate::live::{Board, PageRecord};
use andon_core::{CameraId, ChallengeSign, Control, ControlError, EventKind, LineEvent, Mono, Via};
use andon_io::sinks::wire::StationInfo;

/// A line that does as it is told, and refuses thresholds over 20.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Control for Told {
    fn threshold(&self, _: CameraId) -> f32 {
        12.5
    }

    fn set_threshold(&self, camera: CameraId, value: f32, _: &Actor, _: &str) -> Result<(), ControlError> {
        if value > 20.0 {
            return Err(ControlError::NoSuchCamera);
        }
        self.0.lock().unwrap().push(format!("{} {value}", camera.0));
        Ok(())
    }

    fn trigger(&self, _: Option<u64>) -> Result<(), ControlError> {
        Ok(())
    }

    fn release(&self, by: &Actor) -> Result<(), ControlError> {
        self.0.lock().unwrap().push(format!("released by {}", by.user));
        Ok(())
    }

    fn challenge(&self, _: CameraId, _: ChallengeSign) -> Result<(), ControlError> {
        Ok(())
    }

    fn config_json(&self) -> String {
        String::new()
    }
}

fn service() -> (Arc<Service>, Arc<Told>, Arc<Board>) {
    let station = StationInfo { cameras: vec!["top".into()], line: "press".into(), ..StationInfo::default() };
    let board = Arc::new(Board::new(station, &[None]));
    let told = Arc::new(Told::default());
    let line = LineAccess { control: told.clone(), board: board.clone() };
    (Arc::new(Service::of_line(Arc::new(Accounts::in_memory().unwrap()), line)), told, board)
}

fn by(role: Role, via: Via) -> Actor {
    Actor { user: role.as_str().to_owned(), role, via }
}

#[test]
fn every_act_is_refused_below_its_role_in_words_and_stands_in_the_audit() {
    let (service, told, _) = service();
    let act = SetThreshold { camera: CameraId(0), value: 11.0 };
    for role in [Role::Viewer, Role::Operator, Role::Leader] {
        let why = service.perform(&by(role, Via::Page), &act, "why not").unwrap_err().to_string();
        assert_eq!(why, format!("{role} is {role}; this needs the role quality"));
    }
    assert!(told.0.lock().unwrap().is_empty());
    let change = service.perform(&by(Role::Admin, Via::Page), &act, " scratches ").unwrap();
    assert_eq!(change, Change { before: "12.5".into(), after: "11".into() });
    let audit = service.accounts.audit(None, 10).unwrap();
    assert_eq!(audit.iter().filter(|e| !e.done).count(), 3);
    let done = &audit[0];
    assert_eq!(
        (done.act.as_str(), done.subject.as_str(), done.before.as_str(), done.after.as_str(), done.reason.as_str()),
        ("set_threshold", "top", "12.5", "11", "scratches")
    );
}

#[test]
fn a_person_has_to_say_why_and_a_machine_need_not() {
    let (service, told, _) = service();
    let act = SetThreshold { camera: CameraId(0), value: 11.0 };
    assert!(matches!(service.perform(&by(Role::Quality, Via::Page), &act, "  "), Err(ActError::Reason)));
    service.perform(&Actor::zenoh("abc".into()), &act, "").unwrap();
    assert_eq!(*told.0.lock().unwrap(), ["0 11"]);
}

#[test]
fn zenoh_and_modbus_go_through_the_same_acts() {
    let (service, told, _) = service();
    let audited = AuditedControl::new(told.clone(), service.clone(), None);
    audited.set_threshold(CameraId(0), 9.0, &Actor::zenoh("zid".into()), "night shift").unwrap();
    audited.release(&Actor::modbus()).unwrap();
    let too_far = audited.set_threshold(CameraId(0), 99.0, &Actor::zenoh("zid".into()), "");
    assert_eq!(too_far, Err(ControlError::NoSuchCamera), "the line's own refusal comes back as it is");
    let plc = audited.set_threshold(CameraId(0), 9.0, &Actor::modbus(), "").unwrap_err().to_string();
    assert!(plc.contains("needs the role quality"), "{plc}");
    let audit = service.accounts.audit(None, 10).unwrap();
    let ways: Vec<_> = audit.iter().map(|e| (e.via.as_str(), e.act.as_str(), e.done)).collect();
    assert_eq!(
        ways,
        [
            ("modbus", "set_threshold", false),
            ("zenoh", "set_threshold", false),
            ("modbus", "release_line", true),
            ("zenoh", "set_threshold", true)
        ]
    );
}

#[test]
fn acknowledging_an_alarm_says_who_and_releases_nothing() {
    let (service, told, board) = service();
    board.take(PageRecord::Event(0, LineEvent::new(EventKind::LineStop, Mono::now())));
    let alarm = board.snapshot().alarms[0].id;
    service.perform(&by(Role::Operator, Via::Page), &AcknowledgeAlarm { alarm }, "").unwrap();
    let now = board.snapshot();
    assert_eq!(now.alarms[0].seen.as_ref().unwrap().user, "operator");
    assert!(now.line_stop && told.0.lock().unwrap().is_empty());
    let none = service.perform(&by(Role::Operator, Via::Page), &AcknowledgeAlarm { alarm: 77 }, "");
    assert!(matches!(none, Err(ActError::Alarm(_))));
    service.perform(&by(Role::Leader, Via::Page), &ReleaseLine, "").unwrap();
    assert_eq!(*told.0.lock().unwrap(), ["released by leader"]);
}

#[test]
fn passwords_stay_out_of_the_audit_and_the_command_line_has_no_line() {
    let service = Service::of_accounts(Arc::new(Accounts::in_memory().unwrap()));
    let me = by(Role::Admin, Via::CommandLine);
    let add = AddUser { name: "ana".into(), role: Role::Leader, password: "open sesame".into() };
    service.perform(&me, &add, "").unwrap();
    let change = ChangePassword { name: "ana".into(), password: "shut sesame".into() };
    service.perform(&me, &change, "").unwrap();
    service.perform(&me, &RemoveUser { name: "ana".into() }, "").unwrap();
    assert!(matches!(service.perform(&me, &ReleaseLine, ""), Err(ActError::NoLine)));
    let audit = format!("{:?}", service.accounts.audit(None, 10).unwrap());
    assert!(!audit.contains("sesame") && audit.contains("add_user") && audit.contains("leader"), "{audit}");
    let names: Vec<&str> = ALL.iter().map(|kind| kind.name).collect();
    let different: std::collections::BTreeSet<&&str> = names.iter().collect();
    assert_eq!(different.len(), names.len(), "one word, one act: {names:?}");
}

#[test]
fn a_trial_that_is_refused_was_none_and_one_that_runs_is_not_ended_by_a_refusal() {
    let (service, told, board) = service();
    let by = by(Role::Quality, Via::Page);
    let trial = |value| TryThreshold { camera: CameraId(0), value, parts: 5 };
    let stage = || board.snapshot().threshold_trials[0].as_ref().map(|trial| trial.stage);
    assert!(service.perform(&by, &trial(25.0), "why not").is_err());
    assert_eq!(stage(), None);
    assert!(matches!(
        service.perform(&by, &trial(12.5), "why not"),
        Err(ActError::Trial(crate::live::ThresholdTrialError::InForce))
    ));
    service.perform(&by, &trial(11.0), "why not").unwrap();
    assert!(service.perform(&by, &SetThreshold { camera: CameraId(0), value: 25.0 }, "why not").is_err());
    assert_eq!(stage(), Some(crate::live::TrialStage::Running));
    service.perform(&by, &SetThreshold { camera: CameraId(0), value: 12.0 }, "why not").unwrap();
    assert_eq!(stage(), Some(crate::live::TrialStage::Superseded));
    assert_eq!(*told.0.lock().unwrap(), ["0 11", "0 12"]);
}
