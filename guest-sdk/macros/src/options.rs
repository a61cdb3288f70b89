//! `#[derive(Options)]`: a struct of options, read from a rule's block.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Error, Expr, Field, Fields, Ident, LitStr, Result, Type};

use crate::docs::help;
use crate::literal::Literal;

/// One field, as the attribute and the doc comment describe it.
struct OptionField<'f> {
    ident: &'f Ident,
    ty: &'f Type,
    name: String,
    help: String,
    default: Option<(Literal, proc_macro2::Span)>,
}

/// The implementation of `Options`.
pub(crate) fn expand(input: TokenStream) -> Result<TokenStream> {
    let input: DeriveInput = syn::parse2(input)?;
    refuse_generics(&input, "Options")?;
    let fields = named_fields(&input)?;
    let fields: Vec<OptionField<'_>> = fields
        .iter()
        .map(OptionField::read)
        .collect::<Result<_>>()?;
    for (place, field) in fields.iter().enumerate() {
        if fields[..place].iter().any(|other| other.name == field.name) {
            return Err(Error::new_spanned(
                field.ident,
                format!("two options are called `{}`", field.name),
            ));
        }
    }

    let name = &input.ident;
    let specs = fields.iter().map(OptionField::spec);
    let checks = fields.iter().filter_map(OptionField::default_check);
    let idents: Vec<&Ident> = fields.iter().map(|field| field.ident).collect();
    let places: Vec<Ident> = (0..fields.len())
        .map(|place| format_ident!("option_{place}"))
        .collect();
    let types = fields.iter().map(|field| field.ty);
    Ok(quote! {
        #(#checks)*

        impl ::hookwire_sdk::Options for #name {
            const SPECS: &'static [::hookwire_sdk::expansion::OptionSpec] = &[#(#specs),*];

            fn read(given: &mut ::hookwire_sdk::options::Given<'_>) -> ::core::option::Option<Self> {
                // All of them are read before the first that is wrong ends it.
                #(let #places = given.take::<#types>();)*
                ::core::option::Option::Some(Self { #(#idents: #places?),* })
            }
        }
    })
}

impl<'f> OptionField<'f> {
    fn read(field: &'f Field) -> Result<Self> {
        let Some(ident) = &field.ident else {
            return Err(Error::new_spanned(field, "an option is a named field"));
        };
        let mut name = None;
        let mut default = None;
        for attribute in option_attributes(&field.attrs) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("default") {
                    let value: Expr = meta.value()?.parse()?;
                    default = Some((Literal::read(&value)?, value.span()));
                } else if meta.path.is_ident("name") {
                    name = Some(meta.value()?.parse::<LitStr>()?.value());
                } else {
                    return Err(meta.error("an option takes default and name"));
                }
                Ok(())
            })?;
        }
        Ok(Self {
            ident,
            ty: &field.ty,
            name: name.unwrap_or_else(|| ident.to_string().trim_start_matches("r#").to_owned()),
            help: help(&field.attrs),
            default,
        })
    }

    fn spec(&self) -> TokenStream {
        let Self { ty, name, help, .. } = self;
        let value = quote!(<#ty as ::hookwire_sdk::OptionValue>);
        let (default, required) = match &self.default {
            Some((literal, _)) => {
                let json = &literal.json;
                (quote!(::core::option::Option::Some(#json)), quote!(false))
            }
            None => (
                quote!(::core::option::Option::None),
                quote!(!#value::IS_OPTIONAL),
            ),
        };
        quote! {
            ::hookwire_sdk::expansion::OptionSpec {
                name: #name,
                kind: #value::KIND,
                words: #value::WORDS,
                required: #required,
                default: #default,
                help: #help,
            }
        }
    }

    /// A default that does not suit the type is an error when the crate compiles.
    fn default_check(&self) -> Option<TokenStream> {
        let (Literal { json, kind }, span) = self.default.as_ref()?;
        let ty = self.ty;
        Some(quote_spanned! {*span=>
            const _: () = ::core::assert!(
                ::hookwire_sdk::expansion::default_suits::<#ty>(#kind, #json),
                "the default does not suit the type of the option",
            );
        })
    }
}

/// The attributes of this derive.
pub(crate) fn option_attributes(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("option"))
}

pub(crate) fn refuse_generics(input: &DeriveInput, derive: &str) -> Result<()> {
    if input.generics.params.is_empty() {
        return Ok(());
    }
    Err(Error::new_spanned(
        &input.generics,
        format!("a type that derives {derive} is not generic"),
    ))
}

fn named_fields(
    input: &DeriveInput,
) -> Result<&syn::punctuated::Punctuated<Field, syn::Token![,]>> {
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => Ok(&fields.named),
            _ => Err(Error::new_spanned(
                &input.ident,
                "options are a struct with named fields, one for each option",
            )),
        },
        _ => Err(Error::new_spanned(
            &input.ident,
            "options are a struct with named fields; an enum of words derives OptionValue",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_cannot_hold_options() {
        let check = |input: TokenStream, expected: &str| match expand(input) {
            Ok(_) => panic!("the type was taken, not refused with: {expected}"),
            Err(error) => assert!(error.to_string().contains(expected), "{error}"),
        };
        check(
            quote!(
                struct A(i64);
            ),
            "named fields",
        );
        check(
            quote!(
                enum A {
                    B,
                }
            ),
            "derives OptionValue",
        );
        check(
            quote!(
                struct A<T> {
                    a: T,
                }
            ),
            "not generic",
        );
        check(
            quote!(
                struct A {
                    #[option(required)]
                    a: i64,
                }
            ),
            "takes default and name",
        );
        check(
            quote!(
                struct A {
                    #[option(default = LIMIT)]
                    a: i64,
                }
            ),
            "a default is a text",
        );
        check(
            quote!(
                struct A {
                    #[option(name = "b")]
                    a: i64,
                    b: i64,
                }
            ),
            "two options are called `b`",
        );
    }
}
