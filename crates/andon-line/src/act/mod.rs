//! What is done about a part: which ejector fires when, and when the line has to stop. Pure, like `decide`: `now` and the
//! belt are passed in; the outputs themselves are in `field`.

mod alarm;
mod ejector;
mod plan;
mod schedule;

pub use alarm::{AlarmSpec, Alarms};
pub use ejector::{EjectOn, EjectorSpec, PulseShape};
pub use plan::{Plan, PlanSpec, speed_below};
pub use schedule::{ActuatorAction, Schedule};
