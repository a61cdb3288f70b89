//! Bytes that the shards write, and the mail between them.

use std::io::IoSlice;

use hookwire_broker::{ConnectionKey, WorkerId};

use super::World;

impl World {
    /// Carries bytes and mail until nothing moves.
    pub(crate) fn settle(&mut self) {
        loop {
            let mut moved = false;
            for worker in 0..self.shards.len() {
                moved |= self.flush(worker);
            }
            if !moved {
                return;
            }
        }
    }

    fn flush(&mut self, worker: usize) -> bool {
        let mut keys = Vec::new();
        self.shards[worker].take_resumed(&mut keys);
        for client in &mut self.clients {
            if client.worker == worker && keys.contains(&client.key) {
                client.paused = false;
            }
        }
        let mut moved = !keys.is_empty();
        keys.clear();
        self.shards[worker].take_dirty(&mut keys);
        moved |= !keys.is_empty() && !self.stop_writing;
        if self.stop_writing {
            self.unwritten
                .extend(keys.drain(..).map(|key| (worker, key)));
        } else {
            let before = self.unwritten.extract_if(.., |(of, _)| *of == worker);
            keys.extend(before.map(|(_, key)| key));
            moved |= !keys.is_empty();
        }
        for key in keys {
            self.write(worker, key);
        }
        if self.carry_mail {
            for to in 0..self.shards.len() {
                let mail = self.shards[worker].take_mail(WorkerId::try_from(to).unwrap());
                if !mail.is_empty() {
                    moved = true;
                    let from = WorkerId::try_from(worker).unwrap();
                    self.shards[to].receive(self.now, from, mail);
                }
            }
        }
        moved
    }

    fn write(&mut self, worker: usize, key: ConnectionKey) {
        let shard = &mut self.shards[worker];
        let client = self
            .clients
            .iter_mut()
            .find(|client| client.worker == worker && client.key == key);
        let mut scratch = Vec::new();
        let received = match client {
            Some(client) => &mut client.received,
            // The answer to a connect call that has not returned yet.
            None => &mut scratch,
        };
        if let Some(output) = shard.output(key) {
            while !output.is_empty() {
                let mut slices = [IoSlice::new(&[]); 8];
                let used = output.slices(&mut slices);
                let written = slices[..used].iter().map(|slice| slice.len()).sum();
                slices[..used]
                    .iter()
                    .for_each(|slice| received.extend_from_slice(slice));
                output.advance(written);
            }
        }
        shard.written(self.now, key);
        if shard.is_closing(key) {
            shard.socket_closed(self.now, key);
            if let Some(client) = self
                .clients
                .iter_mut()
                .find(|client| client.worker == worker && client.key == key)
            {
                client.closed = true;
            }
        }
    }
}
