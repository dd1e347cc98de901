//! Whether one of a few texts stands in another one. Two bytes decide almost always which of them may begin at a place.

/// Most texts: a bit each.
const TEXTS_MAX: usize = 32;

/// A list of texts of two bytes or more.
#[derive(Debug)]
pub(super) struct AnyOf {
    texts: &'static [&'static str],
    /// For each byte the texts that begin with it,
    first: [u32; 256],
    /// and those whose second byte it is.
    second: [u32; 256],
}

impl AnyOf {
    /// These texts; letters count in both cases.
    pub(super) const fn of(texts: &'static [&'static str]) -> Self {
        assert!(texts.len() <= TEXTS_MAX, "each text has a bit");
        let mut any = Self { texts, first: [0; 256], second: [0; 256] };
        let mut at = 0;
        while at < texts.len() {
            let [first, second, ..] = *texts[at].as_bytes() else { panic!("a text has two bytes") };
            any.first[first.to_ascii_lowercase() as usize] |= 1 << at;
            any.first[first.to_ascii_uppercase() as usize] |= 1 << at;
            any.second[second.to_ascii_lowercase() as usize] |= 1 << at;
            any.second[second.to_ascii_uppercase() as usize] |= 1 << at;
            at += 1;
        }
        any
    }

    /// Whether one of the texts stands in `text` as it is.
    pub(super) fn stands_in(&self, text: &[u8]) -> bool {
        self.stands(text, |rest, one| rest.starts_with(one))
    }

    /// Whether `stands` says so of what begins at a place and one of the texts that may begin there.
    pub(super) fn stands(&self, text: &[u8], stands: impl Fn(&[u8], &[u8]) -> bool) -> bool {
        text.windows(2).enumerate().any(|(at, pair)| {
            let mut may = self.first[usize::from(pair[0])] & self.second[usize::from(pair[1])];
            while may != 0 {
                if stands(&text[at..], self.texts[may.trailing_zeros() as usize].as_bytes()) {
                    return true;
                }
                may &= may - 1;
            }
            false
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_wherever_they_stand() {
        static ANY: AnyOf = AnyOf::of(&["ab", "abc", "b…", "x:yz"]);
        for text in ["ab", "..ab", "xaabx", "b…", "..b…", "x:yz"] {
            assert!(ANY.stands_in(text.as_bytes()), "{text}");
        }
        for text in ["", "a", "aB", "b", "x:y", "x:Yz", "…"] {
            assert!(!ANY.stands_in(text.as_bytes()), "{text}");
        }
        let in_any_case = |rest: &[u8], one: &[u8]| {
            rest.get(..one.len()).is_some_and(|head| head.eq_ignore_ascii_case(one))
        };
        assert!(ANY.stands(b"..X:yZ", in_any_case) && !ANY.stands(b"..X:y", in_any_case));
    }
}
