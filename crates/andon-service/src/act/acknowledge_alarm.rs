//! Somebody saw an alarm. That releases nothing.

use super::{Act, ActError, ActKind, Change, Service};
use andon_core::{Actor, Role};

/// Somebody saw an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcknowledgeAlarm {
    /// Number of the alarm since the start.
    pub alarm: u64,
}

impl Act for AcknowledgeAlarm {
    const KIND: ActKind = ActKind { name: "acknowledge_alarm", role: Role::Operator, needs_reason: false };

    fn subject(&self, service: &Service) -> String {
        let kind = || {
            let alarms = service.line().ok()?.board.snapshot().alarms;
            Some(alarms.iter().find(|a| a.id == self.alarm)?.event.kind.as_str())
        };
        format!("{} {}", self.alarm, kind().unwrap_or("unknown"))
    }

    fn perform(&self, service: &Service, by: &Actor) -> Result<Change, ActError> {
        service.line()?.board.acknowledge(self.alarm, &by.user)?;
        Ok(Change { before: "unseen".to_owned(), after: "seen".to_owned() })
    }
}
