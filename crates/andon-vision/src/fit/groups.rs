//! Pictures that belong together: of one part, one video, one shift. Held-out scores mean something only if none of a picture's like is
//! among those that it was held out from, and a claim counts groups, not pictures. Found where nobody says them: near-copies, and the
//! frames of a video, whose neighbours are much more alike than others.

use std::collections::HashMap;

use super::images::Picture;

/// Side of the small grey pictures that are compared.
const SIDE: usize = 32;
/// Pictures that differ by so much of what two of them usually differ by are one part.
const COPY: f32 = 0.12;
/// Neighbours in the order of names that differ by so much less than others, at the median, are frames of a video.
const VIDEO: f32 = 0.4;
/// A frame that differs from the one before it by so much begins another scene.
const CUT: f32 = 0.5;

/// How it is told which pictures belong together.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Grouping {
    /// Each stands for itself.
    #[default]
    Alone,
    /// It is looked for: [`find`].
    Found,
    /// The name of each picture's group by the picture's name; a picture without one stands for itself.
    Named(HashMap<String, String>),
}

impl Grouping {
    /// The groups of pictures with these names, and what was found if it was looked for.
    pub fn of(&self, names: &[String], thumbnails: &[Thumbnail]) -> Found {
        match self {
            Grouping::Alone => Found { groups: (0..names.len() as u32).collect(), ..Found::default() },
            Grouping::Found => find(thumbnails),
            Grouping::Named(groups) => {
                // The flag keeps a group's name apart from a picture's.
                let keys: Vec<_> =
                    names.iter().map(|name| groups.get(name).map_or((false, name), |g| (true, g))).collect();
                Found { groups: numbered(&keys), ..Found::default() }
            }
        }
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The number of each picture's group, from 0 in the order of first pictures.
    pub groups: Vec<u32>,
    /// Pictures that are near-copies of others.
    pub copies: usize,
    /// Neighbours differ by so much of what others do, if that makes them frames of a video.
    pub video: Option<f32>,
}

impl Found {
    /// How many groups there are.
    pub fn count(&self) -> usize {
        self.groups.iter().max().map_or(0, |last| *last as usize + 1)
    }
}

/// A picture in small and grey, its pixels averaged.
#[derive(Clone, Debug, PartialEq)]
pub struct Thumbnail {
    grey: Vec<f32>,
    mean: f32,
}

impl Thumbnail {
    /// Of a picture.
    pub fn of(picture: &Picture) -> Thumbnail {
        let (w, h) = (picture.width as usize, picture.height as usize);
        let (mut sums, mut counts) = (vec![0.0f32; SIDE * SIDE], vec![0.0f32; SIDE * SIDE]);
        for (i, p) in picture.rgb.as_chunks::<3>().0.iter().enumerate() {
            let cell = (i / w) * SIDE / h * SIDE + (i % w) * SIDE / w;
            sums[cell] += f32::from(p[0]) + f32::from(p[1]) + f32::from(p[2]);
            counts[cell] += 3.0;
        }
        let grey: Vec<f32> = sums.iter().zip(&counts).map(|(sum, n)| sum / n.max(1.0)).collect();
        let mean = grey.iter().sum::<f32>() / grey.len() as f32;
        Thumbnail { grey, mean }
    }

    fn distance(&self, other: &Thumbnail) -> f32 {
        let squares = self.grey.iter().zip(&other.grey).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
        (squares / self.grey.len() as f32).sqrt()
    }
}

/// Which pictures, in the order of their names, belong together.
pub fn find(pictures: &[Thumbnail]) -> Found {
    let n = pictures.len();
    let usual = usual_distance(pictures);
    if n < 3 || usual <= 0.0 {
        return Found { groups: (0..n as u32).collect(), ..Found::default() };
    }
    let steps: Vec<f32> = pictures.windows(2).map(|two| two[0].distance(&two[1]) / usual).collect();
    let mut sorted = steps.clone();
    sorted.sort_unstable_by(f32::total_cmp);
    let video = Some(sorted[sorted.len() / 2]).filter(|median| *median < VIDEO);
    // Union and find, the smallest number being a group's.
    let mut parent: Vec<usize> = (0..n).collect();
    if video.is_some() {
        steps.iter().enumerate().filter(|(_, step)| **step < CUT).for_each(|(i, _)| join(&mut parent, i, i + 1));
    }
    let mut copies = 0;
    for i in 0..n {
        // Pictures are never nearer than their means are, which spares most of the comparisons where there are many.
        let near = |j: &usize| (pictures[i].mean - pictures[*j].mean).abs() < COPY * usual;
        let like = (0..i).filter(near).filter(|j| pictures[i].distance(&pictures[*j]) < COPY * usual);
        let like: Vec<usize> = like.collect();
        copies += usize::from(!like.is_empty());
        like.into_iter().for_each(|j| join(&mut parent, i, j));
    }
    let roots: Vec<usize> = (0..n).map(|i| root(&parent, i)).collect();
    Found { groups: numbered(&roots), copies, video }
}

/// Numbers from 0 in the order in which keys appear.
pub fn numbered<K: std::hash::Hash + Eq>(keys: &[K]) -> Vec<u32> {
    let mut numbers = HashMap::new();
    keys.iter()
        .map(|key| {
            let next = numbers.len() as u32;
            *numbers.entry(key).or_insert(next)
        })
        .collect()
}

/// The median distance of two pictures; of many pictures, of pairs that are spread over all of them.
fn usual_distance(pictures: &[Thumbnail]) -> f32 {
    const PAIRS: usize = 4000;
    let n = pictures.len();
    let all = n * n.saturating_sub(1) / 2;
    let every = all.div_ceil(PAIRS).max(1);
    let pairs = (0..n).flat_map(|i| (0..i).map(move |j| (i, j)));
    let mut distances: Vec<f32> = pairs.step_by(every).map(|(i, j)| pictures[i].distance(&pictures[j])).collect();
    let middle = distances.len() / 2;
    if distances.is_empty() { 0.0 } else { *distances.select_nth_unstable_by(middle, f32::total_cmp).1 }
}

fn root(parent: &[usize], mut i: usize) -> usize {
    while parent[i] != i {
        i = parent[i];
    }
    i
}

fn join(parent: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(parent, a), root(parent, b));
    let (low, high) = (a.min(b), a.max(b));
    parent[high] = low;
}

/// The fold of each picture, so that no group is in two and the folds are about equally large. Where every picture is a group of its own
/// they are dealt in turn.
pub fn folds(groups: &[u32], folds: usize) -> Vec<usize> {
    let count = groups.iter().max().map_or(0, |last| *last as usize + 1);
    if count == groups.len() {
        return (0..groups.len()).map(|i| i % folds).collect();
    }
    let mut sizes = vec![0usize; count];
    groups.iter().for_each(|g| sizes[*g as usize] += 1);
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|g| (std::cmp::Reverse(sizes[*g]), *g));
    let (mut held, mut fold_of) = (vec![0usize; folds], vec![0usize; count]);
    for group in order {
        let fold = (0..folds).min_by_key(|f| held[*f]).unwrap_or(0);
        (fold_of[group], held[fold]) = (fold, held[fold] + sizes[group]);
    }
    groups.iter().map(|g| fold_of[*g as usize]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::bundle::highest_of_groups;
    use andon_core::SplitMix64;

    fn noise(seed: u64) -> Picture {
        let mut random = SplitMix64::new(seed);
        // Coarse noise: fine noise is averaged away in small.
        let cells: Vec<u8> = (0..64).map(|_| random.below(200) as u8).collect();
        let rgb = (0..64 * 64).flat_map(|i| [cells[(i / 64) / 8 * 8 + (i % 64) / 8] + random.below(8) as u8; 3]);
        Picture { width: 64, height: 64, rgb: rgb.collect() }
    }

    fn small(seeds: &[u64]) -> Vec<Thumbnail> {
        let mut jitter = 1000;
        seeds
            .iter()
            .map(|seed| {
                let mut picture = noise(*seed);
                let mut random = SplitMix64::new(jitter);
                jitter += 1;
                picture.rgb.iter_mut().for_each(|v| *v = v.saturating_add(random.below(6) as u8));
                Thumbnail::of(&picture)
            })
            .collect()
    }

    #[test]
    fn different_pictures_are_groups_of_their_own() {
        let found = find(&small(&(0..20).collect::<Vec<_>>()));
        assert_eq!((found.count(), found.copies, found.video), (20, 0, None));
        assert_eq!(find(&[]).count(), 0);
        assert_eq!(find(&small(&[1, 1])).groups, [0, 1], "two pictures do not show what is usual");
    }

    #[test]
    fn a_part_that_was_taken_twice_is_one_group_wherever_it_stands() {
        let found = find(&small(&[0, 1, 2, 3, 4, 5, 1, 7, 8, 9]));
        assert_eq!((found.count(), found.copies), (9, 1));
        assert_eq!(found.groups[6], found.groups[1]);
    }

    #[test]
    fn frames_of_a_video_are_one_group_a_scene() {
        let seeds: Vec<u64> = (0..40).map(|i| i / 8).collect();
        let found = find(&small(&seeds));
        assert!(found.video.is_some());
        assert_eq!(found.count(), 5);
        assert!(found.groups.iter().zip(&seeds).all(|(g, s)| u64::from(*g) == *s));
    }

    #[test]
    fn no_group_is_in_two_folds_and_the_folds_are_about_equally_large() {
        let groups: Vec<u32> = (0..100).map(|i| i / 7).collect();
        let folds = folds(&groups, 5);
        for group in 0..15 {
            let of: std::collections::HashSet<_> =
                folds.iter().zip(&groups).filter(|(_, g)| **g == group).map(|(f, _)| *f).collect();
            assert_eq!(of.len(), 1);
        }
        let sizes: Vec<usize> = (0..5).map(|f| folds.iter().filter(|x| **x == f).count()).collect();
        assert!(sizes.iter().all(|n| (14..=23).contains(n)), "{sizes:?}");
        assert_eq!(super::folds(&[0, 1, 2, 3], 3), [0, 1, 2, 0]);
        assert_eq!(highest_of_groups(&[1.0, 5.0, 2.0], &[0, 0, 1]), [5.0, 2.0]);
        assert_eq!(highest_of_groups(&[1.0, 5.0], &[]), [1.0, 5.0]);
        assert_eq!(highest_of_groups(&[1.0, 5.0], &[u32::MAX, 0]), [5.0, 1.0], "numbers of a file cost no memory");
    }
}
