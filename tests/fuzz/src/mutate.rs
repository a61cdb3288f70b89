//! Seeded changes to inputs: the same seed makes the same input.

use crate::corpus::Entry;

/// Bytes that mean something: edges, wildcards, identifiers of properties.
const TELLING: &[u8] = b"\0\x01\x02\x7F\x80\xFF+#$/\x01\x02\x08\x09\x0B\x15\x16\x1F\x21\x23\x26";

/// The input of `seed`: one of `corpus`, changed a few times.
#[must_use]
pub fn input(corpus: &[Entry], seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut chosen = random.pick(corpus);
    // Most hostile inputs end where they begin: packets are the better start.
    if chosen.is_some_and(|entry| !entry.name.starts_with("packet-")) {
        chosen = random.pick(corpus);
    }
    let mut bytes = chosen.map_or(Vec::new(), |entry| entry.bytes.clone());
    for _ in 0..=random.below(3) {
        change(&mut bytes, corpus, &mut random);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, corpus: &[Entry], random: &mut Random) {
    let mut at = random.below(bytes.len());
    // What is wrong in the header is seen first: mostly leave that alone.
    if at < 2 && random.below(4) > 0 {
        at = random.below(bytes.len());
    }
    match random.below(16) {
        0..=2 => set(bytes, at, random.byte()),
        3..=5 => {
            let byte = random.pick(TELLING).copied().unwrap_or_default();
            set(bytes, at, byte);
        }
        6..=7 => {
            let bit = 1 << random.below(8);
            let flipped = bytes.get(at).map_or(0, |byte| byte ^ bit);
            set(bytes, at, flipped);
        }
        8..=9 => resize(bytes, at, 0, &[random.byte()], random),
        10 => resize(bytes, at, 1 + random.below(4), &[], random),
        // A part twice, as a property that is there twice.
        11..=12 => {
            let length = 1 + random.below(12);
            let part: Vec<u8> = bytes.iter().skip(at).take(length).copied().collect();
            resize(bytes, at, 0, &part, random);
        }
        // The head of this input and the tail of another one.
        13 => {
            let other = random.pick(corpus).map_or(&[][..], |entry| &entry.bytes);
            let tail: Vec<u8> = other
                .iter()
                .skip(random.below(other.len()))
                .copied()
                .collect();
            let rest = bytes.len();
            resize(bytes, at, rest, &tail, random);
        }
        14 => bytes.truncate(at),
        // A length that is a little off, or that of another kind.
        _ => {
            let byte = bytes.get(1).copied().unwrap_or_default();
            let off = random.pick(&[1, 2, 0x7F, 0x80, 0xFE, 0xFF]).copied();
            set(bytes, 1, byte.wrapping_add(off.unwrap_or_default()));
        }
    }
}

fn set(bytes: &mut [u8], at: usize, byte: u8) {
    if let Some(old) = bytes.get_mut(at) {
        *old = byte;
    }
}

/// Puts `part` in the place of `taken` bytes, and mostly makes the remaining
/// length fit, and one more byte before it, perhaps the length of properties.
fn resize(bytes: &mut Vec<u8>, at: usize, taken: usize, part: &[u8], random: &mut Random) {
    let at = at.max(2).min(bytes.len());
    let end = at.saturating_add(taken).min(bytes.len());
    let grown = part.len().wrapping_sub(end - at) as u8;
    bytes.splice(at..end, part.iter().copied());
    let mut grow = |field: usize| {
        if field < at {
            let length = bytes.get(field).map_or(0, |byte| byte.wrapping_add(grown));
            set(bytes, field, length);
        }
    };
    if random.below(8) > 0 {
        grow(1);
    }
    if random.below(2) > 0 {
        grow(2 + random.below(at.saturating_sub(2)));
    }
}

/// SplitMix64: small, and good enough to choose by.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `bound`, without it; 0 for a bound of 0.
    fn below(&mut self, bound: usize) -> usize {
        let number = self.next() as usize;
        number.checked_rem(bound).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }
}
