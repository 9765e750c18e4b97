//! Who is connected to the Modbus server. There are few places; a new peer always gets one.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::AbortHandle;

use andon_core::Mono;

/// One connection.
struct Place {
    id: u64,
    peer: SocketAddr,
    /// Its last complete request; its beginning, until there is one.
    last: Mono,
    asked: bool,
    task: AbortHandle,
}

/// The connections.
#[derive(Default)]
pub(super) struct Places {
    all: Vec<Place>,
    next: u64,
}

/// Whom a new connection replaces.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Replaced {
    /// Address.
    pub peer: SocketAddr,
    /// How long it had asked nothing.
    pub silent: Duration,
}

impl Places {
    /// The number of the next connection.
    pub fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Takes a place for a connection whose task runs. Of `room` places that are all taken, one is freed: that of the peer that
    /// never sent a whole request and came first; if all did, of the one whose last request is the oldest.
    pub fn enter(&mut self, id: u64, peer: SocketAddr, task: AbortHandle, room: usize) -> Option<Replaced> {
        let now = Mono::now();
        self.all.retain(|p| !p.task.is_finished());
        let full = self.all.len() >= room;
        let first = self.all.iter().enumerate().min_by_key(|(_, p)| (p.asked, p.last)).map(|(n, _)| n);
        let replaced = first.filter(|_| full).map(|n| {
            let place = self.all.remove(n);
            place.task.abort();
            Replaced { peer: place.peer, silent: now.since(place.last) }
        });
        self.all.push(Place { id, peer, last: now, asked: false, task });
        replaced
    }

    /// A connection sent a whole request.
    pub fn asked(&mut self, id: u64) {
        if let Some(place) = self.all.iter_mut().find(|p| p.id == id) {
            (place.last, place.asked) = (Mono::now(), true);
        }
    }

    /// Connections now.
    pub fn len(&self) -> usize {
        self.all.iter().filter(|p| !p.task.is_finished()).count()
    }
}

/// Says the same kind of thing once in a while at most, and how often it was not said.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    last: Option<Mono>,
    unsaid: u64,
}

impl Seldom {
    /// Words to add to a message that is to be said now; `None` if it is too soon after the last.
    pub fn say(&mut self, now: Mono) -> Option<String> {
        const PAUSE: Duration = Duration::from_secs(10);
        if self.last.is_some_and(|last| now.since(last) < PAUSE) {
            self.unsaid += 1;
            return None;
        }
        self.last = Some(now);
        match std::mem::take(&mut self.unsaid) {
            0 => Some(String::new()),
            n => Some(format!(" ({n} more like this since the last message)")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_never_asked_gives_way_first_then_who_asked_longest_ago() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut places = Places::default();
        let peer = |n: u16| SocketAddr::from(([127, 0, 0, 1], n));
        let enter = |places: &mut Places, n: u16| {
            let id = places.number();
            let task = runtime.spawn(std::future::pending::<()>());
            std::thread::sleep(Duration::from_millis(1));
            (id, places.enter(id, peer(n), task.abort_handle(), 3).map(|r| r.peer))
        };
        let (plc, _) = enter(&mut places, 1);
        places.asked(plc);
        enter(&mut places, 2);
        enter(&mut places, 3);
        assert_eq!(places.len(), 3);
        assert_eq!(enter(&mut places, 4).1, Some(peer(2)), "silent, and the first of them");
        let (other, replaced) = enter(&mut places, 5);
        assert_eq!(replaced, Some(peer(3)));
        places.asked(other);
        assert_eq!(enter(&mut places, 6).1, Some(peer(4)));
        let (third, replaced) = enter(&mut places, 7);
        assert_eq!(replaced, Some(peer(6)));
        places.asked(third);
        places.asked(plc);
        assert_eq!(enter(&mut places, 8).1, Some(peer(5)), "all asked; its request is the oldest");
    }

    #[test]
    fn the_same_message_comes_seldom_and_with_a_count() {
        let mut seldom = Seldom::default();
        assert_eq!(seldom.say(Mono(0)).as_deref(), Some(""));
        assert_eq!(seldom.say(Mono(5_000_000_000)), None);
        assert_eq!(seldom.say(Mono(9_999_999_999)), None);
        assert!(seldom.say(Mono(10_000_000_000)).unwrap().contains("2 more"));
        assert_eq!(seldom.say(Mono(20_000_000_000)).as_deref(), Some(""));
    }
}
