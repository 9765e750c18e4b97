//! Thresholds that somebody may want, of those that the slider has, with what each would have done to the parts that came.

use andon_core::{Interval, wilson};
use andon_io::history::{ReviewCounts, ScoreSpread};

use super::whatif::Trial;

/// What a threshold is chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::page) enum PointAim {
    /// The one in force.
    InForce,
    /// Of the parts that nobody called bad at most so many in a hundred rejected: good parts are among these, so it is no more of them.
    AtMost(u32),
    /// Every part that was reviewed as bad is rejected, and as few others as that allows.
    AllBad,
    /// The fewest mistakes on reviewed parts: the largest F1, defects being what is looked for.
    FewestMistakes,
}

/// A step of the slider, and what it was chosen for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::page) struct OperatingPoint {
    pub aim: PointAim,
    /// The slider's step.
    pub step: usize,
    /// Parts that it rejects, of those with a score: counted, so without an interval.
    pub rejected: [u64; 2],
    /// Good parts that it rejects, of those reviewed as good; with a 95 % interval (Wilson).
    pub good: Interval,
    /// Bad parts that it rejects, of those reviewed as bad; with a 95 % interval (Wilson).
    pub bad: Interval,
}

/// Shares of parts that may be rejected, for which a threshold is shown.
const SHARES: [u32; 5] = [0, 1, 2, 5, 10];

/// F1 of a threshold on the reviewed parts.
fn f1(rejected: ReviewCounts, all: ReviewCounts) -> f64 {
    2.0 * rejected.bad as f64 / (rejected.bad + rejected.good + all.bad).max(1) as f64
}

/// The threshold in force, then one for each aim that can be met within the slider's steps up to `most`.
pub(super) fn operating_points(spread: &ScoreSpread, most: usize) -> Vec<OperatingPoint> {
    let all = spread.all;
    let within = &spread.rejected[..spread.rejected.len().min(most + 1)];
    let not_bad = (all.total() - all.bad) as f64;
    let at_most = |percent: u32| {
        let few = |r: &ReviewCounts| (r.total() - r.bad) as f64 * 100.0 <= f64::from(percent) * not_bad;
        within.iter().skip(1).position(few).map(|at| at + 1)
    };
    let all_bad = || within.iter().rposition(|r| all.bad > 0 && r.bad == all.bad).filter(|at| *at > 0);
    let fewest = || {
        if all.bad == 0 || all.good == 0 {
            return None;
        }
        let best = within.iter().skip(1).map(|r| f1(*r, all)).fold(0.0, f64::max);
        let last = (1..within.len()).rev().find(|at| f1(within[*at], all) >= best)?;
        if within[last].total() == all.total() {
            // No part lies below: the gap has no other end.
            return Some(last);
        }
        // Of those that are as good, those that reject no more of what nobody called bad; in the middle of that gap.
        let same = |at: &usize| {
            let (here, there) = (within[*at], within[last]);
            here.bad == there.bad && here.total() == there.total()
        };
        let first = (1..=last).rev().take_while(same).last()?;
        Some(usize::midpoint(first, last))
    };
    let point = |(aim, step): (PointAim, usize)| {
        let r = spread.rejected[step];
        let rejected = [r.total(), all.total()];
        OperatingPoint { aim, step, rejected, good: wilson(r.good, all.good), bad: wilson(r.bad, all.bad) }
    };
    let in_force = (Trial::IN_FORCE < spread.rejected.len()).then_some((PointAim::InForce, Trial::IN_FORCE));
    let shares = SHARES.into_iter().filter_map(|percent| Some((PointAim::AtMost(percent), at_most(percent)?)));
    let reviewed = [(PointAim::AllBad, all_bad()), (PointAim::FewestMistakes, fewest())];
    let reviewed = reviewed.into_iter().filter_map(|(aim, step)| Some((aim, step?)));
    in_force.into_iter().chain(shares).chain(reviewed).map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A spread of parts at these steps: reaching step n means being rejected by all thresholds up to it.
    fn spread(bad: &[usize], good: &[usize], unknown: &[usize]) -> ScoreSpread {
        let reach = |of: &[usize], step: usize| of.iter().filter(|at| **at >= step).count() as u64;
        let counts =
            |step| ReviewCounts { bad: reach(bad, step), good: reach(good, step), unknown: reach(unknown, step) };
        ScoreSpread { all: counts(0), rejected: (0..=200).map(counts).collect(), shifts: 1 }
    }

    #[test]
    fn each_aim_gets_the_threshold_that_meets_it_with_what_it_costs() {
        let unknown: Vec<usize> = (0..98).map(|n| 40 + n / 5).collect();
        let found = operating_points(&spread(&[90, 150, 160, 170], &[60, 110], &unknown), 200);
        let of = |aim| found.iter().find(|p| p.aim == aim).copied().unwrap();
        let now = of(PointAim::InForce);
        assert_eq!((now.step, now.rejected, now.good.count, now.bad.count), (100, [4, 104], 1, 3));
        // A hundred parts are not known as bad; the highest of them reaches 110, then comes the good one at 60.
        assert_eq!(of(PointAim::AtMost(0)).step, 111);
        assert_eq!(of(PointAim::AtMost(1)).step, 61);
        assert_eq!(of(PointAim::AtMost(5)).step, 59);
        let all_bad = of(PointAim::AllBad);
        assert_eq!((all_bad.step, all_bad.bad.count, all_bad.good.count), (90, 4, 1));
        // Four bad found and one good rejected, whatever the step from 61 to 90: the middle.
        assert_eq!(of(PointAim::FewestMistakes).step, 75);
        assert!(found.iter().all(|p| p.bad.of == 4 && p.good.of == 2 && p.bad.low < p.bad.share));
        // Where nobody reviewed the parts below, nothing is rejected that need not be.
        let found =
            operating_points(&spread(&[88, 90], &[60, 150], &unknown.iter().map(|n| n + 26).collect::<Vec<_>>()), 200);
        let fewest = found.iter().find(|p| p.aim == PointAim::FewestMistakes).unwrap();
        assert_eq!((fewest.step, fewest.rejected), (87, [3, 102]));
        let other = operating_points(&spread(&[86, 90, 118], &[86, 200], &[90; 20]), 200);
        let fewest = other.iter().find(|p| p.aim == PointAim::FewestMistakes).unwrap();
        assert_eq!(
            (fewest.step, fewest.rejected),
            (86, [25, 25]),
            "where all are rejected, none that came is further off"
        );
    }

    #[test]
    fn without_reviews_only_shares_are_offered_and_what_cannot_be_met_is_not() {
        let found = operating_points(&spread(&[], &[], &[10, 20, 250]), 200);
        let aims: Vec<PointAim> = found.iter().map(|p| p.aim).collect();
        // The part beyond the slider is a third of all.
        assert_eq!(aims, [PointAim::InForce]);
        let found = operating_points(&spread(&[250], &[250], &[10]), 200);
        assert!(found.iter().all(|p| !matches!(p.aim, PointAim::AtMost(_))));
        let all_bad = found.iter().find(|p| p.aim == PointAim::AllBad).unwrap();
        assert_eq!((all_bad.step, all_bad.good.count), (200, 1));
    }

    #[test]
    fn what_the_line_would_refuse_is_not_offered() {
        let all = spread(&[180, 190], &[170], &[60; 10]);
        let fewest = |most| {
            let found = operating_points(&all, most);
            assert!(found.iter().all(|p| p.step <= most || p.aim == PointAim::InForce), "{found:?}");
            found.iter().find(|p| p.aim == PointAim::FewestMistakes).unwrap().step
        };
        assert_eq!((fewest(200), fewest(150)), (175, 105));
        assert_eq!(operating_points(&all, 0).len(), 1, "only the one in force");
    }
}
