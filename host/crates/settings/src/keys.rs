//! Reads the keys of one block, and finds those that nobody asked for.

use std::ops::RangeInclusive;
use std::time::Duration;

use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, Body, Structure};

use crate::model::{At, Located};
use crate::nearest::hint;
use crate::source::Source;
use crate::value::{self, Wrong};

/// The keys of one block. Each reading method reports what is wrong and goes
/// on, so that all problems are found; [`Keys::finish`] ends the block.
pub struct Keys<'b, 's, 't> {
    source: &'s mut Source<'t>,
    body: &'b Body,
    /// The block as it is spoken of, `rule "store"`; empty for the file itself.
    owner: String,
    at: At,
    known: Vec<&'static str>,
    known_blocks: Vec<&'static str>,
}

impl<'b, 's, 't> Keys<'b, 's, 't> {
    /// The keys of `body`, which is spoken of as `owner` and begins at `at`.
    pub fn new(
        source: &'s mut Source<'t>,
        body: &'b Body,
        owner: impl Into<String>,
        at: At,
    ) -> Self {
        Self {
            source,
            body,
            owner: owner.into(),
            at,
            known: Vec::new(),
            known_blocks: Vec::new(),
        }
    }

    /// The value of `key`; `None` if it is not there, or wrong.
    pub fn located<T>(
        &mut self,
        key: &'static str,
        convert: impl FnOnce(&Source<'_>, &Expression) -> Result<T, Wrong>,
    ) -> Option<Located<T>> {
        self.known.push(key);
        let attribute = self.body.get_attribute(key)?;
        let at = self.source.at(attribute.value.span());
        match convert(self.source, &attribute.value) {
            Ok(value) => Some(Located { value, at }),
            Err(wrong) => {
                self.report(at, &format!("{key}: {wrong}"));
                None
            }
        }
    }

    /// As [`Keys::located`], and a problem if the key is not there.
    pub fn required<T>(
        &mut self,
        key: &'static str,
        convert: impl FnOnce(&Source<'_>, &Expression) -> Result<T, Wrong>,
    ) -> Option<Located<T>> {
        if !self.body.has_attribute(key) {
            let at = self.at.clone();
            self.report(at, &format!("the key \"{key}\" is missing"));
        }
        self.located(key, convert)
    }

    /// The value of `key`, or `default`.
    pub fn or<T>(
        &mut self,
        key: &'static str,
        default: T,
        convert: impl FnOnce(&Source<'_>, &Expression) -> Result<T, Wrong>,
    ) -> T {
        self.located(key, convert)
            .map_or(default, |located| located.value)
    }

    /// A count within `range`, or `default`.
    pub fn count(
        &mut self,
        key: &'static str,
        default: usize,
        range: RangeInclusive<usize>,
    ) -> usize {
        self.or(key, default, value::integer(range))
    }

    /// A time within `range`, or `default`.
    pub fn time(
        &mut self,
        key: &'static str,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        self.or(key, default, value::duration(range))
    }

    /// A size in bytes within `range`, or `default`.
    pub fn bytes(
        &mut self,
        key: &'static str,
        default: usize,
        range: RangeInclusive<u64>,
    ) -> usize {
        self.or(key, default, value::bytes(range))
    }

    /// The blocks called `name` within this one.
    pub fn blocks(&mut self, name: &'static str) -> Vec<&'b Block> {
        self.known_blocks.push(name);
        self.body
            .blocks()
            .filter(|block| block.has_ident(name))
            .collect()
    }

    /// The block as it is spoken of.
    pub(crate) fn owner(&self) -> &str {
        &self.owner
    }

    /// The file, to read the blocks within this one.
    pub fn source(&mut self) -> &mut Source<'t> {
        self.source
    }

    /// Reports a problem of this block.
    pub fn report(&mut self, at: At, message: &str) {
        let message = if self.owner.is_empty() {
            message.to_owned()
        } else {
            format!("{}: {message}", self.owner)
        };
        self.source.report(at, message);
    }

    /// Refuses the keys and blocks that were not asked for.
    pub fn finish(&mut self) {
        for structure in self.body {
            match structure {
                Structure::Attribute(attribute) => {
                    let at = self.source.at(attribute.key.span());
                    self.check_key(attribute.key.as_str(), at);
                }
                Structure::Block(block) => {
                    let at = self.source.at(block.ident.span());
                    self.check_block(block.ident.as_str(), at);
                }
            }
        }
    }

    fn check_key(&mut self, name: &str, at: At) {
        if self.known_blocks.contains(&name) {
            self.report(at, &format!("{name} is a block: write {name} {{ ... }}"));
        } else if !self.known.contains(&name) {
            let hint = hint(name, self.known.iter().copied());
            self.report(at, &format!("no key is called \"{name}\"; {hint}"));
        }
    }

    fn check_block(&mut self, name: &str, at: At) {
        if self.known.contains(&name) {
            self.report(at, &format!("{name} is a key: write {name} = ..."));
        } else if !self.known_blocks.contains(&name) {
            let hint = hint(name, self.known_blocks.iter().copied());
            self.report(at, &format!("no block is called \"{name}\"; {hint}"));
        }
    }
}
