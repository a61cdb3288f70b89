//! What is stored and what is live, without a seam: subscriptions that overlap,
//! begin in the middle of a fetch, and are made again; pages that were read before
//! what came meanwhile.

use hookwire_broker::{Answer, Page, Question};

use super::fetching::{numbered, stored, storing};
use super::*;

const FILTERS: [&str; 4] = ["t/0", "t/+", "t/#", "+/1"];

/// A page on its way: what the store's module has done for the oldest question.
#[derive(Debug, Default)]
enum Module {
    #[default]
    Idle,
    /// The subscription's floor is kept.
    Begun,
    Read(Page),
}

impl Module {
    /// Does the next thing for the oldest question; the last is to answer it.
    fn go_on(&mut self, world: &mut World, max: usize) {
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

    fn answer_all(&mut self, world: &mut World) {
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
struct Reader {
    client: Option<usize>,
    /// In the order in which they came first.
    seen: Vec<String>,
    /// Those that came on this connection.
    came: Vec<String>,
    acknowledged: Vec<String>,
    held: Vec<(u16, String)>,
    /// Filters of which not every SUBACK has come. They come in any order.
    asked: Vec<&'static str>,
    subacks: usize,
    /// Filters, and how many messages had been published when SUBACK came.
    granted: Vec<(&'static str, usize)>,
}

impl Reader {
    fn take(&mut self, world: &mut World, published: usize) {
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

    fn acknowledge(&mut self, world: &mut World, place: usize) {
        if let Some(client) = self.client
            && place < self.held.len()
        {
            let (id, payload) = self.held.remove(place);
            self.acknowledged.push(payload);
            world.puback(client, id);
        }
    }

    fn subscribe(&mut self, world: &mut World, filter: &'static str) {
        if let Some(client) = self.client {
            self.asked.push(filter);
            world.subscribe(client, filter, QoS::AtLeastOnce);
        }
    }

    fn leave(&mut self, world: &mut World) {
        if let Some(client) = self.client.take() {
            self.held.clear();
            self.came.clear();
            self.asked.clear();
            self.subacks = 0;
            world.drop_socket(client);
        }
    }

    fn come_back(&mut self, world: &mut World) {
        if self.client.is_none() {
            let mut connect = Connect::new(V5, "c");
            connect.clean_start = false;
            connect.session_expiry_interval_s = 1_000_000;
            self.client = Some(world.connect_with(connect));
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
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

fn step() -> impl Strategy<Value = Step> {
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

fn publish(world: &mut World, client: usize, line: (usize, usize), published: &mut Vec<String>) {
    if world.script.borrow().submitted.len() >= 4 {
        return;
    }
    let payload = format!("{}{}-{}", line.0, line.1, published.len());
    let id = Some(u16::try_from(published.len() + 1).unwrap());
    if world.publish(client, &format!("t/{}", line.1), &payload, id) == Flow::Continue {
        published.push(payload);
    }
}

fn store_second(world: &mut World) {
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
fn check_line(reader: &Reader, published: &[String], line: (usize, usize)) -> Result<(), String> {
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

fn play(steps: Vec<Step>, workers: u16) -> Result<(), String> {
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

/// A publisher, and a reader that subscribes to `t/a` and has all there is.
fn reading_a() -> (World, usize, usize, Module) {
    let mut world = storing(1);
    let publisher = world.connect(V5, "p");
    let mut connect = Connect::new(V5, "c");
    connect.clean_start = false;
    connect.session_expiry_interval_s = 1_000_000;
    let client = world.connect_with(connect);
    world.subscribe(client, "t/a", QoS::AtLeastOnce);
    let mut module = Module::default();
    module.answer_all(&mut world);
    world.got(client);
    (world, publisher, client, module)
}

/// Takes all that comes, acknowledging each.
fn take_all(world: &mut World, module: &mut Module, client: usize) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        module.answer_all(world);
        let got = world.got(client);
        let mut is_over = true;
        for got in got {
            if let Got::Publish {
                payload,
                packet_id: Some(id),
                ..
            } = got
            {
                all.push(payload);
                world.puback(client, id);
                is_over = false;
            }
        }
        if is_over && world.script.borrow().questions.is_empty() {
            return all;
        }
    }
}

#[test]
fn a_later_subscription_waits_for_what_an_earlier_one_has_to_read() {
    let (mut world, publisher, client, mut module) = reading_a();
    world.drop_socket(client);
    for number in numbered(0..8) {
        stored(&mut world, publisher, "t/a", &number);
    }
    let mut connect = Connect::new(V5, "c");
    connect.clean_start = false;
    connect.session_expiry_interval_s = 1_000_000;
    let client = world.connect_with(connect);
    // It begins behind all of these, and one more comes.
    world.subscribe(client, "t/#", QoS::AtLeastOnce);
    for _ in 0..4 {
        module.go_on(&mut world, 2);
    }
    stored(&mut world, publisher, "t/a", "8");
    assert_eq!(take_all(&mut world, &mut module, client), numbered(0..9));
}

#[test]
fn a_later_subscription_does_not_overtake_what_is_parked_for_an_earlier_one() {
    let (mut world, publisher, client, mut module) = reading_a();
    world.subscribe(client, "t/#", QoS::AtLeastOnce);
    // Stored and parked before the second one's place is kept, and behind it.
    stored(&mut world, publisher, "t/a", "0");
    module.go_on(&mut world, 4);
    stored(&mut world, publisher, "t/a", "1");
    assert_eq!(take_all(&mut world, &mut module, client), numbered(0..2));
}

#[test]
fn what_is_parked_before_a_subscription_begins_does_not_come_behind_its_pages() {
    let mut world = storing(1);
    let publisher = world.connect(V5, "p");
    let client = world.connect(V5, "c");
    let mut module = Module::default();
    world.subscribe(client, "t/a", QoS::AtLeastOnce);
    stored(&mut world, publisher, "t/a", "before");
    module.go_on(&mut world, 4);
    stored(&mut world, publisher, "t/a", "0");
    stored(&mut world, publisher, "t/a", "1");
    assert_eq!(take_all(&mut world, &mut module, client), numbered(0..2));
}

#[test]
fn what_is_acknowledged_while_a_page_is_on_its_way_does_not_come_again() {
    let (mut world, publisher, client, mut module) = reading_a();
    stored(&mut world, publisher, "t/a", "0");
    world.subscribe(client, "t/a", QoS::AtLeastOnce);
    module.go_on(&mut world, 4);
    // Read with what the client is about to acknowledge.
    module.go_on(&mut world, 4);
    assert_eq!(world.payloads(client), ["0"]);
    world.puback(client, 1);
    assert!(take_all(&mut world, &mut module, client).is_empty());
    stored(&mut world, publisher, "t/a", "1");
    assert_eq!(take_all(&mut world, &mut module, client), ["1"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn there_is_no_seam_whatever_the_order_of_things(
        steps in prop::collection::vec(step(), 0..200),
        workers in 1..3_u16,
    ) {
        play(steps, workers).map_err(TestCaseError::fail)?;
    }
}
