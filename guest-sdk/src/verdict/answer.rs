//! What actions may return.

use super::{Replacement, Verdict, Verdicts};
use crate::Fault;
use crate::sql::BatchResult;

/// What an action on a single event may return: a [`Verdict`], nothing, an
/// answer that fits its hook, or a `Result` of any of them with [`Fault`].
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::{self, Rule};
///
/// /// The `Result` of a change: `?` turns a fault into the event's failure.
/// #[action(hook = "message.publish", interest("payload"))]
/// fn to_kelvin(_: &Context, message: &Message) -> Result<Replacement, Fault> {
///     let celsius: f64 = message.json()?;
///     Ok(Replacement::new().payload((celsius + 273.15).to_string()))
/// }
///
/// let rule = Rule::new(&to_kelvin::ACTION);
/// assert!(matches!(rule.run(testing::message("a", "0")), Verdict::Replace(_)));
/// assert!(matches!(rule.run(testing::message("a", "hot")), Verdict::Failed(_)));
/// ```
#[diagnostic::on_unimplemented(
    message = "an action on one event does not answer `{Self}`",
    note = "it answers Verdict, (), a typed answer of its hook, or a Result of them with Fault"
)]
pub trait IntoVerdict {
    /// As a verdict.
    ///
    /// ```
    /// use hookwire_sdk::{Authorization, IntoVerdict, Verdict};
    ///
    /// assert_eq!(().into_verdict(), Verdict::Proceed);
    /// assert_eq!(Authorization::Allow.into_verdict(), Verdict::allow());
    /// ```
    fn into_verdict(self) -> Verdict;
}

impl IntoVerdict for Verdict {
    fn into_verdict(self) -> Verdict {
        self
    }
}

impl IntoVerdict for () {
    fn into_verdict(self) -> Verdict {
        Verdict::Proceed
    }
}

impl IntoVerdict for Replacement {
    fn into_verdict(self) -> Verdict {
        self.into()
    }
}

impl<V: IntoVerdict> IntoVerdict for Result<V, Fault> {
    fn into_verdict(self) -> Verdict {
        self.map_or_else(Verdict::Failed, V::into_verdict)
    }
}

/// What an action on a batch may return: [`Verdicts`], a list with one answer
/// for each event, the result of a store call whose row N is event N, nothing,
/// or a `Result` of any of them with [`Fault`], which is the fault of every
/// event.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing;
///
/// /// Each message for itself.
/// #[action(hook = "message.publish", interest("payload"))]
/// fn numbers_only(_: &Context, messages: &[&Message]) -> Vec<Verdict> {
///     messages
///         .iter()
///         .map(|message| match message.payload.iter().all(u8::is_ascii_digit) {
///             true => Verdict::Proceed,
///             false => Verdict::Drop,
///         })
///         .collect()
/// }
///
/// let rule = testing::Rule::new(&numbers_only::ACTION);
/// let verdicts = rule.run_batch(["1", "x"].map(|payload| testing::message("a", payload)));
/// assert_eq!(verdicts, [Verdict::Proceed, Verdict::Drop]);
/// ```
#[diagnostic::on_unimplemented(
    message = "an action on a batch does not answer `{Self}`",
    note = "it answers Verdicts, a Vec of answers, BatchResult, (), or a Result of them with Fault"
)]
pub trait IntoVerdicts {
    /// As verdicts.
    ///
    /// ```
    /// use hookwire_sdk::{IntoVerdicts, Verdict};
    ///
    /// let verdicts = vec![Verdict::Proceed, Verdict::Drop].into_verdicts();
    /// assert_eq!(verdicts.of(1), &Verdict::Drop);
    /// ```
    fn into_verdicts(self) -> Verdicts;
}

impl IntoVerdicts for Verdicts {
    fn into_verdicts(self) -> Verdicts {
        self
    }
}

impl<V: IntoVerdict> IntoVerdicts for Vec<V> {
    fn into_verdicts(self) -> Verdicts {
        let list: Vec<Verdict> = self.into_iter().map(V::into_verdict).collect();
        list.into()
    }
}

impl IntoVerdicts for BatchResult {
    fn into_verdicts(self) -> Verdicts {
        self.into()
    }
}

impl IntoVerdicts for () {
    fn into_verdicts(self) -> Verdicts {
        Verdicts::proceed()
    }
}

impl<V: IntoVerdicts> IntoVerdicts for Result<V, Fault> {
    fn into_verdicts(self) -> Verdicts {
        self.map_or_else(
            |fault| Verdicts::all(Verdict::Failed(fault)),
            V::into_verdicts,
        )
    }
}
