//! A coarse timer wheel: one for all the deadlines of a worker.

/// Milliseconds of one slot.
const SLOT_MS: u64 = 250;
const SLOTS: usize = 512;

/// Keeps keys until their time. A key may be asked for a little late (by less
/// than one slot), never early; deadlines beyond the wheel's span come back
/// early and are told apart by their deadline.
#[derive(Debug)]
pub(crate) struct Wheel<K> {
    slots: Vec<Vec<(u64, K)>>,
    /// First slot number not yet turned.
    next: u64,
}

impl<K> Wheel<K> {
    pub(crate) fn new(mono_ms: u64) -> Self {
        Self {
            slots: std::iter::repeat_with(Vec::new).take(SLOTS).collect(),
            next: mono_ms / SLOT_MS,
        }
    }

    /// Keys kept.
    pub(crate) fn len(&self) -> usize {
        self.slots.iter().map(Vec::len).sum()
    }

    pub(crate) fn insert(&mut self, deadline_ms: u64, key: K) {
        let slot = deadline_ms.div_ceil(SLOT_MS).max(self.next);
        let slot = slot.min(self.next + SLOTS as u64 - 1);
        let index = (slot % SLOTS as u64) as usize;
        self.slots[index].push((deadline_ms, key));
    }

    /// Moves the keys that are due to `due`, with their deadlines. Keys that come
    /// back early are forgotten unless `is_live`.
    pub(crate) fn turn(
        &mut self,
        mono_ms: u64,
        due: &mut Vec<(u64, K)>,
        is_live: impl Fn(u64, &K) -> bool,
    ) {
        let now = mono_ms / SLOT_MS;
        let steps = (now + 1).saturating_sub(self.next).min(SLOTS as u64);
        let mut early = Vec::new();
        for step in 0..steps {
            let index = ((self.next + step) % SLOTS as u64) as usize;
            for (deadline_ms, key) in self.slots[index].drain(..) {
                if deadline_ms <= mono_ms {
                    due.push((deadline_ms, key));
                } else if is_live(deadline_ms, &key) {
                    early.push((deadline_ms, key));
                }
            }
        }
        self.next = self.next.max(now + 1);
        for (deadline_ms, key) in early {
            self.insert(deadline_ms, key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_due_at_their_time_and_not_before_however_far_away() {
        for deadline_ms in [0, 1, 250, 251, 1_000, 127_999, 128_000, 500_000, 5_000_000] {
            let mut wheel = Wheel::new(1_000);
            wheel.insert(deadline_ms, "key");
            let mut at = 1_000;
            let mut due = Vec::new();
            while due.is_empty() {
                at += 100;
                assert!(at < 6_000_000, "never due: {deadline_ms}");
                wheel.turn(at, &mut due, |_, _| true);
                if at < deadline_ms {
                    assert!(due.is_empty(), "{deadline_ms} came at {at}");
                }
            }
            let late = at.saturating_sub(deadline_ms.max(1_000));
            assert!(late <= SLOT_MS + 100, "{deadline_ms} came {late} ms late");
        }
    }

    #[test]
    fn a_long_pause_turns_everything_that_is_due_once() {
        let mut wheel = Wheel::new(0);
        for deadline_ms in (0..200_000).step_by(777) {
            wheel.insert(deadline_ms, deadline_ms);
        }
        let mut due = Vec::new();
        wheel.turn(1_000_000, &mut due, |_, _| true);
        wheel.turn(1_000_500, &mut due, |_, _| true);
        due.sort_unstable();
        let expected: Vec<(u64, u64)> = (0..200_000).step_by(777).map(|at| (at, at)).collect();
        assert_eq!(due, expected);
    }
}
