//! The macros of `hookwire-sdk`: a function becomes an action, a struct the
//! options of its rules, an enum the words of an option. `hookwire-sdk` hands
//! them on, and has an example of each.
//!
//! A function stays as it is. Beside it stands an empty type of the same name
//! (types and functions have namespaces of their own) that carries the
//! declaration, so that `module!` and tests can name the action by its path.

mod action;
mod arguments;
mod docs;
mod literal;
mod nearest;
mod option_value;
mod options;
mod words;

use proc_macro::TokenStream;

/// The attribute's arguments:
///
/// | argument | meaning |
/// |---|---|
/// | `hook = "..."` | a hook it accepts; may be given several times. Where their events are of several types, the action takes `Event` |
/// | `interest("...", ...)` | what it needs to see: `payload`, `connection`, `qos>0`, `retain`, `payload-empty`, `payload-not-empty`; `fetched`: what it stores is handed over by `session.fetch` |
/// | `pool = "..."` | kind of the pool that its rules must name: `sql` |
/// | `stores` | it stores what it is given, so it runs after rules that do not |
/// | `options = TYPE` | its rules' options, a type that derives `Options`: the function's second parameter, `&TYPE` |
/// | `check = FUNCTION` | looks at a rule before its first event: `fn(&Context, &TYPE, &mut Findings)`, without `&TYPE` where it has no options |
///
/// The last parameter decides the form: `&[&Message]` takes a batch in one
/// call, `&Message` one event a call. The doc comment becomes the action's help.
///
/// | hook | event |
/// |---|---|
/// | `client.connect`, `client.connack`, `client.connected`, `client.disconnected`, `session.created`, `session.resumed`, `session.discarded`, `session.takenover`, `session.terminated` | `Client` |
/// | `client.authenticate` | `Credentials` |
/// | `client.authorize` | `Access` |
/// | `client.subscribe`, `client.unsubscribe`, `session.subscribed`, `session.unsubscribed` | `Subscription` |
/// | `message.publish` | `Message` |
/// | `message.deliver`, `message.acked`, `message.position`, `message.dropped` | `Delivery` |
/// | `session.fetch`, `session.retained` | `Fetch` |
/// | `session.exchange` | `Exchange` |
/// | `node.started` | `Node` |
///
/// A word that is unknown is an error when the crate compiles, and names the
/// nearest that is known. `message.delivered` is another name of
/// `message.deliver`.
#[proc_macro_attribute]
pub fn action(arguments: TokenStream, item: TokenStream) -> TokenStream {
    action::expand(arguments.into(), item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// A field's doc comment is the option's help, and its kind follows from the type. A
/// field without a default must be set by every rule, unless it is an
/// `Option`. `#[option(name = "...")]` names an option otherwise than its field.
/// A default that does not suit the type is an error when the crate compiles.
#[proc_macro_derive(Options, attributes(option))]
pub fn options(input: TokenStream) -> TokenStream {
    options::expand(input.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// A case is written in lower case, `DropSilently` as `drop-silently`.
/// `#[option(name = "...")]` gives it another word.
#[proc_macro_derive(OptionValue, attributes(option))]
pub fn option_value(input: TokenStream) -> TokenStream {
    option_value::expand(input.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
