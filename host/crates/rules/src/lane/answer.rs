//! What a verdict means as the answer to a question.

use std::sync::Arc;

use hookwire_bindings::page::page;
use hookwire_bindings::refusal::refusal;
use hookwire_bindings::session::{exchange, subscription};
use hookwire_bindings::text::bounded;
use hookwire_bindings::verdict::replace;
use hookwire_bindings::wit::exports::hookwire::rule::actions::{
    Denial as GuestDenial, Replacement, Restoration, Verdict as GuestVerdict,
};
use hookwire_broker::{
    Answer, AuthenticationOutcome, Authorization, DeliveryOutcome, Denial, Hook, Question, Refusal,
    Restored, SubscriptionInfo, SubscriptionOutcome,
};
use hookwire_mqtt::{QoS, ReasonCode, TopicFilter, TopicName};

use crate::plan::{RuleId, Rules};
use crate::worker::subject::Asked;

/// Name of what a denial says beside its fields: for how long it holds.
const KEEP_MS: &str = "keep-ms";

/// What becomes of a question after one rule.
pub(crate) enum Outcome {
    /// The next rule is asked.
    GoesOn,
    /// It was changed, and goes on.
    Changed,
    /// It is answered.
    Answered(Answer),
    /// The verdict means nothing here.
    Odd(String),
}

/// Acts on one rule's verdict, other than `failed`.
pub(crate) fn of_verdict(asked: &mut Asked, verdict: GuestVerdict) -> Outcome {
    let word = word(&verdict);
    match (&mut asked.question, verdict) {
        (_, GuestVerdict::Proceed) => Outcome::GoesOn,
        (Question::Connect(_), GuestVerdict::Deny(denial) | GuestVerdict::Disconnect(denial)) => {
            Outcome::Answered(Answer::Connect(Some(whole(refusal(denial)))))
        }
        (Question::Authenticate(step), verdict) => match verdict {
            GuestVerdict::Allow(allowance) => {
                let data = allowance.data;
                authenticated(AuthenticationOutcome::Accept { data })
            }
            GuestVerdict::Challenge(data) if step.method.is_some() => {
                authenticated(AuthenticationOutcome::Continue { data: Some(data) })
            }
            GuestVerdict::Challenge(_) => {
                Outcome::Odd("it challenges a client that chose no method".to_owned())
            }
            GuestVerdict::Deny(denial) | GuestVerdict::Disconnect(denial) => {
                authenticated(AuthenticationOutcome::Deny(whole(refusal(denial))))
            }
            _ => odd(word, Hook::ClientAuthenticate),
        },
        (Question::Authorize(_), verdict) => match verdict {
            GuestVerdict::Allow(allowance) => {
                let keep_ms = allowance.keep_ms;
                authorized(Authorization::Allow { keep_ms })
            }
            GuestVerdict::Deny(denial) => match keep_ms_of(&denial) {
                Ok(keep_ms) => authorized(Authorization::Deny {
                    refusal: refusal(denial),
                    keep_ms: Some(keep_ms),
                }),
                Err(why) => Outcome::Odd(why),
            },
            GuestVerdict::Disconnect(denial) => {
                authorized(Authorization::Disconnect(refusal(denial)))
            }
            _ => odd(word, Hook::ClientAuthorize),
        },
        (Question::CreateSession(_), verdict) => match verdict {
            GuestVerdict::Restore(restoration) => match restore(&mut asked.restored, restoration) {
                Ok(()) => Outcome::GoesOn,
                Err(why) => Outcome::Odd(why),
            },
            GuestVerdict::Deny(denial) | GuestVerdict::Disconnect(denial) => {
                Outcome::Answered(Answer::CreateSession(Err(whole(refusal(denial)))))
            }
            _ => odd(word, Hook::SessionCreated),
        },
        (Question::Subscribe(request), GuestVerdict::Replace(change)) => {
            match resubscribed(&request.subscription, change) {
                Ok(changed) => {
                    request.subscription = changed;
                    asked.replaced = true;
                    Outcome::Changed
                }
                Err(why) => Outcome::Odd(why),
            }
        }
        (Question::Subscribe(_) | Question::Unsubscribe(_), GuestVerdict::Deny(denial)) => {
            subscribed(SubscriptionOutcome::Deny(refusal(denial)))
        }
        (Question::Subscribe(_) | Question::Unsubscribe(_), GuestVerdict::Disconnect(denial)) => {
            subscribed(SubscriptionOutcome::Disconnect(refusal(denial)))
        }
        (Question::Fetch(request), GuestVerdict::Page(given)) => match page(request.wants, given) {
            Ok(page) => Outcome::Answered(Answer::Fetch(Ok(page))),
            Err(error) => Outcome::Odd(error.to_string()),
        },
        (Question::Fetch(_), GuestVerdict::Deny(denial) | GuestVerdict::Disconnect(denial)) => {
            Outcome::Answered(Answer::Fetch(Err(refusal(denial))))
        }
        (Question::Exchange(_), GuestVerdict::Deny(denial) | GuestVerdict::Disconnect(denial)) => {
            Outcome::Answered(Answer::Exchange(Err(refusal(denial))))
        }
        (Question::Deliver(delivery), verdict) => match verdict {
            GuestVerdict::Replace(change) => match replace(&delivery.message, change) {
                Ok(replaced) => {
                    delivery.message = Arc::new(replaced);
                    asked.replaced = true;
                    Outcome::Changed
                }
                Err(error) => Outcome::Odd(error.to_string()),
            },
            GuestVerdict::Drop => delivered(DeliveryOutcome::Drop("rule")),
            GuestVerdict::Deny(_) => delivered(DeliveryOutcome::Drop("denied")),
            GuestVerdict::Disconnect(denial) => {
                delivered(DeliveryOutcome::Disconnect(refusal(denial)))
            }
            _ => odd(word, Hook::MessageDeliver),
        },
        (question, _) => odd(word, crate::worker::subject::hook_of(question)),
    }
}

/// How long a refusal may be kept. It is asked for anew where its rule says nothing:
/// what a rule refuses now, it may allow in a moment, and nobody would tell the
/// broker.
fn keep_ms_of(denial: &GuestDenial) -> Result<u64, String> {
    let mut extras = denial.extras.iter();
    let Some((_, time)) = extras.find(|(name, _)| name == KEEP_MS) else {
        return Ok(0);
    };
    let odd = |_| format!("the {KEEP_MS} of its denial is no number of milliseconds: {time:?}");
    time.parse().map_err(odd)
}

/// The answer where a rule failed that is not to be passed over: no.
pub(crate) fn of_failure(question: &Question, refusal: Refusal) -> Answer {
    let busy = |refusal: Refusal| Refusal {
        reason: ReasonCode::ServerUnavailable,
        ..refusal
    };
    match question {
        Question::Connect(_) => Answer::Connect(Some(whole(busy(refusal)))),
        Question::Authenticate(_) => {
            Answer::Authenticate(AuthenticationOutcome::Deny(whole(busy(refusal))))
        }
        Question::Authorize(_) => Answer::Authorize(Authorization::Deny {
            refusal: Refusal {
                reason: ReasonCode::NotAuthorized,
                ..refusal
            },
            keep_ms: Some(0),
        }),
        Question::CreateSession(_) => Answer::CreateSession(Err(whole(busy(refusal)))),
        Question::Subscribe(_) | Question::Unsubscribe(_) => {
            Answer::Subscribe(SubscriptionOutcome::Deny(Refusal {
                reason: ReasonCode::UnspecifiedError,
                ..refusal
            }))
        }
        Question::Fetch(_) => Answer::Fetch(Err(refusal)),
        Question::Exchange(_) => Answer::Exchange(Err(busy(refusal))),
        Question::Deliver(_) => Answer::Deliver(DeliveryOutcome::Drop("rule-failed")),
    }
}

/// The answer where no rule was left to ask.
pub(crate) fn at_the_end(asked: Asked) -> Answer {
    let Asked {
        question,
        replaced,
        restored,
        ..
    } = asked;
    match question {
        Question::Connect(_) => Answer::Connect(None),
        Question::Authenticate(_) => Answer::Authenticate(AuthenticationOutcome::Deferred),
        Question::Authorize(_) => Answer::Authorize(Authorization::Deferred),
        Question::CreateSession(_) => Answer::CreateSession(Ok(restored)),
        Question::Subscribe(request) if replaced => {
            Answer::Subscribe(SubscriptionOutcome::Replace(request.subscription))
        }
        Question::Subscribe(_) | Question::Unsubscribe(_) => {
            Answer::Subscribe(SubscriptionOutcome::Proceed)
        }
        Question::Fetch(_) => Answer::Fetch(Err(Refusal {
            reason: ReasonCode::UnspecifiedError,
            text: "no rule answered a page".to_owned(),
        })),
        Question::Exchange(_) => Answer::Exchange(Ok(())),
        Question::Deliver(delivery) if replaced => {
            Answer::Deliver(DeliveryOutcome::Replace(delivery.message))
        }
        Question::Deliver(_) => Answer::Deliver(DeliveryOutcome::Proceed),
    }
}

/// The rules that match a question as it is now.
pub(crate) fn matching(rules: &Rules, hook: Hook, question: &Question) -> Vec<RuleId> {
    match question {
        Question::Connect(_)
        | Question::Authenticate(_)
        | Question::CreateSession(_)
        | Question::Exchange(_) => rules.chain(hook).collect(),
        Question::Authorize(access) => match TopicName::new(&access.topic) {
            Ok(topic) => rules.matching(hook, topic),
            Err(_) => matching_filter(rules, hook, &access.topic),
        },
        Question::Subscribe(request) | Question::Unsubscribe(request) => {
            matching_filter(rules, hook, &request.subscription.filter)
        }
        Question::Fetch(request) => matching_filter(rules, hook, &request.filter),
        Question::Deliver(delivery) => TopicName::new(&delivery.message.topic)
            .map_or_else(|_| Vec::new(), |topic| rules.matching(hook, topic)),
    }
}

fn matching_filter(rules: &Rules, hook: Hook, filter: &str) -> Vec<RuleId> {
    TopicFilter::new(filter).map_or_else(
        |_| Vec::new(),
        |filter| rules.matching_filter(hook, &filter),
    )
}

/// Adds what one rule restores to what others did.
fn restore(restored: &mut Restored, given: Restoration) -> Result<(), String> {
    let subscriptions = given.subscriptions.into_iter().map(subscription);
    let subscriptions: Result<Vec<_>, _> = subscriptions.collect();
    let subscriptions = subscriptions.map_err(|error| error.to_string())?;
    let exchanges: Result<Vec<_>, _> = given.exchanges.iter().map(exchange).collect();
    let exchanges = exchanges.map_err(|error| error.to_string())?;
    if given.is_present {
        let session = restored.session.get_or_insert_default();
        session.subscriptions.extend(subscriptions);
        session.exchanges.extend(exchanges);
    } else if exchanges.is_empty() {
        restored.subscriptions.extend(subscriptions);
    } else {
        return Err("a session that is not present has no exchanges".to_owned());
    }
    Ok(())
}

fn resubscribed(
    asked_for: &SubscriptionInfo,
    change: Replacement,
) -> Result<SubscriptionInfo, String> {
    let mut changed = asked_for.clone();
    if let Some(filter) = change.topic {
        if let Err(error) = TopicFilter::new(&filter) {
            return Err(format!(
                "it names the filter {:?}, which {error}",
                bounded(filter, 256)
            ));
        }
        changed.filter = filter.into();
    }
    if let Some(qos) = change.qos {
        changed.qos = QoS::try_from(qos).map_err(|_| format!("it sets QoS {qos}"))?;
    }
    if let Some(retain) = change.retain {
        changed.retain_as_published = retain;
    }
    Ok(changed)
}

fn whole(refusal: Refusal) -> Denial {
    Denial {
        refusal,
        server_reference: None,
    }
}

fn authenticated(outcome: AuthenticationOutcome) -> Outcome {
    Outcome::Answered(Answer::Authenticate(outcome))
}

fn authorized(authorization: Authorization) -> Outcome {
    Outcome::Answered(Answer::Authorize(authorization))
}

fn subscribed(outcome: SubscriptionOutcome) -> Outcome {
    Outcome::Answered(Answer::Subscribe(outcome))
}

fn delivered(outcome: DeliveryOutcome) -> Outcome {
    Outcome::Answered(Answer::Deliver(outcome))
}

fn odd(word: &str, hook: Hook) -> Outcome {
    Outcome::Odd(format!(
        "it answered {word:?}, and {} takes none",
        hook.name()
    ))
}

/// The verdict's name in the interface.
pub(crate) fn word(verdict: &GuestVerdict) -> &'static str {
    match verdict {
        GuestVerdict::Proceed => "proceed",
        GuestVerdict::Replace(_) => "replace",
        GuestVerdict::Drop => "drop",
        GuestVerdict::Deny(_) => "deny",
        GuestVerdict::Disconnect(_) => "disconnect",
        GuestVerdict::Failed(_) => "failed",
        GuestVerdict::Allow(_) => "allow",
        GuestVerdict::Challenge(_) => "challenge",
        GuestVerdict::Restore(_) => "restore",
        GuestVerdict::Page(_) => "page",
        GuestVerdict::Other(_) => "other",
    }
}

#[cfg(test)]
mod tests {
    use hookwire_broker::{Access, ClientInfo, Operation, Restored, Ticket};

    use super::*;

    fn asked() -> Asked {
        Asked {
            ticket: Ticket {
                key: 0,
                sequence: 0,
            },
            question: Question::Authorize(Access {
                client: Arc::new(ClientInfo {
                    clientid: "c".into(),
                    username: None,
                    connection: None,
                }),
                operation: Operation::Publish,
                topic: "t".into(),
                qos: QoS::AtMostOnce,
                retain: false,
            }),
            at_ms: 0,
            replaced: false,
            restored: Restored::default(),
        }
    }

    #[test]
    fn a_denial_is_kept_for_as_long_as_it_says() {
        let denied = |extras: &[(&str, &str)]| {
            let extras = extras.iter();
            let denial = GuestDenial {
                reason_code: 0x87,
                reason: String::new(),
                extras: extras
                    .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                    .collect(),
            };
            match of_verdict(&mut asked(), GuestVerdict::Deny(denial)) {
                Outcome::Answered(Answer::Authorize(Authorization::Deny { keep_ms, .. })) => {
                    Ok(keep_ms)
                }
                Outcome::Odd(why) => Err(why),
                _ => panic!("it is a denial"),
            }
        };
        assert_eq!(denied(&[]), Ok(Some(0)));
        assert_eq!(
            denied(&[("later", "x"), ("keep-ms", "60000")]),
            Ok(Some(60_000))
        );
        let odd = denied(&[("keep-ms", "a minute")]).unwrap_err();
        assert!(
            odd.contains("no number of milliseconds: \"a minute\""),
            "{odd}"
        );
    }
}
