//! The two channels of a rotary encoder as a signed count.

/// Decodes the two channels of an incremental encoder, four counts a period. A step that skips a state (an edge was lost) is
/// not counted, only told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quadrature {
    state: u8,
    count: i64,
    skipped: u64,
}

impl Quadrature {
    /// With the channels as they are now.
    pub fn new(a: bool, b: bool) -> Quadrature {
        Quadrature { state: phase(a, b), ..Quadrature::default() }
    }

    /// The channels after an edge; the count then. A before B is forwards.
    pub fn step(&mut self, a: bool, b: bool) -> i64 {
        let next = phase(a, b);
        match (next + 4 - self.state) % 4 {
            1 => self.count += 1,
            3 => self.count -= 1,
            2 => self.skipped += 1,
            _ => {}
        }
        self.state = next;
        self.count
    }

    /// Edges that were lost.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }
}

/// Place in the cycle 00, 10, 11, 01.
fn phase(a: bool, b: bool) -> u8 {
    match (a, b) {
        (false, false) => 0,
        (true, false) => 1,
        (true, true) => 2,
        (false, true) => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwards_backwards_and_a_lost_edge() {
        let cycle = [(true, false), (true, true), (false, true), (false, false)];
        let mut q = Quadrature::new(false, false);
        let forwards: Vec<i64> = cycle.iter().map(|(a, b)| q.step(*a, *b)).collect();
        assert_eq!(forwards, [1, 2, 3, 4]);
        let backwards: Vec<i64> = cycle.iter().rev().skip(1).map(|(a, b)| q.step(*a, *b)).collect();
        assert_eq!(backwards, [3, 2, 1]);
        assert_eq!((q.step(false, true), q.skipped()), (1, 1));
    }
}
