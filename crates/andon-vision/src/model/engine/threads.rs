//! How many threads fit a machine.

/// More threads than this for each processor only take turns, and the machine has to keep all their stacks.
const FOR_EACH: usize = 4;

/// Processors that this process may use; at least 1.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A number of threads that fits this machine; 0 stays "automatic".
///
/// # Errors
/// More than four for each processor; the words say how many processors there are and how many threads go.
pub fn threads_fit(wanted: usize) -> Result<usize, String> {
    threads_on(wanted, processors())
}

fn threads_on(wanted: usize, processors: usize) -> Result<usize, String> {
    let most = processors * FOR_EACH;
    if wanted <= most {
        return Ok(wanted);
    }
    let has = if processors == 1 { "1 processor".to_owned() } else { format!("{processors} processors") };
    Err(format!("{wanted} is not in 0..={most} (0 = automatic): this machine has {has}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_four_threads_a_processor_are_refused_with_the_machine_named() {
        assert_eq!((threads_on(0, 2), threads_on(8, 2), threads_on(4, 1)), (Ok(0), Ok(8), Ok(4)));
        for (wanted, processors, words) in
            [(9, 2, "this machine has 2 processors"), (99_999, 16, "0..=64"), (usize::MAX, 1, "has 1 processor")]
        {
            let why = threads_on(wanted, processors).unwrap_err();
            assert!(why.contains(words) && why.contains(&wanted.to_string()), "{why}");
        }
    }
}
