//! Delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002): the fewest of many
//! grants that still make a call work.

/// A smallest set of `0..count` for which `works` holds: without any one of it, it does not. `None` if it does not hold for
/// all together. `works` may fail, which ends the search.
///
/// # Errors
/// What `works` fails with.
pub(super) fn minimal<E>(
    count: usize,
    works: &mut dyn FnMut(&[usize]) -> Result<bool, E>,
) -> Result<Option<Vec<usize>>, E> {
    let mut kept: Vec<usize> = (0..count).collect();
    if count == 0 || !works(&kept)? {
        return Ok(None);
    }
    let mut parts = 2;
    while kept.len() > 1 {
        let size = kept.len().div_ceil(parts);
        let mut smaller = None;
        for part in kept.chunks(size) {
            if works(part)? {
                smaller = Some((part.to_vec(), 2));
                break;
            }
        }
        if smaller.is_none() && parts > 2 {
            for part in kept.chunks(size) {
                let rest: Vec<usize> = kept.iter().copied().filter(|one| !part.contains(one)).collect();
                if works(&rest)? {
                    smaller = Some((rest, parts - 1));
                    break;
                }
            }
        }
        match smaller {
            Some((found, next)) => (kept, parts) = (found, next),
            None if parts >= kept.len() => break,
            None => parts = (parts * 2).min(kept.len()),
        }
    }
    Ok(Some(kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(count: usize, needed: &[usize]) -> (Option<Vec<usize>>, usize) {
        let mut asked = 0;
        let mut works = |chosen: &[usize]| -> Result<bool, ()> {
            asked += 1;
            Ok(needed.iter().all(|one| chosen.contains(one)))
        };
        let found = minimal(count, &mut works).unwrap();
        (
            found.map(|mut found| {
                found.sort_unstable();
                found
            }),
            asked,
        )
    }

    #[test]
    fn one_of_many_is_found_in_few_tries() {
        for needed in [0, 17, 63] {
            let (found, asked) = search(64, &[needed]);
            assert_eq!(found, Some(vec![needed]));
            assert!(asked <= 14, "{asked}");
        }
    }

    #[test]
    fn two_that_only_work_together_are_both_found() {
        for pair in [[0, 1], [3, 60], [31, 32]] {
            assert_eq!(search(64, &pair).0, Some(pair.to_vec()));
        }
        assert_eq!(search(3, &[0, 1, 2]).0, Some(vec![0, 1, 2]));
    }

    #[test]
    fn what_does_not_help_at_all_is_not_proposed() {
        assert_eq!(search(8, &[9]).0, None);
        assert_eq!(search(0, &[]).0, None);
    }

    #[test]
    fn a_try_that_cannot_be_made_ends_the_search() {
        assert_eq!(minimal(4, &mut |_| Err("no")), Err("no"));
    }
}
