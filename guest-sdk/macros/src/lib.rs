//! The attribute macro of `hookwire-sdk`: turns a function into an action.
//!
//! The function stays as it is. Beside it stands an empty type of the same
//! name (types and functions have namespaces of their own) that carries the
//! declaration, so that `module!` and tests can name the action by its path.

mod arguments;
mod expand;

use proc_macro::TokenStream;

/// Makes a function an action.
///
/// ```text
/// #[action(hook = "message.publish", interest("qos>0", "payload"), pool = "sql", stores)]
/// fn on_message_publish(ctx: &Context, messages: &[&Message]) -> Result<Verdicts, Fault>
/// ```
///
/// | argument | meaning |
/// |---|---|
/// | `hook = "..."` | a hook it accepts; may be given several times |
/// | `interest("...", ...)` | what it needs to see: `payload`, `qos>0`, `retain`, `payload-empty`, `payload-not-empty` |
/// | `pool = "..."` | kind of the pool that its rules must name: `sql` |
/// | `stores` | it stores what it is given, so it runs after rules that do not |
/// | `option(name = "...", kind = "...", ...)` | an option of its rules, with `default`, `required`, `help` |
///
/// The second parameter decides the form: `&[&Message]` takes a batch in one
/// call, `&Message` one event a call. `client.*` hooks give `Client`,
/// `message.publish` gives `Message`, `message.acked` gives `Delivery`. The doc
/// comment becomes the action's help.
#[proc_macro_attribute]
pub fn action(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::action(arguments.into(), item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
