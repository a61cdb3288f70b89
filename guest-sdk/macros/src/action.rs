//! `#[action]`: writes the declaration that stands beside the function.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::{Error, FnArg, ItemFn, Result, ReturnType, Signature, Type};

use crate::arguments::Arguments;
use crate::docs::help;
use crate::words;

/// The function, and the type that declares it.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let arguments = Arguments::parse(arguments)?;
    let function: ItemFn = syn::parse2(item)?;
    let batch = takes_batch(&function.sig, &arguments)?;
    check_answer(&function.sig.output, &arguments)?;

    let name = &function.sig.ident;
    let visibility = &function.vis;
    let name_text = name.to_string();
    let help = help(&function.attrs);
    let bind = binder(name, batch, &arguments);
    let Arguments {
        hooks,
        interest,
        pool,
        stores,
        options,
        ..
    } = &arguments;
    let specs = match options {
        Some(options) => quote!(<#options as ::hookwire_sdk::Options>::SPECS),
        None => quote!(&[]),
    };
    Ok(quote! {
        #function

        #[doc(hidden)]
        #[allow(non_camel_case_types)]
        #visibility enum #name {}

        impl #name {
            /// What the `action` attribute declares.
            #[doc(hidden)]
            pub const ACTION: ::hookwire_sdk::expansion::Action =
                ::hookwire_sdk::expansion::Action {
                    name: #name_text,
                    help: #help,
                    hooks: &[#(#hooks),*],
                    interest: &[#(#interest),*],
                    pool: #pool,
                    stores: #stores,
                    batch: #batch,
                    options: #specs,
                    bind: #bind,
                };
        }
    })
}

/// Reads a rule's options, and answers what runs the function with them.
fn binder(name: &syn::Ident, batch: bool, arguments: &Arguments) -> TokenStream {
    let subject = format_ident!("{}", arguments.subject);
    let runner = format_ident!("{}", if batch { "run_batch" } else { "run_single" });
    let read = quote!(::hookwire_sdk::expansion::read_options);
    let (options, call) = match &arguments.options {
        Some(options) => (
            quote!(let options = #read::<#options>(given, findings)?;),
            quote!(|context, event| #name(context, &options, event)),
        ),
        None => (quote!(#read::<()>(given, findings)?;), quote!(#name)),
    };
    let check = match (&arguments.check, &arguments.options) {
        (Some(check), Some(_)) => quote!(#check(context, &options, findings);),
        (Some(check), None) => quote!(#check(context, findings);),
        (None, _) => quote!(),
    };
    quote! {
        |context, given, findings| {
            #options
            #check
            ::core::option::Option::Some(::std::boxed::Box::new(move |context, events| {
                ::hookwire_sdk::expansion::#runner::<::hookwire_sdk::#subject, _>(
                    context, events, #call,
                )
            }))
        }
    }
}

/// Whether the last parameter is a slice, after checking that there are as many
/// as the arguments say.
fn takes_batch(signature: &Signature, arguments: &Arguments) -> Result<bool> {
    if let Some(asyncness) = signature.asyncness {
        return Err(Error::new_spanned(
            asyncness,
            "an action is not async: what it calls answers before it goes on",
        ));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &signature.generics,
            "an action is not generic",
        ));
    }
    let subject = arguments.subject;
    let expected = if arguments.options.is_some() { 3 } else { 2 };
    let event = match signature.inputs.last() {
        Some(FnArg::Typed(event)) if signature.inputs.len() == expected => event,
        _ => return Err(wrong_parameters(signature, arguments)),
    };
    let Type::Reference(reference) = &*event.ty else {
        return Err(Error::new_spanned(
            &event.ty,
            format!("an action borrows its events: &{subject}, or &[&{subject}] (a batch)"),
        ));
    };
    let (batch, inner) = match &*reference.elem {
        Type::Slice(slice) => (true, &*slice.elem),
        single => (false, single),
    };
    match of_another_hook(inner, subject) {
        Some(other) => Err(Error::new_spanned(
            inner,
            format!(
                "events of {} are {subject}, not {other}",
                arguments.hooks.join(" and ")
            ),
        )),
        None => Ok(batch),
    }
}

/// The type of events that the parameter names, if it is that of other hooks.
/// A type by any other name is the compiler's to check.
fn of_another_hook(parameter: &Type, subject: &str) -> Option<String> {
    let named = match parameter {
        Type::Reference(reference) => &*reference.elem,
        named => named,
    };
    let Type::Path(path) = named else {
        return None;
    };
    let name = path.path.segments.last()?.ident.to_string();
    (name != subject && words::is_subject(&name)).then_some(name)
}

/// Refuses an answer whose type belongs to other hooks, wherever in the return
/// type it stands. What a plain verdict holds shows when the action runs.
fn check_answer(output: &ReturnType, arguments: &Arguments) -> Result<()> {
    let ReturnType::Type(_, answer) = output else {
        return Ok(());
    };
    for ident in idents(answer.to_token_stream()) {
        let Some(hooks) = words::hooks_of_answer(&ident.to_string()) else {
            continue;
        };
        if let Some(hook) = arguments.hooks.iter().find(|hook| !hooks.contains(hook)) {
            let hooks = hooks.join(", ");
            return Err(Error::new_spanned(
                &ident,
                format!("{hook} takes no {ident}, which is an answer to {hooks}"),
            ));
        }
        if ident == "Replacement" && arguments.stores {
            return Err(Error::new_spanned(
                &ident,
                "an action that stores runs on the final message, and changes nothing",
            ));
        }
    }
    Ok(())
}

fn idents(tokens: TokenStream) -> Vec<Ident> {
    tokens
        .into_iter()
        .flat_map(|token| match token {
            TokenTree::Ident(ident) => vec![ident],
            TokenTree::Group(group) => idents(group.stream()),
            _ => Vec::new(),
        })
        .collect()
}

fn wrong_parameters(signature: &Signature, arguments: &Arguments) -> Error {
    let subject = arguments.subject;
    let message = match (&arguments.options, signature.inputs.len()) {
        (Some(_), _) => format!(
            "an action with options takes three parameters: &Context, its options, and &{subject} \
             or &[&{subject}] (a batch)"
        ),
        (None, 3) => {
            "an action takes its options where the attribute names their type: options = ..."
                .to_owned()
        }
        (None, _) => format!(
            "an action takes two parameters: &Context, and &{subject} or &[&{subject}] (a batch)"
        ),
    };
    Error::new_spanned(signature, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_parameter_decides_the_form() {
        let check = |arguments: TokenStream, signature: TokenStream, expected| {
            let arguments = Arguments::parse(arguments).unwrap_or_else(|error| panic!("{error}"));
            let signature: Signature = syn::parse2(signature).expect("a signature");
            let batch = takes_batch(&signature, &arguments);
            assert_eq!(batch.unwrap_or_else(|error| panic!("{error}")), expected);
        };
        let plain = || quote!(hook = "message.publish");
        check(plain(), quote!(fn f(c: &Context, m: &[&Message])), true);
        check(plain(), quote!(fn f(c: &Context, m: &Message)), false);
        let with_options = || quote!(hook = "message.publish", options = O);
        check(
            with_options(),
            quote!(fn f(c: &Context, o: &O, m: &Message)),
            false,
        );
        check(
            with_options(),
            quote!(fn f(c: &Context, o: &O, m: &[&Message])),
            true,
        );
    }

    #[test]
    fn refuses_functions_that_cannot_be_actions() {
        let check = |arguments: TokenStream, signature: TokenStream, expected: &str| match expand(
            arguments,
            quote!(#signature {}),
        ) {
            Ok(_) => panic!("the function was taken, not refused with: {expected}"),
            Err(error) => assert!(error.to_string().contains(expected), "{error}"),
        };
        let plain = || quote!(hook = "client.authorize");
        check(plain(), quote!(fn f(c: &Context)), "two parameters");
        check(
            plain(),
            quote!(fn f(c: &Context, a: Access)),
            "borrows its events: &Access",
        );
        check(
            plain(),
            quote!(fn f(c: &Context, a: &[&sdk::Message])),
            "events of client.authorize are Access, not Message",
        );
        check(
            plain(),
            quote!(
                async fn f(c: &Context, a: &Access)
            ),
            "not async",
        );
        check(plain(), quote!(fn f<T>(c: &Context, a: &T)), "not generic");
        check(
            plain(),
            quote!(fn f(c: &Context, o: &O, a: &Access)),
            "where the attribute names their type",
        );
        check(
            quote!(hook = "client.authorize", options = O),
            quote!(fn f(c: &Context, a: &Access)),
            "three parameters",
        );
    }

    #[test]
    fn answers_of_other_hooks_are_refused() {
        let check = |arguments: TokenStream, output: TokenStream, expected: Option<&str>| {
            let arguments = Arguments::parse(arguments).unwrap_or_else(|error| panic!("{error}"));
            let output: ReturnType = syn::parse2(output).expect("a return type");
            match (check_answer(&output, &arguments), expected) {
                (Ok(()), None) => {}
                (Err(error), Some(expected)) => {
                    assert!(error.to_string().contains(expected), "{error}");
                }
                (result, expected) => panic!("{result:?}, not {expected:?}"),
            }
        };
        let authorize = || quote!(hook = "client.authorize");
        check(authorize(), quote!(), None);
        check(authorize(), quote!(-> Result<Authorization, Fault>), None);
        check(
            authorize(),
            quote!(-> Result<sdk::Authentication, Fault>),
            Some("client.authorize takes no Authentication"),
        );
        check(
            quote!(hook = "client.connected"),
            quote!(-> Vec<RestoredSubscription>),
            Some("an answer to session.created"),
        );
        check(
            quote!(hook = "message.publish"),
            quote!(-> Vec<Replacement>),
            None,
        );
        check(
            quote!(hook = "message.publish", stores),
            quote!(-> Replacement),
            Some("changes nothing"),
        );
    }
}
