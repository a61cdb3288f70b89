//! Reads and checks what stands in `#[action(...)]`.

use proc_macro2::{Span, TokenStream};
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::{Error, Expr, ExprArray, ExprUnary, Lit, LitStr, Result, Token, UnOp, parenthesized};

/// Hooks that can be bound, and the type of their events.
const HOOKS: &[(&str, &str)] = &[
    ("client.connected", "Client"),
    ("client.disconnected", "Client"),
    ("message.publish", "Message"),
    ("message.acked", "Delivery"),
];
const INTERESTS: &[&str] = &[
    "payload",
    "qos>0",
    "retain",
    "payload-empty",
    "payload-not-empty",
];
const POOLS: &[&str] = &["sql"];
const KINDS: &[&str] = &["string", "integer", "number", "boolean", "duration", "list"];

/// The arguments of the attribute, checked one by one.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) hooks: Vec<String>,
    pub(crate) interest: Vec<String>,
    pub(crate) pool: String,
    pub(crate) stores: bool,
    pub(crate) options: Vec<OptionArguments>,
    /// The event type that all hooks share.
    pub(crate) subject: &'static str,
}

/// One `option(...)`.
#[derive(Default)]
pub(crate) struct OptionArguments {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) required: bool,
    /// As JSON text.
    pub(crate) default: Option<String>,
    pub(crate) help: String,
}

impl Arguments {
    pub(crate) fn parse(tokens: TokenStream) -> Result<Self> {
        let mut arguments = Self::default();
        syn::meta::parser(|meta| arguments.read(&meta)).parse2(tokens)?;
        if arguments.hooks.is_empty() {
            return Err(Error::new(
                Span::call_site(),
                "an action needs a hook: hook = \"message.publish\"",
            ));
        }
        Ok(arguments)
    }

    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        if meta.path.is_ident("hook") {
            let hook: LitStr = meta.value()?.parse()?;
            return self.add_hook(&hook);
        }
        if meta.path.is_ident("interest") {
            let content;
            parenthesized!(content in meta.input);
            let words =
                content.parse_terminated(<LitStr as syn::parse::Parse>::parse, Token![,])?;
            for word in words {
                self.interest.push(one_of("interest", &word, INTERESTS)?);
            }
            return Ok(());
        }
        if meta.path.is_ident("pool") {
            let pool: LitStr = meta.value()?.parse()?;
            self.pool = one_of("kind of pool", &pool, POOLS)?;
            return Ok(());
        }
        if meta.path.is_ident("stores") {
            self.stores = true;
            return Ok(());
        }
        if meta.path.is_ident("option") {
            let option = OptionArguments::read(meta)?;
            if self.options.iter().any(|other| other.name == option.name) {
                return Err(meta.error(format!("option `{}` is declared twice", option.name)));
            }
            self.options.push(option);
            return Ok(());
        }
        Err(meta.error("an action takes hook, interest, pool, stores and option"))
    }

    fn add_hook(&mut self, hook: &LitStr) -> Result<()> {
        let names: Vec<&str> = HOOKS.iter().map(|(name, _)| *name).collect();
        let name = one_of("hook", hook, &names)?;
        let subject = HOOKS
            .iter()
            .find(|(known, _)| *known == name)
            .map_or("", |(_, subject)| subject);
        if !self.subject.is_empty() && self.subject != subject {
            return Err(Error::new_spanned(
                hook,
                format!("hooks of one action share a type of event; this one gives {subject}"),
            ));
        }
        self.subject = subject;
        self.hooks.push(name);
        Ok(())
    }
}

impl OptionArguments {
    fn read(meta: &ParseNestedMeta<'_>) -> Result<Self> {
        let mut option = Self::default();
        let mut default: Option<Expr> = None;
        meta.parse_nested_meta(|part| {
            if part.path.is_ident("name") {
                option.name = part.value()?.parse::<LitStr>()?.value();
            } else if part.path.is_ident("kind") {
                option.kind = one_of("kind of option", &part.value()?.parse()?, KINDS)?;
            } else if part.path.is_ident("help") {
                option.help = part.value()?.parse::<LitStr>()?.value();
            } else if part.path.is_ident("default") {
                default = Some(part.value()?.parse()?);
            } else if part.path.is_ident("required") {
                option.required = true;
            } else {
                return Err(part.error("an option takes name, kind, default, required and help"));
            }
            Ok(())
        })?;
        if option.name.is_empty() || option.kind.is_empty() {
            return Err(meta.error("an option needs a name and a kind"));
        }
        if let Some(default) = default {
            if option.required {
                return Err(Error::new_spanned(
                    default,
                    "a required option has no use for a default",
                ));
            }
            option.default = Some(json_of_kind(&default, &option.kind)?);
        }
        Ok(option)
    }
}

fn one_of(what: &str, word: &LitStr, known: &[&str]) -> Result<String> {
    let value = word.value();
    if known.contains(&value.as_str()) {
        return Ok(value);
    }
    Err(Error::new_spanned(
        word,
        format!("no such {what}; there are: {}", known.join(", ")),
    ))
}

/// The JSON text of a literal, if it suits an option of this kind.
fn json_of_kind(literal: &Expr, kind: &str) -> Result<String> {
    let (json, found) = json(literal)?;
    let fits = match kind {
        "duration" => found == "string",
        "number" => found == "number" || found == "integer",
        kind => kind == found,
    };
    if fits {
        Ok(json)
    } else {
        Err(Error::new_spanned(
            literal,
            format!("the default of this option is a {found}, not a {kind}"),
        ))
    }
}

/// The JSON text of a literal and the kind of option it would suit.
fn json(literal: &Expr) -> Result<(String, &'static str)> {
    match literal {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Ok((json_string(&text.value()), "string")),
            Lit::Int(number) => Ok((number.base10_digits().to_owned(), "integer")),
            Lit::Float(number) => Ok((number.base10_digits().to_owned(), "number")),
            Lit::Bool(truth) => Ok((truth.value.to_string(), "boolean")),
            _ => Err(not_literal(literal)),
        },
        Expr::Unary(ExprUnary {
            op: UnOp::Neg(_),
            expr,
            ..
        }) => match json(expr)? {
            (json, found @ ("integer" | "number")) => Ok((format!("-{json}"), found)),
            _ => Err(not_literal(expr)),
        },
        Expr::Array(ExprArray { elems, .. }) => {
            let items: Result<Vec<String>> = elems
                .iter()
                .map(|item| json(item).map(|(json, _)| json))
                .collect();
            Ok((format!("[{}]", items?.join(",")), "list"))
        }
        other => Err(not_literal(other)),
    }
}

fn not_literal(tokens: impl quote::ToTokens) -> Error {
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
            control if control.is_control() && control.is_ascii() => {
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

    fn refusal(tokens: TokenStream) -> String {
        match Arguments::parse(tokens) {
            Ok(_) => panic!("the arguments were taken"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn reads_every_argument() {
        let arguments = Arguments::parse(quote! {
            hook = "client.connected", hook = "client.disconnected",
            interest("payload", "qos>0"), pool = "sql", stores,
            option(name = "tags", kind = "list", default = ["a\"b", "c"], help = "which"),
            option(name = "window", kind = "duration", required),
            option(name = "offset", kind = "number", default = -1.5)
        })
        .unwrap();
        assert_eq!(arguments.hooks, ["client.connected", "client.disconnected"]);
        assert_eq!(arguments.subject, "Client");
        assert_eq!(arguments.interest, ["payload", "qos>0"]);
        assert_eq!(arguments.pool, "sql");
        assert!(arguments.stores);
        let defaults: Vec<Option<&str>> = arguments
            .options
            .iter()
            .map(|option| option.default.as_deref())
            .collect();
        assert_eq!(defaults, [Some(r#"["a\"b","c"]"#), None, Some("-1.5")]);
        assert!(arguments.options[1].required);
        assert_eq!(arguments.options[0].help, "which");
    }

    #[test]
    fn refuses_what_no_host_would_take() {
        let check = |tokens: TokenStream, expected: &str| {
            let message = refusal(tokens);
            assert!(message.contains(expected), "{message}");
        };
        check(quote!(stores), "needs a hook");
        check(
            quote!(hook = "message.published"),
            "there are: client.connected",
        );
        check(
            quote!(hook = "message.publish", hook = "client.connected"),
            "this one gives Client",
        );
        check(
            quote!(hook = "message.publish", interest("qos1")),
            "no such interest",
        );
        check(
            quote!(hook = "message.publish", pool = "ldap"),
            "there are: sql",
        );
        check(
            quote!(hook = "message.publish", fast),
            "an action takes hook",
        );
        check(
            quote!(hook = "message.publish", option(name = "x")),
            "a name and a kind",
        );
        check(
            quote!(
                hook = "message.publish",
                option(name = "x", kind = "integer", default = "5")
            ),
            "is a string, not a integer",
        );
        check(
            quote!(
                hook = "message.publish",
                option(name = "x", kind = "integer", required, default = 5)
            ),
            "no use for a default",
        );
        check(
            quote!(
                hook = "message.publish",
                option(name = "x", kind = "integer"),
                option(name = "x", kind = "string")
            ),
            "declared twice",
        );
    }
}
