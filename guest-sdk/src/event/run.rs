//! Runs actions on the events that they take.

use super::Subject;
use crate::bindings::hookwire::types::events::Event;
use crate::{Context, Fault, IntoVerdict, IntoVerdicts, Verdict, Verdicts};

/// Runs an action that takes one event.
pub fn run_single<S: Subject, V: IntoVerdict>(
    context: &Context,
    events: &[&Event],
    action: impl Fn(&Context, &S) -> V,
) -> Verdicts {
    let mut verdicts = Verdicts::proceed();
    for (number, event) in events.iter().enumerate() {
        let verdict = match S::of(event) {
            Some(subject) => action(context, subject).into_verdict(),
            None => wrong_shape(),
        };
        if verdict != Verdict::Proceed {
            verdicts.set(number, verdict);
        }
    }
    verdicts
}

/// Runs an action that takes a batch. Events of another shape fail alone, and
/// the action never sees them.
pub fn run_batch<S: Subject, V: IntoVerdicts>(
    context: &Context,
    events: &[&Event],
    action: impl Fn(&Context, &[&S]) -> V,
) -> Verdicts {
    let subjects: Vec<&S> = events.iter().filter_map(|event| S::of(event)).collect();
    if subjects.is_empty() {
        return Verdicts::all(wrong_shape());
    }
    let verdicts = action(context, &subjects)
        .into_verdicts()
        .checked(subjects.len());
    if subjects.len() == events.len() {
        return verdicts;
    }
    let mut answered = verdicts.into_list(subjects.len()).into_iter();
    let mut all = Verdicts::proceed();
    for (number, event) in events.iter().enumerate() {
        let verdict = match S::of(event) {
            Some(_) => answered.next().unwrap_or_else(wrong_shape),
            None => wrong_shape(),
        };
        all.set(number, verdict);
    }
    all
}

fn wrong_shape() -> Verdict {
    Verdict::Failed(Fault::invalid(
        "hookwire:event",
        "the event is not of the kind that this action takes",
    ))
}
