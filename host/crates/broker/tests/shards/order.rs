//! Order per publisher, under any interleaving.

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Publish {
        client: usize,
        topic: usize,
        acked: bool,
    },
    Decide(prop::sample::Index),
    Reconnect(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..4_usize, 0..2_usize, any::<bool>())
            .prop_map(|(client, topic, acked)| Step::Publish { client, topic, acked }),
        5 => any::<prop::sample::Index>().prop_map(Step::Decide),
        1 => (0..4_usize).prop_map(Step::Reconnect),
    ]
}

proptest! {
    /// Whatever the interleaving: per publisher and topic, what is delivered is
    /// in the order published, each once, and nothing that was taken is lost.
    #[test]
    fn order_per_publisher_holds_and_nothing_is_lost(
        workers in 1..4_u16,
        steps in prop::collection::vec(any_step(), 1..120),
    ) {
        let mut world = World::new(workers);
        rules_on(&world, "ruled");
        let watcher = world.connect(V5, "watcher");
        world.subscribe(watcher, "#", QoS::AtMostOnce);
        world.got(watcher);
        let mut clients = spread(&mut world, V311, 4);
        let ids: Vec<String> = (0..4).map(|n| format!("client-{n}")).collect();
        let mut sent = vec![Vec::new(); 4];
        let mut number = 0_u16;
        for step in steps {
            match step {
                Step::Publish { client, topic, acked } if !world.clients[clients[client]].paused => {
                    number += 1;
                    let payload = format!("{client}:{number}");
                    let topic = ["ruled", "free"][topic];
                    let id = acked.then_some(number);
                    if world.publish(clients[client], topic, &payload, id) != Flow::Later {
                        sent[client].push(payload);
                    }
                }
                Step::Publish { .. } => {}
                Step::Decide(index) => {
                    let waiting = world.script.borrow().submitted.len();
                    if waiting > 0 {
                        world.decide(index.index(waiting), Verdict::Proceed);
                    }
                }
                Step::Reconnect(client) => {
                    // The same id: order holds over a client's connections.
                    world.drop_socket(clients[client]);
                    let connect = Connect::new(V311, &ids[client]);
                    clients[client] = world.connect_with(connect);
                }
            }
        }
        while !world.script.borrow().submitted.is_empty() {
            world.decide(0, Verdict::Proceed);
        }
        let delivered = world.payloads(watcher);
        for expected in sent {
            let of_one: Vec<_> =
                delivered.iter().filter(|payload| expected.contains(payload)).cloned().collect();
            prop_assert_eq!(of_one, expected);
        }
        prop_assert_eq!(delivered.len(), world.counters().publishes_received as usize);
    }
}
