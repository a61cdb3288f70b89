//! The answer of `session.fetch` and `session.retained`.

use super::{IntoVerdict, Verdict};
use crate::Message;

/// Some of what is stored for a subscription, oldest first, and whether there is
/// more. What the client has acknowledged is not in it. On `session.retained`: one
/// message of each topic at most; one without payload says that it was deleted.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::{self, Rule};
///
/// /// Counts for whoever subscribes: three messages, one a page.
/// #[action(hook = "session.fetch")]
/// fn count(_: &Context, fetch: &Fetch) -> Page {
///     let number: u32 = fetch.cursor.as_deref().map_or(0, |cursor| cursor.parse().unwrap_or(3));
///     let page = Page::of(vec![testing::message("count", number.to_string())]);
///     if number < 2 { page.and_more((number + 1).to_string()) } else { page }
/// }
///
/// let rule = Rule::new(&count::ACTION);
/// let Verdict::Page(first) = rule.run(testing::fetch("c1", "count")) else {
///     panic!("no page");
/// };
/// assert_eq!(first.messages[0].payload, b"0");
/// let next = Fetch { cursor: first.next, ..testing::fetch("c1", "count") };
/// let Verdict::Page(second) = rule.run(next) else {
///     panic!("no page");
/// };
/// assert_eq!(second.messages[0].payload, b"1");
/// ```
pub use crate::bindings::exports::hookwire::rule::actions::Page;

impl Page {
    /// The last page, with these messages.
    ///
    /// ```
    /// # use hookwire_sdk::{Page, testing};
    /// let page = Page::of(vec![testing::message("a", "")]);
    /// assert!(page.next.is_none());
    /// ```
    #[must_use]
    pub fn of(messages: Vec<Message>) -> Self {
        Self {
            messages,
            next: None,
            extras: Vec::new(),
        }
    }

    /// There is more: the next page is asked for with this cursor.
    ///
    /// ```
    /// # use hookwire_sdk::Page;
    /// assert_eq!(Page::default().and_more("17").next.as_deref(), Some("17"));
    /// ```
    #[must_use]
    pub fn and_more(mut self, cursor: impl Into<String>) -> Self {
        self.next = Some(cursor.into());
        self
    }
}

impl Default for Page {
    /// Nothing, and nothing more.
    fn default() -> Self {
        Self::of(Vec::new())
    }
}

impl From<Page> for Verdict {
    fn from(page: Page) -> Self {
        Self::Page(page)
    }
}

impl IntoVerdict for Page {
    fn into_verdict(self) -> Verdict {
        self.into()
    }
}
