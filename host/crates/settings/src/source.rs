//! One configuration file: its text, its lines, and what is wrong with it.

use std::ops::Range;
use std::sync::Arc;

use hcl_edit::parser::parse_body;
use hcl_edit::structure::Body;

use crate::model::{At, Problem};

/// The file being read, and the problems found so far.
#[derive(Debug)]
pub struct Source<'t> {
    file: Arc<str>,
    text: &'t str,
    /// Offset of each line's first byte.
    line_starts: Vec<usize>,
    problems: Vec<Problem>,
}

impl<'t> Source<'t> {
    /// A file of that name and text, without problems so far.
    pub fn new(file_name: &str, text: &'t str) -> Self {
        let behind_newlines = text.match_indices('\n').map(|(offset, _)| offset + 1);
        Self {
            file: Arc::from(file_name),
            text,
            line_starts: std::iter::once(0).chain(behind_newlines).collect(),
            problems: Vec::new(),
        }
    }

    /// The syntax tree; `None` and a problem if there is none.
    pub fn parse(&mut self) -> Option<Body> {
        match parse_body(self.text) {
            Ok(body) => Some(body),
            Err(error) => {
                let mut message = error.message().to_owned();
                if error.line().contains("%{") {
                    message.push_str("; a %{ in text is written %%{");
                }
                let at = self.line(error.location().line());
                self.report(at, message);
                None
            }
        }
    }

    fn line(&self, line: usize) -> At {
        At {
            file: Arc::clone(&self.file),
            line,
        }
    }

    /// Where a node of the tree begins.
    pub fn at(&self, span: Option<Range<usize>>) -> At {
        let offset = span.map_or(0, |span| span.start);
        self.line(self.line_starts.partition_point(|start| *start <= offset))
    }

    /// The text of a node, as it was written.
    pub fn written(&self, span: Option<Range<usize>>) -> &'t str {
        span.and_then(|span| self.text.get(span))
            .unwrap_or_default()
    }

    /// Keeps a problem.
    pub fn report(&mut self, at: At, message: impl Into<String>) {
        let message = message.into();
        self.problems.push(Problem { at, message });
    }

    /// How many problems were found so far.
    pub fn problem_count(&self) -> usize {
        self.problems.len()
    }

    /// What is wrong, by line.
    pub fn finish(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|problem| problem.at.line);
        self.problems
    }
}
