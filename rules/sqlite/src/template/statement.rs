//! One statement of a rule: its text with a `?` for each `${name}`, and the names.
//!
//! Text in quotes and comments is passed over, as the store does.

use hookwire_sdk::options::one_of;
use hookwire_sdk::prelude::*;

use super::parameter::Parameter;

/// A statement as a rule wrote it, ready to run if nothing is wrong with it.
#[derive(Debug)]
pub(super) struct Statement {
    /// With `?` in place of names.
    text: String,
    /// What is bound, in order.
    parameters: Vec<Parameter>,
    /// Every name, known or not.
    names: Vec<String>,
    /// What is wrong with it on any hook.
    problems: Vec<String>,
}

impl Statement {
    pub(super) fn of(written: &str) -> Self {
        let mut statement = Self {
            text: String::with_capacity(written.len()),
            parameters: Vec::new(),
            names: Vec::new(),
            problems: Vec::new(),
        };
        let mut rest = written;
        while let Some(first) = rest.chars().next() {
            let length = match first {
                '$' if rest.starts_with("${") => statement.name(rest),
                '\'' | '"' | '`' => statement.quoted(rest, first),
                '[' => statement.quoted(rest, ']'),
                '-' if rest.starts_with("--") => statement.passed(rest, "\n"),
                '/' if rest.starts_with("/*") => statement.passed(rest, "*/"),
                '?' => {
                    let problem = "it holds a `?`; write ${name} for what is bound";
                    statement.problems.push(problem.to_owned());
                    1
                }
                other => {
                    statement.text.push(other);
                    other.len_utf8()
                }
            };
            rest = rest.get(length..).unwrap_or_default();
        }
        if statement.text.trim().is_empty() {
            statement.problems.push("it is empty".to_owned());
        }
        statement
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What is bound for an event.
    pub(super) fn row<'e>(&self, event: &'e Event) -> Vec<Value<'e>> {
        let parameters = self.parameters.iter();
        parameters.map(|parameter| parameter.value(event)).collect()
    }

    /// What is wrong with it on a hook that offers these names.
    pub(super) fn problems(&self, hook: &str, offered: &[&str]) -> Vec<String> {
        let mut problems = self.problems.clone();
        let unknown = |name: &&String| !offered.contains(&name.as_str());
        for name in self.names.iter().filter(unknown) {
            let known = one_of(Some(name), offered);
            problems.push(format!("{hook} offers no ${{{name}}}: write {known}"));
        }
        problems
    }

    /// `${name}` at the beginning of `rest`, and how long it is.
    fn name(&mut self, rest: &str) -> usize {
        let Some(end) = rest.find('}') else {
            self.problems.push("a `${` is not closed".to_owned());
            return rest.len();
        };
        let name = rest.get(2..end).unwrap_or_default().trim();
        self.parameters.extend(Parameter::by_name(name));
        self.names.push(name.to_owned());
        self.text.push('?');
        end + 1
    }

    /// Text in quotes; a doubled quote stands for itself, and so begins another
    /// such text, which does no harm. A name in it would be stored as it is
    /// written, which nobody means.
    fn quoted(&mut self, rest: &str, quote: char) -> usize {
        let inner = rest.get(1..).unwrap_or_default();
        let Some(length) = inner.find(quote) else {
            self.problems.push(format!("a {quote} is not closed"));
            return rest.len();
        };
        let inside = inner.get(..length).unwrap_or_default();
        let name = inside
            .split_once("${")
            .and_then(|(_, behind)| behind.split_once('}'));
        if let Some((name, _)) = name {
            self.problems.push(format!(
                "${{{name}}} stands in quotes; values are bound: write it without them"
            ));
        }
        self.take(rest, length + 2)
    }

    /// A comment, up to `end` or the end of the text.
    fn passed(&mut self, rest: &str, end: &str) -> usize {
        let inner = rest.get(2..).unwrap_or_default();
        let length = inner.find(end).map(|length| length + 2 + end.len());
        self.take(rest, length.unwrap_or(rest.len()))
    }

    fn take(&mut self, rest: &str, length: usize) -> usize {
        self.text.push_str(rest.get(..length).unwrap_or_default());
        length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_marks_outside_of_quotes_and_comments() {
        let check = |written: &str, text: &str, names: &[&str]| {
            let statement = Statement::of(written);
            assert_eq!(statement.text, text);
            assert_eq!(statement.names, names);
            assert_eq!(statement.problems, [""; 0], "{written}");
        };
        check(
            "insert into t values(${clientid},${ qos })",
            "insert into t values(?,?)",
            &["clientid", "qos"],
        );
        check(
            "select 'it''s ${' || ${topic}",
            "select 'it''s ${' || ?",
            &["topic"],
        );
        check(
            "select ${topic} -- of ${x}\n, 'a?'",
            "select ? -- of ${x}\n, 'a?'",
            &["topic"],
        );
        check(
            "/* ? ${x} */ select \"a?\", `b?`, [c?]",
            "/* ? ${x} */ select \"a?\", `b?`, [c?]",
            &[],
        );
        check("größe = ${payload} -- ${", "größe = ? -- ${", &["payload"]);
        check("$1 $ {a}", "$1 $ {a}", &[]);
    }

    #[test]
    fn mistakes_are_found() {
        let check = |written: &str, problem: &str| {
            assert_eq!(Statement::of(written).problems, [problem], "{written}");
        };
        check(
            "values(?)",
            "it holds a `?`; write ${name} for what is bound",
        );
        check("values(${topic", "a `${` is not closed");
        check(
            "values('${topic}')",
            "${topic} stands in quotes; values are bound: write it without them",
        );
        check(
            "insert into \"${topic}\"",
            "${topic} stands in quotes; values are bound: write it without them",
        );
        check("values('a)", "a ' is not closed");
        check(" \n", "it is empty");
    }
}
