use proptest::prelude::*;

use super::*;

const ENABLE: u16 = 2;
const ACK: u16 = 4;
const BUFFER: u16 = 8;

fn result(part: u64) -> PlcResult {
    PlcResult { code: 1, part, score: Some(1.5), threshold: 2.0, ..PlcResult::default() }
}

fn registers(block: &Block, heartbeat: u16, takes_triggers: bool) -> [u16; CONTROL as usize] {
    block.registers(&LineSigns { heartbeat, takes_triggers, ..LineSigns::default() })
}

fn shown(block: &Block) -> (bool, u32) {
    let r = registers(block, 0, true);
    (r[0] & 1 << 4 != 0, u32::from(r[5]) << 16 | u32::from(r[6]))
}

#[test]
fn the_registers_of_the_map_lie_side_by_side() {
    let mut next = 0;
    for r in STATUS {
        assert_eq!(r.offset, next, "{}", r.name);
        next = r.offset + r.words;
    }
    assert!(next <= CONTROL && CONTROL < BLOCK);
}

#[test]
fn a_result_stays_until_it_is_acknowledged() {
    let mut block = Block::default();
    block.write(BUFFER);
    block.result(result(70_000), true);
    block.result(PlcResult { code: 2, ..result(70_001) }, true);
    let r = registers(&block, 9, false);
    assert_eq!((shown(&block), r[0] & 1 << 7, r[2], r[3], r[15]), ((true, 70_000), 1 << 7, 9, 1, 1));
    assert_eq!((r[9], r[10], r[11], r[12]), (0, 15_000, 0, 20_000));
    block.write(BUFFER | ACK);
    assert_eq!(shown(&block), (false, 70_000), "still readable, no longer valid");
    assert_eq!(registers(&block, 0, false)[0] & 1 << 7, 0, "and no longer a pass");
    block.write(BUFFER);
    assert_eq!((shown(&block), registers(&block, 0, false)[3]), ((true, 70_001), 2));
}

#[test]
fn what_is_not_fetched_is_an_overrun_until_it_is_cleared() {
    let mut block = Block::default();
    block.result(result(0), true);
    block.result(result(1), true);
    assert_eq!(shown(&block), (true, 1), "without buffer the newest is shown");
    assert_eq!(registers(&block, 0, false)[0] & 1 << 5, 1 << 5);
    assert_eq!(block.write(1 << 4), [Command::Release]);
    assert_eq!(registers(&block, 0, false)[0] & 1 << 5, 0);
    assert_eq!(registers(&block, 0, false)[29], 1, "the count of lost results stays");
    let mut reader = Block::default();
    reader.result(result(0), false);
    reader.result(result(1), false);
    assert_eq!(
        (shown(&reader), registers(&reader, 0, false)[0] & 1 << 5),
        ((true, 1), 0),
        "a mere reader loses nothing"
    );
}

#[test]
fn a_trigger_is_acknowledged_or_refused() {
    let mut block = Block::default();
    assert!(block.write(1).is_empty(), "not enabled");
    assert_eq!(registers(&block, 0, true)[0] & 1 << 10, 1 << 10);
    block.write(ENABLE);
    assert_eq!(block.write(ENABLE | 1), [Command::Trigger]);
    block.done(Command::Trigger, true);
    assert_eq!(registers(&block, 0, true)[0] & 0b110, 0b110);
    assert!(block.write(ENABLE | 1).is_empty(), "one edge, one trigger");
    block.write(ENABLE);
    assert_eq!(registers(&block, 0, true)[0] & 0b100, 0);
}

#[test]
fn a_challenge_is_asked_for_by_an_edge_and_its_state_is_shown() {
    let mut block = Block::default();
    assert_eq!(block.write(1 << 5), [Command::Challenge]);
    assert!(block.write(1 << 5).is_empty(), "one edge, one challenge");
    block.done(Command::Challenge, false);
    let r = block.registers(&LineSigns { challenge: ChallengeState::Failed, ..LineSigns::default() });
    assert_eq!((r[0] & 1 << 10, r[31]), (1 << 10, 3));
}

proptest! {
    /// A PLC that keeps to the handshake sees every result once and in order, and what it misses is counted.
    #[test]
    fn no_result_is_shown_twice_or_lost_uncounted(steps in proptest::collection::vec(any::<bool>(), 1..400)) {
        let mut block = Block::default();
        block.write(BUFFER);
        let (mut next, mut fetched) = (0u64, Vec::new());
        for new in steps {
            if new {
                block.result(result(next), true);
                next += 1;
            } else if let (true, part) = shown(&block) {
                fetched.push(u64::from(part));
                block.write(BUFFER | ACK);
                block.write(BUFFER);
            }
        }
        while let (true, part) = shown(&block) {
            fetched.push(u64::from(part));
            block.write(BUFFER | ACK);
            block.write(BUFFER);
        }
        prop_assert!(fetched.is_sorted_by(|a, b| a < b));
        prop_assert_eq!(fetched.len() as u64 + block.lost, next);
    }
}
