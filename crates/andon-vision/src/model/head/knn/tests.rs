use super::*;

/// Numbers that look random and are the same everywhere.
fn noise(n: usize, seed: u64) -> Vec<f32> {
    let mut s = seed;
    (0..n)
        .map(|_| {
            s = s.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((s >> 40) as f32 / (1 << 23) as f32) - 1.0
        })
        .collect()
}

fn brute(rows: &[f32], dim: usize, q: &[f32], skip: &Range<usize>) -> (usize, f64) {
    let d = |row: &[f32]| row.iter().zip(q).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>().sqrt();
    rows.chunks_exact(dim)
        .enumerate()
        .filter(|(i, _)| !skip.contains(i))
        .map(|(i, row)| (i, d(row)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap()
}

fn check(n: usize, dim: usize, queries: usize, threads: usize, isa: Isa) {
    let rows: Arc<[f32]> = noise(n * dim, 1).into();
    let q = noise(queries * dim, 2);
    let mut searcher = KnnSearcher::with_isa(rows.clone(), dim, threads, isa);
    let mut out = Vec::new();
    searcher.search_into(&q, &mut out);
    assert_eq!(out.len(), queries);
    for (i, near) in out.iter().enumerate() {
        let (index, want) = brute(&rows, dim, &q[i * dim..(i + 1) * dim], &(0..0));
        assert!((f64::from(near.distance) - want).abs() <= 1e-5 * want, "{near:?} {index} {want}");
    }
}

#[test]
fn agrees_with_brute_force_in_f64_for_every_instruction_set() {
    for isa in Isa::available() {
        for (n, dim, queries) in [(1, 1, 1), (33, 7, 9), (100, 152, 50), (257, 31, 17), (64, 16, 0)] {
            check(n, dim, queries, 1, isa);
            check(n, dim, queries, 3, isa);
        }
    }
}

#[test]
fn every_instruction_set_and_thread_count_gives_the_same_bits() {
    let rows: Arc<[f32]> = noise(300 * 40, 3).into();
    let q = noise(77 * 40, 4);
    let run = |isa, threads| {
        let mut out = Vec::new();
        KnnSearcher::with_isa(rows.clone(), 40, threads, isa).search_into(&q, &mut out);
        out.iter().map(|n| (n.index, n.distance.to_bits())).collect::<Vec<_>>()
    };
    let reference = run(Isa::Plain, 1);
    for isa in Isa::available() {
        assert_eq!(run(isa, 1), reference, "{isa:?}");
        assert_eq!(run(isa, 4), reference, "{isa:?} on four threads");
    }
}

#[test]
fn a_row_is_at_distance_zero_from_itself_and_the_lowest_of_equals_wins() {
    let mut rows = noise(50 * 20, 5);
    let copy = rows[7 * 20..8 * 20].to_vec();
    rows[30 * 20..31 * 20].copy_from_slice(&copy);
    for isa in Isa::available() {
        let mut out = Vec::new();
        KnnSearcher::with_isa(rows.clone().into(), 20, 1, isa).search_into(&copy, &mut out);
        assert_eq!(out, [Nearest { index: 7, distance: 0.0 }]);
    }
}

#[test]
fn excluded_rows_are_not_found_and_come_back() {
    let rows: Arc<[f32]> = noise(120 * 24, 6).into();
    let q = noise(30 * 24, 7);
    let mut searcher = KnnSearcher::new(rows.clone(), 24, 2);
    let mut out = Vec::new();
    for skip in [0..40, 40..120, 0..0] {
        searcher.exclude((!skip.is_empty()).then(|| skip.clone()));
        searcher.search_into(&q, &mut out);
        for (i, near) in out.iter().enumerate() {
            let (index, _) = brute(&rows, 24, &q[i * 24..(i + 1) * 24], &skip);
            assert_eq!(near.index as usize, index);
        }
    }
    searcher.exclude(Some(0..120));
    searcher.search_into(&q, &mut out);
    assert!(out.iter().all(|n| n.distance == f32::INFINITY), "nothing left to compare with");
}

/// The definition: all rows measured, sorted by squared distance and row.
fn exhaustive(rows: &[f32], dim: usize, q: &[f32], k: usize, skip: &Range<usize>) -> Vec<(u32, u32)> {
    let mut all: Vec<(f32, u32)> = (0..(rows.len() / dim) as u32)
        .filter(|i| !skip.contains(&(*i as usize)))
        .map(|i| (squared(q, &rows[i as usize * dim..(i as usize + 1) * dim]), i))
        .collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    all.iter().take(k).map(|(d, i)| (*i, d.sqrt().to_bits())).collect()
}

/// Banks and queries that try the bounds: outliers, copies, an offset far from zero, one direction only, zeros, tiny and
/// huge numbers.
fn awkward(kind: u32, n: usize, dim: usize, seed: u64) -> Vec<f32> {
    let mut values = noise(n * dim, seed);
    for (i, v) in values.iter_mut().enumerate() {
        *v = match kind {
            0 => *v,
            1 if i % 97 == 0 => *v * 300.0,
            2 => (*v * 2.0).round(),
            3 => *v + 1000.0,
            4 if i % dim > 0 => 0.0,
            5 => 0.25,
            6 => *v * 1e-30,
            7 => *v * 1e18,
            8 if (i / dim).is_multiple_of(5) => *v * 40.0,
            _ => *v,
        };
    }
    values
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(120))]
    #[test]
    fn every_path_gives_the_exhaustive_search_in_f32(
        kind in 0u32..9, query_kind in 0u32..9, n in 1usize..300, dim in 1usize..70, k in 1usize..=MAX_K,
        seed in 0u64..1000, skip in 0usize..200, skipped in 0usize..40, threads in 1usize..4,
    ) {
        let rows: Arc<[f32]> = awkward(kind, n, dim, seed).into();
        let queries = [awkward(query_kind, 11, dim, seed + 1), rows[..dim].to_vec()].concat();
        let skip = skip.min(n)..(skip + skipped).min(n).max(skip.min(n));
        for isa in Isa::available() {
            let mut searcher = KnnSearcher::with_isa(rows.clone(), dim, threads, isa);
            searcher.exclude(Some(skip.clone()));
            let mut out = Vec::new();
            searcher.search_k_into(&queries, k, &mut out);
            for (q, found) in queries.chunks_exact(dim).zip(out.chunks_exact(k)) {
                let want = exhaustive(&rows, dim, q, k, &skip);
                let got: Vec<_> = found.iter().map(|f| (f.index, f.distance.to_bits())).take(want.len()).collect();
                proptest::prop_assert_eq!(got, want, "{:?}", isa);
                proptest::prop_assert!(found.iter().skip(n - skip.len()).all(|f| f.distance == f32::INFINITY));
            }
        }
    }
}

/// A search that needs fewer threads than there are leaves nothing behind for the next one.
#[test]
fn searches_of_every_size_follow_each_other() {
    let (rows, dim): (Arc<[f32]>, usize) = (noise(100 * 10, 21).into(), 10);
    for threads in [2, 5] {
        let mut searcher = KnnSearcher::new(rows.clone(), dim, threads);
        let mut out = Vec::new();
        for (round, count) in [1, 40, 1, 1, 1, 9, 0, 17, 1, 100, 3].into_iter().enumerate() {
            let q = noise(count * dim, 100 + round as u64);
            searcher.search_k_into(&q, 2, &mut out);
            assert_eq!(out.len(), 2 * count);
            for (q, found) in q.chunks_exact(dim).zip(out.chunks_exact(2)) {
                let got: Vec<_> = found.iter().map(|f| (f.index, f.distance.to_bits())).collect();
                assert_eq!(got, exhaustive(&rows, dim, q, 2, &(0..0)), "{count} queries in round {round}");
            }
        }
    }
}

/// The searches above cannot see products that are too small: more is measured then, and the answer stays the same.
#[test]
fn products_are_within_their_bound_of_f64_for_every_instruction_set() {
    for isa in Isa::available() {
        for (n, dim, count) in [(1, 1, 1), (33, 7, 9), (100, 152, 50), (257, 31, 17), (300, 1536, 8)] {
            let (rows, q) = (noise(n * dim, 13), noise(count * dim, 14));
            let (bank, mut queries) = (Bank::pack(&rows, dim, isa), Queries::default());
            bank.pack_queries(&q, &mut queries);
            let (mr, nr) = (isa.block(), isa.panel());
            let mut out = vec![0.0; bank.panels() * mr * nr];
            let mut least = vec![0.0; bank.panels() * mr];
            for block in 0..count.div_ceil(mr) {
                let about = &queries.about[block * mr..(block + 1) * mr];
                isa.products(
                    &bank,
                    0..bank.panels(),
                    queries.block(block, isa, bank.steps),
                    about,
                    &mut out,
                    &mut least,
                );
                for (at, products) in out.chunks_exact(nr).enumerate() {
                    let smallest = products.iter().copied().fold(f32::INFINITY, f32::min);
                    assert_eq!(least[at].to_bits(), smallest.to_bits(), "{isa:?}");
                    let i = block * mr + at % mr;
                    for (row, product) in (at / mr * nr..n).zip(products).filter(|_| i < count) {
                        let (_, want) =
                            brute(&rows[row * dim..(row + 1) * dim], dim, &q[i * dim..(i + 1) * dim], &(0..0));
                        let about = &queries.about[i];
                        let off = f64::from(about.error + bank.error[row / nr]);
                        let slack = (2e-6 + 1.2e-7 * dim as f64) * f64::from(about.norm + bank.largest);
                        let got = f64::from(*product) + f64::from(about.norm);
                        let (low, high) = ((want - off).max(0.0).powi(2) - slack, (want + off).powi(2) + slack);
                        assert!((low..=high).contains(&got), "{isa:?}: {got} for {want}, row {row}, query {i}");
                    }
                }
            }
        }
    }
}

/// Several slabs, more rows than a slab holds, as large as a real bank.
#[test]
fn a_large_bank_is_searched_in_slabs_to_the_same_answer() {
    for (n, dim) in [(9000, 24), (700, 1536)] {
        let rows: Arc<[f32]> = noise(n * dim, 11).into();
        let q = noise(20 * dim, 12);
        for isa in Isa::available() {
            let mut out = Vec::new();
            KnnSearcher::with_isa(rows.clone(), dim, 2, isa).search_k_into(&q, 3, &mut out);
            for (q, found) in q.chunks_exact(dim).zip(out.chunks_exact(3)) {
                let got: Vec<_> = found.iter().map(|f| (f.index, f.distance.to_bits())).collect();
                assert_eq!(got, exhaustive(&rows, dim, q, 3, &(0..0)), "{isa:?}");
            }
        }
    }
}

#[test]
fn a_query_with_nan_has_no_distance() {
    let rows: Arc<[f32]> = noise(40 * 8, 8).into();
    let mut q = noise(3 * 8, 9);
    q[11] = f32::NAN;
    let mut out = Vec::new();
    KnnSearcher::new(rows, 8, 1).search_into(&q, &mut out);
    assert!(out[0].distance.is_finite() && out[1].distance.is_nan() && out[2].distance.is_finite());
}
