//! The projects that `hookwire rule new` makes.

use anyhow::{Result, bail};
use hookwire_settings::hint;

/// One kind of project: files that are the same in none but it.
pub(crate) struct Template {
    pub(crate) name: &'static str,
    about: &'static str,
    how_to_try: &'static str,
    library: &'static str,
    rule: &'static str,
    settings: &'static str,
    fixture: &'static str,
    tables: Option<&'static str>,
}

macro_rules! template {
    ($name:literal $(, $tables:literal)?) => {
        Template {
            name: $name,
            about: include_str!(concat!("../../../templates/", $name, "/about.md")),
            how_to_try: include_str!(concat!("../../../templates/", $name, "/try.md")),
            library: include_str!(concat!("../../../templates/", $name, "/lib.rs")),
            rule: include_str!(concat!("../../../templates/", $name, "/rule.hcl")),
            settings: include_str!(concat!("../../../templates/", $name, "/settings.hcl")),
            fixture: include_str!(concat!("../../../templates/", $name, "/fixture.hcl")),
            tables: template!(@tables $name $(, $tables)?),
        }
    };
    (@tables $name:literal) => { None };
    (@tables $name:literal, $tables:literal) => {
        Some(include_str!(concat!("../../../templates/", $name, "/", $tables)))
    };
}

const TEMPLATES: [Template; 4] = [
    template!("filter"),
    template!("enrich"),
    template!("store-to-sql", "tables.sql"),
    template!("authenticate", "tables.sql"),
];

const MANIFEST: &str = include_str!("../../../templates/common/Cargo.toml.in");
const README: &str = include_str!("../../../templates/common/README.md.in");
const GITIGNORE: &str = include_str!("../../../templates/common/gitignore.in");
const LISTENER: &str = "listener \"tcp\" \"default\" {\n  address = \"127.0.0.1:1883\"\n}\n";

impl Template {
    /// The template of that name.
    ///
    /// # Errors
    /// If there is none; says which there are.
    pub(crate) fn by_name(name: &str) -> Result<&'static Self> {
        let found = TEMPLATES.iter().find(|template| template.name == name);
        let Some(found) = found else {
            let names = TEMPLATES.iter().map(|template| template.name);
            bail!("no template is called \"{name}\"; {}", hint(name, names));
        };
        Ok(found)
    }

    /// The files of a project, by their place in it.
    pub(crate) fn files(&self, name: &str) -> Vec<(String, String)> {
        let named = |text: &str| text.replace("{{name}}", name);
        let readme = README
            .replace("{{about}}", self.about.trim_end())
            .replace("{{try}}", self.how_to_try.trim_end());
        let settings = format!("{LISTENER}\n{}\n{}", self.settings, self.rule);
        let fixture = self.fixture.replace("{{rule}}", self.rule);
        let mut files = vec![
            ("Cargo.toml".to_owned(), named(MANIFEST)),
            ("README.md".to_owned(), named(&readme)),
            (".gitignore".to_owned(), GITIGNORE.to_owned()),
            ("src/lib.rs".to_owned(), named(self.library)),
            (format!("tests/{}.hcl", self.name), named(&fixture)),
            ("hookwire.hcl".to_owned(), named(&settings)),
        ];
        files.extend(
            self.tables
                .map(|tables| ("tables.sql".to_owned(), tables.to_owned())),
        );
        files
    }
}
