//! Random histories of what is stored, fetched and acknowledged: a reader has all of
//! each line, in order and once.

use super::fetching::storing;
use super::*;

/// One thing that happens in a random history.
#[derive(Debug, Clone)]
enum Step {
    Publish {
        publisher: usize,
        topic: u8,
    },
    Store,
    /// The second first; what it is before is of another topic or publisher.
    StoreSecond,
    Page {
        max: usize,
    },
    NoPage,
    Acknowledge {
        place: usize,
    },
    Leave,
    Return,
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..2_usize, 0..3_u8)
            .prop_map(|(publisher, topic)| Step::Publish { publisher, topic }),
        6 => Just(Step::Store),
        3 => Just(Step::StoreSecond),
        4 => (1..5_usize).prop_map(|max| Step::Page { max }),
        1 => Just(Step::NoPage),
        6 => (0..3_usize).prop_map(|place| Step::Acknowledge { place }),
        1 => Just(Step::Leave),
        1 => Just(Step::Return),
        1 => Just(Step::Wait),
    ]
}

/// A reader, and what it has seen.
struct Reader {
    client: Option<usize>,
    /// Payloads in the order in which they came first.
    seen: Vec<String>,
    acknowledged: Vec<String>,
    held: Vec<(u16, String)>,
}

impl Reader {
    fn take(&mut self, world: &mut World) {
        let Some(client) = self.client else {
            return;
        };
        for got in world.got(client) {
            let Got::Publish {
                payload,
                packet_id: Some(id),
                ..
            } = got
            else {
                continue;
            };
            assert!(
                !self.acknowledged.contains(&payload),
                "{payload} came after its PUBACK"
            );
            if !self.seen.contains(&payload) {
                self.seen.push(payload.clone());
            }
            self.held.retain(|(held, _)| *held != id);
            self.held.push((id, payload));
        }
    }

    fn acknowledge(&mut self, world: &mut World, place: usize) {
        if let Some(client) = self.client
            && place < self.held.len()
        {
            let (id, payload) = self.held.remove(place);
            world.puback(client, id);
            self.acknowledged.push(payload);
        }
    }

    fn come_back(&mut self, world: &mut World) {
        self.client = Some(world.connect_with(lasting("c")));
        self.take(world);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_stored_reaches_its_reader_in_order_and_once(
        steps in prop::collection::vec(step(), 0..160),
        workers in 1..3_u16,
    ) {
        let mut world = storing(workers);
        let publishers = [world.connect(V5, "p"), world.connect(V5, "q")];
        let mut reader = Reader {
            client: None,
            seen: Vec::new(),
            acknowledged: Vec::new(),
            held: Vec::new(),
        };
        reader.come_back(&mut world);
        world.subscribe(reader.client.unwrap(), "t/#", QoS::AtLeastOnce);
        world.pages(4);
        let mut published = Vec::new();
        for step in steps {
            match step {
                Step::Publish { publisher, topic }
                    if world.script.borrow().submitted.len() < 4 =>
                {
                    let payload = format!("{publisher}{topic}-{}", published.len());
                    let topic = format!("t/{topic}");
                    let id = Some(published.len() as u16 + 1);
                    let publisher = publishers[publisher];
                    if world.publish(publisher, &topic, &payload, id) == Flow::Continue {
                        published.push(payload);
                    }
                }
                Step::Store if !world.script.borrow().submitted.is_empty() => world.store(),
                Step::StoreSecond => {
                    let lines: Vec<_> = {
                        let script = world.script.borrow();
                        let line = |message: &Message| (message.topic.clone(), message.sender.clone());
                        script.submitted.iter().map(|(_, _, message)| line(message)).collect()
                    };
                    if lines.len() > 1 && lines[0] != lines[1] {
                        world.store_at(1);
                    }
                }
                Step::Page { max } if !world.script.borrow().questions.is_empty() => world.page(max),
                Step::NoPage if !world.script.borrow().questions.is_empty() => world.no_page(),
                Step::Acknowledge { place } => reader.acknowledge(&mut world, place),
                Step::Leave => {
                    if let Some(client) = reader.client.take() {
                        reader.held.clear();
                        world.drop_socket(client);
                    }
                }
                Step::Return if reader.client.is_none() => reader.come_back(&mut world),
                Step::Wait => world.advance_ms(1_100),
                _ => {}
            }
            reader.take(&mut world);
        }
        while !world.script.borrow().submitted.is_empty() {
            world.store();
        }
        if reader.client.is_none() {
            reader.come_back(&mut world);
        }
        for _ in 0..2_000 {
            world.advance_ms(1_100);
            world.pages(4);
            reader.take(&mut world);
            reader.acknowledge(&mut world, 0);
        }
        for (publisher, topic) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)] {
            let of = |all: &[String]| -> Vec<String> {
                let prefix = format!("{publisher}{topic}-");
                all.iter().filter(|payload| payload.starts_with(&prefix)).cloned().collect()
            };
            prop_assert_eq!(of(&reader.seen), of(&published));
        }
        prop_assert_eq!(reader.acknowledged.len(), published.len());
    }
}
