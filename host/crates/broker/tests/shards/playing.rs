//! Readers with subscriptions that overlap, the module that serves them, and steps
//! that a property plays.

use hookwire_broker::{Answer, Page, Question};

use super::fetching::storing;
use super::*;

const FILTERS: [&str; 4] = ["t/0", "t/+", "t/#", "+/1"];

/// A page on its way: what the store's module has done for the oldest question.
#[derive(Debug, Default)]
pub(crate) enum Module {
    #[default]
    Idle,
    /// The subscription's floor is kept.
    Begun,
    Read(Page),
}

impl Module {
    /// Does the next thing for the oldest question; the last is to answer it.
    pub(crate) fn go_on(&mut self, world: &mut World, max: usize) {
        let page = {
            let mut script = world.script.borrow_mut();
            let Some((_, _, Question::Fetch(request))) = script.questions.front() else {
                *self = Self::Idle;
                return;
            };
            let request = request.clone();
            match std::mem::take(self) {
                Self::Idle => {
                    if request.begins {
                        script.store.begin(&request);
                    }
                    *self = Self::Begun;
                    return;
                }
                Self::Begun => {
                    *self = Self::Read(script.store.page(&request, max));
                    return;
                }
                Self::Read(page) => page,
            }
        };
        world.answer(0, Answer::Fetch(Ok(page)));
    }

    pub(crate) fn answer_all(&mut self, world: &mut World) {
        let mut steps = 0;
        while !world.script.borrow().questions.is_empty() {
            self.go_on(world, 4);
            steps += 1;
            assert!(steps < 10_000, "it goes on for ever");
        }
    }
}

/// A reader, and what it has seen.
#[derive(Default)]
pub(crate) struct Reader {
    pub(crate) client: Option<usize>,
    /// In the order in which they came first.
    pub(crate) seen: Vec<String>,
    /// Those that came on this connection.
    pub(crate) came: Vec<String>,
    pub(crate) acknowledged: Vec<String>,
    pub(crate) held: Vec<(u16, String)>,
    /// Filters of which not every SUBACK has come. They come in any order.
    pub(crate) asked: Vec<&'static str>,
    pub(crate) subacks: usize,
    /// Filters, and how many messages had been published when SUBACK came.
    pub(crate) granted: Vec<(&'static str, usize)>,
}

impl Reader {
    pub(crate) fn take(&mut self, world: &mut World, published: usize) {
        let Some(client) = self.client else {
            return;
        };
        for got in world.got(client) {
            match got {
                Got::Other(text) if text.starts_with("SUBACK") => {
                    assert!(text.contains("GrantedQoS1"), "{text}");
                    self.subacks += 1;
                    if self.subacks == self.asked.len() {
                        let granted = self.asked.drain(..).map(|filter| (filter, published));
                        self.granted.extend(granted);
                        self.subacks = 0;
                    }
                }
                Got::Publish {
                    payload,
                    packet_id: Some(id),
                    ..
                } => {
                    assert!(
                        !self.acknowledged.contains(&payload),
                        "{payload} came again"
                    );
                    assert!(!self.came.contains(&payload), "{payload} came twice");
                    self.came.push(payload.clone());
                    if !self.seen.contains(&payload) {
                        self.seen.push(payload.clone());
                    }
                    self.held.push((id, payload));
                }
                _ => {}
            }
        }
    }

    pub(crate) fn acknowledge(&mut self, world: &mut World, place: usize) {
        if let Some(client) = self.client
            && place < self.held.len()
        {
            let (id, payload) = self.held.remove(place);
            self.acknowledged.push(payload);
            world.puback(client, id);
        }
    }

    pub(crate) fn subscribe(&mut self, world: &mut World, filter: &'static str) {
        if let Some(client) = self.client {
            self.asked.push(filter);
            world.subscribe(client, filter, QoS::AtLeastOnce);
        }
    }

    pub(crate) fn leave(&mut self, world: &mut World) {
        if let Some(client) = self.client.take() {
            self.held.clear();
            self.came.clear();
            self.asked.clear();
            self.subacks = 0;
            world.drop_socket(client);
        }
    }

    pub(crate) fn come_back(&mut self, world: &mut World) {
        if self.client.is_none() {
            let mut connect = Connect::new(V5, "c");
            connect.clean_start = false;
            connect.session_expiry_interval_s = 1_000_000;
            self.client = Some(world.connect_with(connect));
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Publish {
        publisher: usize,
        topic: usize,
    },
    Store,
    /// The second first; what it is before is of another topic or publisher.
    StoreSecond,
    Module {
        max: usize,
    },
    Acknowledge {
        place: usize,
    },
    Subscribe {
        filter: usize,
    },
    Leave,
    Return,
    Wait,
    WaitLong,
    HoldMail,
    CarryMail,
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..2_usize, 0..2_usize)
            .prop_map(|(publisher, topic)| Step::Publish { publisher, topic }),
        8 => Just(Step::Store),
        3 => Just(Step::StoreSecond),
        10 => (1..4_usize).prop_map(|max| Step::Module { max }),
        6 => (0..3_usize).prop_map(|place| Step::Acknowledge { place }),
        3 => (0..FILTERS.len()).prop_map(|filter| Step::Subscribe { filter }),
        1 => Just(Step::Leave),
        2 => Just(Step::Return),
        1 => Just(Step::Wait),
        1 => Just(Step::WaitLong),
        1 => Just(Step::HoldMail),
        1 => Just(Step::CarryMail),
    ]
}

pub(crate) fn publish(
    world: &mut World,
    client: usize,
    line: (usize, usize),
    published: &mut Vec<String>,
) {
    if world.script.borrow().submitted.len() >= 4 {
        return;
    }
    let payload = format!("{}{}-{}", line.0, line.1, published.len());
    let id = Some(u16::try_from(published.len() + 1).unwrap());
    if world.publish(client, &format!("t/{}", line.1), &payload, id) == Flow::Continue {
        published.push(payload);
    }
}

pub(crate) fn store_second(world: &mut World) {
    let lines: Vec<_> = {
        let script = world.script.borrow();
        let line = |message: &Message| (message.topic.clone(), message.sender.clone());
        let submitted = script.submitted.iter();
        submitted.map(|(_, _, message)| line(message)).collect()
    };
    if lines.len() > 1 && lines[0] != lines[1] {
        world.store_at(1);
    }
}

/// What was published on one line has come from some place on, which is before
/// what was published behind the first SUBACK for it.
pub(crate) fn check_line(
    reader: &Reader,
    published: &[String],
    line: (usize, usize),
) -> Result<(), String> {
    let prefix = format!("{}{}-", line.0, line.1);
    let of = |all: &[String]| -> Vec<String> {
        let own = all.iter().filter(|payload| payload.starts_with(&prefix));
        own.cloned().collect()
    };
    let (seen, all) = (of(&reader.seen), of(published));
    if !all.ends_with(&seen) {
        return Err(format!("{seen:?} came of {all:?}"));
    }
    let topic = format!("t/{}", line.1);
    let matches = |filter: &str| {
        let filter = TopicFilter::new(filter).unwrap();
        filter.matches(hookwire_mqtt::TopicName::new(&topic).unwrap())
    };
    let granted = reader.granted.iter().filter(|(filter, _)| matches(filter));
    let Some(from) = granted.map(|(_, from)| *from).min() else {
        return Ok(());
    };
    let owed = of(&published[from..]);
    if seen.len() < owed.len() {
        return Err(format!("{owed:?} was owed, and {seen:?} came"));
    }
    Ok(())
}

pub(crate) fn play(steps: Vec<Step>, workers: u16) -> Result<(), String> {
    let mut world = storing(workers);
    let publishers = [world.connect(V5, "p"), world.connect(V5, "q")];
    let mut reader = Reader::default();
    let mut module = Module::default();
    let mut published = Vec::new();
    reader.come_back(&mut world);
    for step in steps {
        match step {
            Step::Publish { publisher, topic } => publish(
                &mut world,
                publishers[publisher],
                (publisher, topic),
                &mut published,
            ),
            Step::Store => {
                if !world.script.borrow().submitted.is_empty() {
                    world.store();
                }
            }
            Step::StoreSecond => store_second(&mut world),
            Step::Module { max } => module.go_on(&mut world, max),
            Step::Acknowledge { place } => reader.acknowledge(&mut world, place),
            Step::Subscribe { filter } => reader.subscribe(&mut world, FILTERS[filter]),
            Step::Leave => reader.leave(&mut world),
            Step::Return => reader.come_back(&mut world),
            Step::Wait => world.advance_ms(1_100),
            // Mail is under way for a minute at most, and nothing is stored for ever.
            Step::WaitLong if world.carry_mail && world.script.borrow().submitted.is_empty() => {
                world.advance_ms(70_000);
            }
            Step::WaitLong => world.advance_ms(1_000),
            Step::HoldMail => world.carry_mail = false,
            Step::CarryMail => {
                world.carry_mail = true;
                world.settle();
            }
        }
        reader.take(&mut world, published.len());
    }
    world.carry_mail = true;
    world.settle();
    while !world.script.borrow().submitted.is_empty() {
        world.store();
    }
    reader.take(&mut world, published.len());
    reader.come_back(&mut world);
    for _ in 0..published.len() + 50 {
        world.advance_ms(1_100);
        module.answer_all(&mut world);
        reader.take(&mut world, published.len());
        reader.acknowledge(&mut world, 0);
    }
    for line in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        check_line(&reader, &published, line)?;
    }
    if reader.acknowledged.len() < reader.seen.len() {
        return Err("not all that came was acknowledged".to_owned());
    }
    Ok(())
}
