//! Finds texts that come twice: names of a map, members of a set, keys of a batch.

/// So many texts are compared at most, each with all before it; nothing that has more is the core's business.
const MOST: usize = 1000;

/// Groups of texts, the newest group on top.
#[derive(Default)]
pub struct Distinct {
    prints: Vec<u64>,
    ends: Vec<usize>,
    texts: Vec<u8>,
}

impl Distinct {
    /// Begins a group within the present one.
    #[inline]
    pub fn begin(&self) -> usize {
        self.prints.len()
    }

    /// Ends the group that was begun with this result, and all within it.
    #[inline]
    pub fn end(&mut self, group: usize) {
        self.prints.truncate(group);
        self.ends.truncate(group);
        self.texts.truncate(self.ends.last().copied().unwrap_or(0));
    }

    /// Whether the text is new in the group. It is added to it.
    #[inline]
    pub fn is_new(&mut self, group: usize, text: &[u8]) -> bool {
        let print = fingerprint(text);
        if self.prints.len() - group >= MOST || (self.prints[group..].contains(&print) && self.has(group, text)) {
            return false;
        }
        self.prints.push(print);
        self.texts.extend_from_slice(text);
        self.ends.push(self.texts.len());
        true
    }

    fn has(&self, group: usize, text: &[u8]) -> bool {
        (group..self.ends.len()).any(|place| {
            let start = if place == 0 { 0 } else { self.ends[place - 1] };
            &self.texts[start..self.ends[place]] == text
        })
    }
}

/// A number that is the same for the same texts, and seldom for others.
#[inline]
pub fn fingerprint(text: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut print = text.len() as u64;
    let mut rest = text;
    while let Some((eight, others)) = rest.split_first_chunk() {
        print = (print ^ u64::from_le_bytes(*eight)).wrapping_mul(FACTOR).rotate_left(29);
        rest = others;
    }
    let mut last = 0;
    for &byte in rest {
        last = last << 8 | u64::from(byte);
    }
    (print ^ last).wrapping_mul(FACTOR)
}
