//! What each kind of operation does.

mod clients;
mod messages;
mod network;

pub(crate) use network::amount;

use crate::plan::{Kind, Operation};
use crate::random::Random;
use crate::run::Simulation;

impl Simulation<'_> {
    /// Does one operation; whether there was anything to do.
    ///
    /// Where a client has nothing of the kind to do, the next one that has does it.
    pub(crate) fn act(&mut self, operation: Operation) -> bool {
        let count = self.clients.len();
        let first = usize::from(operation.client);
        let tries = if operation.kind.is_of_client() {
            count
        } else {
            1
        };
        (0..tries).any(|offset| self.act_as((first + offset) % count, operation))
    }

    fn act_as(&mut self, client: usize, operation: Operation) -> bool {
        let mut dice = Random::new(operation.dice);
        match operation.kind {
            Kind::Connect => self.connect(client, operation.number, &mut dice),
            Kind::Drop => self.drop_connection(client, &mut dice),
            Kind::Disconnect => self.disconnect(client, &mut dice),
            Kind::Subscribe => self.subscribe(client, &mut dice),
            Kind::Unsubscribe => self.unsubscribe(client, &mut dice),
            Kind::Publish => self.publish(client, operation.number, &mut dice),
            Kind::Acknowledge => self.acknowledge(client, &mut dice),
            Kind::AcknowledgeAll => self.acknowledge_all(client),
            Kind::Ping => self.ping(client, &mut dice),
            Kind::Authenticate => self.authenticate_again(client, &mut dice),
            Kind::Breach => self.breach(client, &mut dice),
            Kind::Stall => self.stall(client),
            Kind::Read => self.read_some(client, &mut dice),
            Kind::Write => self.write_some(client, &mut dice),
            Kind::Mail => self.carry_mail(&mut dice),
            Kind::Answer => self.answer_one(&mut dice),
            Kind::AnswerAll => self.answer_all(),
            Kind::Room => self.set_room(&mut dice),
            Kind::Wait => self.wait(&mut dice),
            Kind::Jump => self.jump(&mut dice),
            Kind::SetWallClock => self.set_wall_clock(&mut dice),
            Kind::Rest => self.come_to_rest(),
            Kind::Calm => self.come_to_calm(),
        }
    }
}
