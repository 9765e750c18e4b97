//! Whether the line is healthy, for the metrics endpoint.

use std::sync::Arc;

use andon_core::Delivery;
use andon_line::runtime::Status;
use andon_service::Health;

/// Healthy while every camera gives frames (or has played to its end), and no fault of the line or behind it lasts.
pub(super) fn health(status: Arc<Status>, delivery: Delivery) -> Health {
    Arc::new(move || {
        let reasons: Vec<String> = status.troubles().into_iter().chain(delivery.troubles()).collect();
        if reasons.is_empty() { Ok(()) } else { Err(reasons) }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;

    #[test]
    fn what_is_wrong_behind_the_line_is_unhealthy_too() {
        let (status, delivery) = (Status::new([], ["belt".to_owned()]).0, Delivery::default());
        let health = health(status.clone(), delivery.clone());
        assert_eq!(health(), Ok(()));
        delivery.sink("store").set_fault(Some("the disk is full".to_owned()));
        status.lanes[0].stopped.store(true, Relaxed);
        let reasons = health().unwrap_err();
        assert!(
            reasons[0].starts_with("line_stop: lane belt") && reasons[1] == "store: the disk is full",
            "{reasons:?}"
        );
        delivery.sink("store").set_fault(None);
        status.lanes[0].stopped.store(false, Relaxed);
        assert_eq!(health(), Ok(()));
    }
}
