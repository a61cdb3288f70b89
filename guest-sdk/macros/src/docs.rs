//! Doc comments, which are the help that a manifest gives.

use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// The doc comment, line by line as written.
pub(crate) fn help(attributes: &[Attribute]) -> String {
    let lines: Vec<String> = attributes
        .iter()
        .filter_map(|attribute| match &attribute.meta {
            Meta::NameValue(meta) if meta.path.is_ident("doc") => Some(&meta.value),
            _ => None,
        })
        .filter_map(|value| match value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(line),
                ..
            }) => Some(line.value().trim().to_owned()),
            _ => None,
        })
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::help;

    #[test]
    fn the_doc_comment_is_the_help() {
        let function: syn::ItemFn = syn::parse_quote! {
            /// Stores a message.
            ///
            /// Not more.
            #[inline]
            fn f() {}
        };
        assert_eq!(help(&function.attrs), "Stores a message.\n\nNot more.");
    }
}
