//! Reads and checks what stands in `#[action(...)]`.

use proc_macro2::{Span, TokenStream};
use syn::meta::ParseNestedMeta;
use syn::parse::{Parse, Parser};
use syn::{Error, LitStr, Path, Result, Token, Type, parenthesized};

use crate::words;

/// The arguments of the attribute, checked.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) hooks: Vec<&'static str>,
    pub(crate) interest: Vec<&'static str>,
    pub(crate) pool: &'static str,
    pub(crate) stores: bool,
    /// The type that holds the rule's options.
    pub(crate) options: Option<Type>,
    /// Checks a rule as a whole.
    pub(crate) check: Option<Path>,
    /// The event type of all hooks; `Event` where they have several.
    pub(crate) subject: &'static str,
}

impl Arguments {
    pub(crate) fn parse(tokens: TokenStream) -> Result<Self> {
        let mut arguments = Self::default();
        let mut interest = Vec::new();
        syn::meta::parser(|meta| arguments.read(&meta, &mut interest)).parse2(tokens)?;
        if arguments.hooks.is_empty() {
            return Err(Error::new(
                Span::call_site(),
                "an action needs a hook: hook = \"message.publish\"",
            ));
        }
        // Which interests there are depends on the hooks, wherever they stand.
        for word in &interest {
            let name = words::interest(word, arguments.subject)?;
            arguments.interest.push(name);
            if ["payload-empty", "payload-not-empty"]
                .iter()
                .all(|name| arguments.interest.contains(name))
            {
                return Err(Error::new_spanned(
                    word,
                    "no message satisfies both payload-empty and payload-not-empty",
                ));
            }
        }
        Ok(arguments)
    }

    fn read(&mut self, meta: &ParseNestedMeta<'_>, interest: &mut Vec<LitStr>) -> Result<()> {
        if meta.path.is_ident("hook") {
            let hook: LitStr = meta.value()?.parse()?;
            self.add_hook(&hook)
        } else if meta.path.is_ident("interest") {
            let content;
            parenthesized!(content in meta.input);
            interest.extend(content.parse_terminated(<LitStr as Parse>::parse, Token![,])?);
            Ok(())
        } else if meta.path.is_ident("pool") {
            self.pool = words::pool(&meta.value()?.parse()?)?;
            Ok(())
        } else if meta.path.is_ident("stores") {
            self.stores = true;
            Ok(())
        } else if meta.path.is_ident("options") {
            self.options = Some(meta.value()?.parse()?);
            Ok(())
        } else if meta.path.is_ident("check") {
            self.check = Some(meta.value()?.parse()?);
            Ok(())
        } else {
            Err(meta.error("an action takes hook, interest, pool, stores, options and check"))
        }
    }

    fn add_hook(&mut self, word: &LitStr) -> Result<()> {
        let (hook, subject) = words::hook(word)?;
        if self.hooks.contains(&hook) {
            return Err(Error::new_spanned(word, "the hook is named twice"));
        }
        self.subject = match self.subject {
            "" => subject,
            earlier if earlier == subject => subject,
            _ => words::ANY_SUBJECT,
        };
        self.hooks.push(hook);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::{ToTokens, quote};

    fn parsed(tokens: TokenStream) -> Arguments {
        Arguments::parse(tokens).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn reads_every_argument() {
        let arguments = parsed(quote! {
            hook = "message.acked", interest("payload", "qos>0"), hook = "message.dropped",
            pool = "sql", stores, options = crate::Limits,
        });
        assert_eq!(arguments.hooks, ["message.acked", "message.dropped"]);
        assert_eq!(arguments.subject, "Delivery");
        assert_eq!(arguments.interest, ["payload", "qos>0"]);
        assert_eq!(arguments.pool, "sql");
        assert!(arguments.stores);
        let options = arguments.options.expect("options were given");
        assert_eq!(
            options.to_token_stream().to_string(),
            quote!(crate::Limits).to_string()
        );
    }

    #[test]
    fn every_hook_has_a_type_of_event() {
        let check = |hook: &str, subject: &str| {
            let arguments = parsed(quote!(hook = #hook));
            assert_eq!(arguments.subject, subject, "{hook}");
        };
        check("client.connect", "Client");
        check("client.authenticate", "Credentials");
        check("client.authorize", "Access");
        check("client.unsubscribe", "Subscription");
        check("session.created", "Client");
        check("session.subscribed", "Subscription");
        check("message.publish", "Message");
        check("message.deliver", "Delivery");
        let mixed = parsed(quote!(hook = "message.publish", hook = "client.connected"));
        assert_eq!(mixed.subject, "Event");
        assert_eq!(
            parsed(quote!(hook = "message.delivered")).hooks,
            ["message.deliver"]
        );
    }

    #[test]
    fn refuses_what_no_host_would_take() {
        let check = |tokens: TokenStream, expected: &str| match Arguments::parse(tokens) {
            Ok(_) => panic!("the arguments were taken, not refused with: {expected}"),
            Err(error) => assert!(error.to_string().contains(expected), "{error}"),
        };
        check(quote!(stores), "needs a hook");
        check(
            quote!(hook = "message.published"),
            "no such hook; did you mean \"message.publish\"?",
        );
        check(quote!(hook = "tick"), "there is node.started, ");
        check(
            quote!(hook = "message.deliver", hook = "message.delivered"),
            "named twice",
        );
        check(
            quote!(hook = "message.publish", interest("retian")),
            "no such interest; did you mean \"retain\"?",
        );
        check(
            quote!(interest("payload"), hook = "client.connected"),
            "are Client, which has no `payload`; there is connection",
        );
        check(
            quote!(
                hook = "message.publish",
                interest("payload-empty", "payload-not-empty")
            ),
            "no message satisfies both",
        );
        check(
            quote!(hook = "message.publish", pool = "sqlite"),
            "no such kind of pool; there is sql",
        );
        check(
            quote!(hook = "message.publish", fast),
            "an action takes hook, interest",
        );
    }
}
