//! One connection to the broker.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, Outgoing as Out, Packet, Publish, QoS};
use tokio::time::timeout;

use super::{Forwarder, STEADY, WINDOW};
use crate::sinks::store::Outgoing;
use andon_core::Mono;

/// Rows are looked for this often while there are none.
const LOOK: Duration = Duration::from_millis(20);
/// So long a link that is left waits for acknowledgements of what was handed over.
const LAST_ACKS: Duration = Duration::from_millis(300);

/// Why a connection ended.
pub(super) enum Broke {
    /// What the network or the broker did.
    Network(String),
    /// The history file cannot be read.
    Outbox(String),
}

/// A row on its way to the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    /// The row's number.
    pub id: i64,
    /// Its topic.
    pub key: String,
    /// Bytes of its PUBLISH packet.
    pub packet_bytes: usize,
}

impl Sent {
    fn new(row: &Outgoing) -> Sent {
        // Topic and packet number with their lengths, then the payload; before them the type and the length of all that.
        let rest = 2 + row.key.len() + 2 + row.json.len();
        let digits = match rest {
            0..128 => 1,
            128..16_384 => 2,
            16_384..2_097_152 => 3,
            _ => 4,
        };
        Sent { id: row.id, key: row.key.clone(), packet_bytes: 1 + digits + rest }
    }
}

/// The client's words for an end of the connection are those of whatever call met it first.
fn words(error: &str) -> String {
    let ended = ["reset by peer", "closed by peer", "Broken pipe", "connection aborted", "UnexpectedEof"];
    if ended.iter().any(|e| error.contains(e)) {
        "the broker ended the connection".to_owned()
    } else {
        error.to_owned()
    }
}

/// A publication that was written out.
struct Unacked {
    packet: u16,
    /// `None` for the birth.
    row: Option<Sent>,
    acknowledged: bool,
}

pub(super) struct Link<'a> {
    memory: &'a mut Forwarder,
    client: AsyncClient,
    /// Publications handed to the client that have no packet number yet; `None` for the birth.
    waiting: VecDeque<Option<Sent>>,
    /// In the order in which they were written out.
    unacked: VecDeque<Unacked>,
    pub up_since: Option<Mono>,
    steady: bool,
    /// The last row that was handed over.
    read: Option<i64>,
    /// Another box's start that was answered already.
    answered: Option<String>,
    /// When the link is left, acknowledged or not, once the program stops.
    leave_by: Option<Mono>,
}

impl<'a> Link<'a> {
    pub fn new(memory: &'a mut Forwarder, client: AsyncClient) -> Link<'a> {
        Link {
            memory,
            client,
            waiting: VecDeque::new(),
            unacked: VecDeque::new(),
            up_since: None,
            steady: false,
            read: None,
            answered: None,
            leave_by: None,
        }
    }

    /// Rows that were written out and not acknowledged.
    pub fn under_way(&self) -> Vec<Sent> {
        self.unacked.iter().filter(|u| !u.acknowledged).filter_map(|u| u.row.clone()).collect()
    }

    /// Forwards until the connection ends or the program stops (`Ok`).
    pub async fn run(&mut self, network: &mut EventLoop, stop: &AtomicBool) -> Result<(), Broke> {
        let mut look = Mono::now();
        loop {
            let Some(event) = self.next(network, stop, &mut look).await? else {
                self.leave(network).await;
                return Ok(());
            };
            self.heard(event)?;
        }
    }

    /// Whether the program may stop now: all that was handed over is acknowledged, or the broker had its time. Otherwise the next start
    /// would send it again.
    fn may_leave(&mut self, now: Mono) -> bool {
        let by = *self.leave_by.get_or_insert(now + LAST_ACKS);
        self.up_since.is_none() || self.in_flight() == 0 || now >= by
    }

    /// What the connection does next, with rows handed over meanwhile; `None` once the program stops.
    async fn next(
        &mut self,
        network: &mut EventLoop,
        stop: &AtomicBool,
        look: &mut Mono,
    ) -> Result<Option<Event>, Broke> {
        // One future until it is ready: dropped halfway it would begin its connection anew, and a broker that is farther
        // away than one look would never be reached.
        let mut event = pin!(network.poll());
        loop {
            let now = Mono::now();
            let stopping = stop.load(Relaxed);
            if stopping && self.may_leave(now) {
                return Ok(None);
            }
            if !self.steady && self.up_since.is_some_and(|at| now.since(at) >= STEADY) {
                self.steady = true;
                self.memory.steady();
            }
            let free = if stopping { 0 } else { self.window().saturating_sub(self.in_flight()) };
            if self.up_since.is_some() && free > 0 && now >= *look {
                let rows = self.memory.outbox.next(self.read, free).map_err(|e| Broke::Outbox(e.to_string()))?;
                if rows.is_empty() {
                    *look = now + LOOK;
                }
                for row in rows {
                    if !self.publish(row)? {
                        *look = now + LOOK;
                        break;
                    }
                }
            }
            if let Ok(event) = timeout(LOOK, event.as_mut()).await {
                return event.map(Some).map_err(|e| Broke::Network(words(&e.to_string())));
            }
        }
    }

    /// Publications that may be under way at once.
    fn window(&self) -> usize {
        if self.memory.careful > 0 { 1 } else { WINDOW }
    }

    fn in_flight(&self) -> usize {
        self.waiting.len() + self.unacked.len()
    }

    /// Hands a row over; false if it has to wait for those before it.
    fn publish(&mut self, row: Outgoing) -> Result<bool, Broke> {
        let sent = Sent::new(&row);
        if let Some(why) = self.memory.too_large(&sent) {
            // The cursor may pass it only when everything before it was acknowledged.
            if self.in_flight() > 0 {
                return Ok(false);
            }
            self.memory.set_aside(&sent, &why).map_err(Broke::Outbox)?;
            self.read = Some(sent.id);
            return Ok(true);
        }
        self.client
            .try_publish(row.key, QoS::AtLeastOnce, false, row.json)
            .map_err(|e| Broke::Network(e.to_string()))?;
        self.read = Some(sent.id);
        self.waiting.push_back(Some(sent));
        Ok(true)
    }

    fn heard(&mut self, event: Event) -> Result<(), Broke> {
        match event {
            Event::Incoming(Packet::ConnAck(_)) => {
                self.up_since = Some(Mono::now());
                self.memory.connected();
                // Before the birth, which takes the place of what another box may have left there.
                self.client
                    .try_subscribe(&self.memory.s.status_topic, QoS::AtMostOnce)
                    .map_err(|e| Broke::Network(e.to_string()))?;
                self.say_born()?;
            }
            Event::Incoming(Packet::Publish(said)) => self.status_said(&said)?,
            Event::Outgoing(Out::Publish(packet)) => {
                if let Some(row) = self.waiting.pop_front() {
                    self.unacked.push_back(Unacked { packet, row, acknowledged: false });
                }
            }
            Event::Incoming(Packet::PubAck(ack)) => self.acknowledged(ack.pkid)?,
            _ => {}
        }
        Ok(())
    }

    fn say_born(&mut self) -> Result<(), Broke> {
        let s = &self.memory.s;
        self.client
            .try_publish(&s.status_topic, QoS::AtLeastOnce, true, s.status(true))
            .map_err(|e| Broke::Network(e.to_string()))?;
        self.waiting.push_back(None);
        Ok(())
    }

    fn acknowledged(&mut self, packet: u16) -> Result<(), Broke> {
        if let Some(entry) = self.unacked.iter_mut().find(|u| u.packet == packet && !u.acknowledged) {
            entry.acknowledged = true;
        }
        let (mut last, mut records) = (None, 0);
        while let Some(first) = self.unacked.pop_front_if(|u| u.acknowledged) {
            match first.row {
                Some(sent) => {
                    last = Some(sent.id);
                    records += 1;
                }
                None => self.memory.born = true,
            }
        }
        last.map_or(Ok(()), |id| self.memory.acknowledged(id, records)).map_err(Broke::Outbox)
    }

    /// Somebody speaks on this box's status topic. Its own words carry its boot; another boot is another box, unless they are what
    /// this box's last start left there.
    fn status_said(&mut self, said: &Publish) -> Result<(), Broke> {
        #[derive(serde::Deserialize)]
        struct Status {
            online: bool,
            boot: Option<String>,
        }
        if said.topic != self.memory.s.status_topic {
            return Ok(());
        }
        let Ok(status) = serde_json::from_slice::<Status>(&said.payload) else { return Ok(()) };
        let own = status.boot.as_ref() == Some(&self.memory.s.boot);
        let since_birth = self.memory.born && said.retain;
        let live = status.online && !said.retain;
        if own || !(since_birth || live) {
            return Ok(());
        }
        self.memory.clash(status.boot.as_deref());
        // Said again, so that the other one hears of this one too; once for each of its starts, or they would never stop.
        let boot = status.boot.unwrap_or_default();
        if live && self.answered.as_ref() != Some(&boot) {
            self.answered = Some(boot);
            self.say_born()?;
        }
        Ok(())
    }

    /// Says that the box goes, as its will would. A broker that does not listen any more sends the will.
    async fn leave(&mut self, network: &mut EventLoop) {
        if self.up_since.is_none() {
            return;
        }
        let s = &self.memory.s;
        let gone = self.client.try_publish(&s.status_topic, QoS::AtLeastOnce, true, s.status(false));
        if gone.and_then(|()| self.client.try_disconnect()).is_ok() {
            let said =
                async { while !matches!(network.poll().await, Ok(Event::Outgoing(Out::Disconnect)) | Err(_)) {} };
            drop(timeout(Duration::from_secs(1), said).await);
        }
    }
}
