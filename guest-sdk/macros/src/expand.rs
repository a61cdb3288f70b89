//! Writes the declaration that stands beside the function.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, Error, Expr, ExprLit, FnArg, ItemFn, Lit, Meta, Result, Type};

use crate::arguments::{Arguments, OptionArguments};

/// The function, and the type that declares it.
pub(crate) fn action(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let arguments = Arguments::parse(arguments)?;
    let function: ItemFn = syn::parse2(item)?;
    let batch = takes_batch(&function)?;

    let name = &function.sig.ident;
    let visibility = &function.vis;
    let name_text = name.to_string();
    let help = help(&function.attrs);
    let subject = format_ident!("{}", arguments.subject);
    let runner = if batch {
        quote!(run_batch)
    } else {
        quote!(run_single)
    };
    let Arguments {
        hooks,
        interest,
        pool,
        stores,
        options,
        ..
    } = &arguments;
    let options = options.iter().map(option_entry);
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
                    options: &[#(#options),*],
                    run: |context, events| {
                        ::hookwire_sdk::expansion::#runner::<::hookwire_sdk::#subject, _>(
                            context, events, #name,
                        )
                    },
                };
        }
    })
}

fn option_entry(option: &OptionArguments) -> TokenStream {
    let OptionArguments {
        name,
        kind,
        required,
        default,
        help,
    } = option;
    let default = match default {
        Some(json) => quote!(::core::option::Option::Some(#json)),
        None => quote!(::core::option::Option::None),
    };
    quote! {
        ::hookwire_sdk::expansion::OptionSpec {
            name: #name,
            kind: #kind,
            required: #required,
            default: #default,
            help: #help,
        }
    }
}

/// Whether the second parameter is a slice, after checking that there are two.
fn takes_batch(function: &ItemFn) -> Result<bool> {
    let signature = &function.sig;
    if let Some(asyncness) = signature.asyncness {
        return Err(Error::new_spanned(asyncness, "an action is not async"));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &signature.generics,
            "an action is not generic",
        ));
    }
    let mut inputs = signature.inputs.iter();
    let (Some(FnArg::Typed(_)), Some(FnArg::Typed(event)), None) =
        (inputs.next(), inputs.next(), inputs.next())
    else {
        return Err(Error::new_spanned(
            signature,
            "an action takes two parameters: &Context, and &[&Message] (a batch) or &Message",
        ));
    };
    match &*event.ty {
        Type::Reference(reference) => Ok(matches!(&*reference.elem, Type::Slice(_))),
        other => Err(Error::new_spanned(
            other,
            "an action borrows its events: &[&Message] (a batch) or &Message",
        )),
    }
}

/// The doc comment, its lines joined.
fn help(attributes: &[Attribute]) -> String {
    let mut text = String::new();
    for attribute in attributes {
        let Meta::NameValue(meta) = &attribute.meta else {
            continue;
        };
        let (
            true,
            Expr::Lit(ExprLit {
                lit: Lit::Str(line),
                ..
            }),
        ) = (meta.path.is_ident("doc"), &meta.value)
        else {
            continue;
        };
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(line.value().trim());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(function: TokenStream) -> String {
        match action(quote!(hook = "message.publish"), function) {
            Ok(_) => panic!("the function was taken"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_second_parameter_decides_the_form() {
        let check = |function: TokenStream, expected| {
            let function: ItemFn = syn::parse2(function).unwrap();
            assert_eq!(takes_batch(&function).unwrap(), expected);
        };
        check(
            quote!(
                fn f(c: &Context, m: &[&Message]) {}
            ),
            true,
        );
        check(
            quote!(
                fn f(c: &Context, m: &Message) {}
            ),
            false,
        );
    }

    #[test]
    fn refuses_functions_that_cannot_be_actions() {
        let check = |function: TokenStream, expected: &str| {
            let message = refusal(function);
            assert!(message.contains(expected), "{message}");
        };
        check(
            quote!(
                fn f(c: &Context) {}
            ),
            "two parameters",
        );
        check(
            quote!(
                fn f(c: &Context, m: Message) {}
            ),
            "borrows its events",
        );
        check(
            quote!(
                async fn f(c: &Context, m: &Message) {}
            ),
            "not async",
        );
        check(
            quote!(
                fn f<T>(c: &Context, m: &T) {}
            ),
            "not generic",
        );
    }

    #[test]
    fn the_doc_comment_is_the_help() {
        let function: ItemFn = syn::parse2(quote! {
            /// Stores a message.
            ///
            /// Not more.
            #[inline]
            fn f() {}
        })
        .unwrap();
        assert_eq!(help(&function.attrs), "Stores a message.\n\nNot more.");
    }
}
