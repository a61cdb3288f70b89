//! `#[derive(OptionValue)]`: an enum whose cases are the words of an option.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, LitStr, Result, Variant};

use crate::options::{option_attributes, refuse_generics};

/// The implementation of `OptionValue`.
pub(crate) fn expand(input: TokenStream) -> Result<TokenStream> {
    let input: DeriveInput = syn::parse2(input)?;
    refuse_generics(&input, "OptionValue")?;
    let Data::Enum(data) = &input.data else {
        return Err(Error::new_spanned(
            &input.ident,
            "the words of an option are an enum; a struct of options derives Options",
        ));
    };
    let words: Vec<String> = data.variants.iter().map(word).collect::<Result<_>>()?;
    for (place, (variant, word)) in data.variants.iter().zip(&words).enumerate() {
        if words[..place].contains(word) {
            return Err(Error::new_spanned(
                variant,
                format!("two cases are called `{word}`"),
            ));
        }
    }
    let name = &input.ident;
    let cases = data.variants.iter().map(|variant| &variant.ident);
    Ok(quote! {
        impl ::hookwire_sdk::OptionValue for #name {
            const KIND: &'static str = "string";
            const WORDS: &'static [&'static str] = &[#(#words),*];

            fn read(
                value: &::hookwire_sdk::serde_json::Value,
            ) -> ::core::result::Result<Self, ::std::string::String> {
                match value.as_str() {
                    #(::core::option::Option::Some(#words) => {
                        ::core::result::Result::Ok(Self::#cases)
                    })*
                    other => ::core::result::Result::Err(
                        ::hookwire_sdk::expansion::one_of(other, Self::WORDS),
                    ),
                }
            }
        }
    })
}

/// `DropSilently` is written `drop-silently`, unless it is given a name.
fn word(variant: &Variant) -> Result<String> {
    if !matches!(variant.fields, Fields::Unit) {
        return Err(Error::new_spanned(variant, "a word holds nothing"));
    }
    let mut name = None;
    for attribute in option_attributes(&variant.attrs) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("name") {
                return Err(meta.error("a word takes name"));
            }
            name = Some(meta.value()?.parse::<LitStr>()?.value());
            Ok(())
        })?;
    }
    Ok(name.unwrap_or_else(|| kebab_case(&variant.ident.to_string())))
}

fn kebab_case(name: &str) -> String {
    let mut word = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !word.is_empty() {
            word.push('-');
        }
        word.extend(character.to_lowercase());
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_written_with_hyphens() {
        assert_eq!(kebab_case("Strict"), "strict");
        assert_eq!(kebab_case("DropSilently"), "drop-silently");
    }

    #[test]
    fn refuses_what_holds_no_words() {
        let check = |input: TokenStream, expected: &str| match expand(input) {
            Ok(_) => panic!("the type was taken, not refused with: {expected}"),
            Err(error) => assert!(error.to_string().contains(expected), "{error}"),
        };
        check(
            quote!(
                struct A {
                    a: i64,
                }
            ),
            "derives Options",
        );
        check(
            quote!(
                enum A {
                    B(i64),
                }
            ),
            "holds nothing",
        );
        check(
            quote!(
                enum A<T> {
                    B,
                }
            ),
            "not generic",
        );
        check(
            quote!(
                enum A {
                    B,
                    #[option(name = "b")]
                    C,
                }
            ),
            "two cases are called `b`",
        );
        check(
            quote!(
                enum A {
                    #[option(default)]
                    B,
                }
            ),
            "takes name",
        );
    }
}
