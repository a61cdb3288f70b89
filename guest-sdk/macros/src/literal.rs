//! Literals of defaults, as JSON text.

use quote::ToTokens;
use syn::{Error, Expr, ExprArray, ExprUnary, Lit, Result, UnOp};

/// A default: its JSON text, and the kind of option it suits at first sight.
pub(crate) struct Literal {
    pub(crate) json: String,
    pub(crate) kind: &'static str,
}

impl Literal {
    fn new(json: impl Into<String>, kind: &'static str) -> Self {
        Self {
            json: json.into(),
            kind,
        }
    }

    /// Reads a text, a number, a truth, or a list of them.
    pub(crate) fn read(expression: &Expr) -> Result<Self> {
        match expression {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Ok(Self::new(json_string(&text.value()), "string")),
                Lit::Int(number) => Ok(Self::new(number.base10_digits(), "integer")),
                Lit::Float(number) => float(number.base10_digits(), expression),
                Lit::Bool(truth) => Ok(Self::new(truth.value.to_string(), "boolean")),
                _ => Err(not_literal(literal)),
            },
            Expr::Unary(ExprUnary {
                op: UnOp::Neg(_),
                expr,
                ..
            }) => match Self::read(expr)? {
                Self {
                    json,
                    kind: kind @ ("integer" | "number"),
                } => Ok(Self::new(format!("-{json}"), kind)),
                _ => Err(not_literal(expr)),
            },
            Expr::Array(ExprArray { elems, .. }) => {
                let items: Result<Vec<String>> = elems
                    .iter()
                    .map(|item| Ok(Self::read(item)?.json))
                    .collect();
                Ok(Self::new(format!("[{}]", items?.join(",")), "list"))
            }
            other => Err(not_literal(other)),
        }
    }
}

/// Rust writes `1.` where JSON has `1.0`.
fn float(digits: &str, expression: &Expr) -> Result<Literal> {
    match digits.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Literal::new(format!("{number:?}"), "number")),
        _ => Err(not_literal(expression)),
    }
}

fn not_literal(tokens: impl ToTokens) -> Error {
    Error::new_spanned(
        tokens,
        "a default is a text, a number, true, false, or a list of them",
    )
}

fn json_string(text: &str) -> String {
    let mut json = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            control if control.is_ascii_control() => {
                json.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            other => json.push(other),
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::quote;

    #[test]
    fn literals_become_json() {
        let check = |tokens: proc_macro2::TokenStream, json: &str, kind: &str| {
            let expression = syn::parse2(tokens).expect("an expression");
            let literal = Literal::read(&expression).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!((literal.json.as_str(), literal.kind), (json, kind));
        };
        check(quote!("a\"b\n"), "\"a\\\"b\\u000a\"", "string");
        check(quote!(1_024), "1024", "integer");
        check(quote!(-3), "-3", "integer");
        check(quote!(1.), "1.0", "number");
        check(quote!(-1.5), "-1.5", "number");
        check(quote!(true), "true", "boolean");
        check(quote!(["a", "b"]), "[\"a\",\"b\"]", "list");
        check(quote!([]), "[]", "list");
    }

    #[test]
    fn anything_else_is_refused() {
        let check = |tokens: proc_macro2::TokenStream| {
            let expression = syn::parse2(tokens).expect("an expression");
            assert!(Literal::read(&expression).is_err());
        };
        check(quote!(LIMIT));
        check(quote!(-true));
        check(quote!(b"bytes"));
        check(quote!([LIMIT]));
        check(quote!(Some(1)));
    }
}
