//! Fixtures that a component carries with it: its own tests, in a custom section
//! that engines pass over.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hookwire_settings::{At, Located, Problem};
use serde::{Deserialize, Serialize};

use crate::check::unmet;
use crate::fixture::Fixture;
use crate::harness::Harness;
use crate::report::Report;

/// Bytes of all fixtures of a component, as they are written into it.
pub const MAX_BUNDLE_BYTES: usize = 256 << 10;

const SECTION: &[u8] = b"hookwire:fixtures";
/// Magic number, version and layer.
const PREAMBLE_BYTES: usize = 8;

/// One fixture, as it is carried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundledFixture {
    /// Where the author has it: `tests/filter.hcl`.
    pub name: String,
    /// The file.
    pub text: String,
    /// Files of SQL that it names, by the names that it has for them.
    #[serde(default)]
    pub setup_files: BTreeMap<String, String>,
}

/// Why fixtures cannot be put into a component, or read out of it.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// They are too many, or too long.
    #[error("its fixtures have {0} bytes together, {MAX_BUNDLE_BYTES} at most")]
    TooLong(usize),
    /// The section is not one that was written by [`with_fixtures`].
    #[error("its section hookwire:fixtures cannot be read: {0}")]
    Section(String),
    /// The component's own sections are damaged.
    #[error("it is damaged: a section goes beyond its end")]
    Component,
}

/// A fixture as it goes with a component, under `name`, with the files of SQL that
/// it names. None: it tests other components, too, which cannot go with it.
///
/// # Errors
/// Everything that is wrong with the fixture, by line.
pub fn bundle(path: &Path, name: &str) -> Result<Option<BundledFixture>, Vec<Problem>> {
    let read = |path: &Path, at: At| {
        std::fs::read_to_string(path).map_err(|error| {
            let message = format!("{} cannot be read: {error}", path.display());
            vec![Problem { at, message }]
        })
    };
    let shown = path.display().to_string();
    let at = At {
        file: shown.as_str().into(),
        line: 1,
    };
    let text = read(path, at)?;
    let fixture = Fixture::parse(&shown, &text)?;
    let mut modules = fixture.settings.modules.iter();
    if modules.any(|module| module.path.is_some()) {
        return Ok(None);
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut setup_files = BTreeMap::new();
    for named in fixture.setup_files() {
        let text = read(&folder.join(&named.value), named.at.clone())?;
        setup_files.insert(named.value.display().to_string(), text);
    }
    Ok(Some(BundledFixture {
        name: name.to_owned(),
        text,
        setup_files,
    }))
}

/// The component with the fixtures in it. It has none before.
///
/// # Errors
/// If they are too long.
pub fn with_fixtures(
    mut component: Vec<u8>,
    fixtures: &[BundledFixture],
) -> Result<Vec<u8>, BundleError> {
    if fixtures.is_empty() {
        return Ok(component);
    }
    let text =
        serde_json::to_vec(fixtures).map_err(|error| BundleError::Section(error.to_string()))?;
    if text.len() > MAX_BUNDLE_BYTES {
        return Err(BundleError::TooLong(text.len()));
    }
    let mut content = Vec::with_capacity(text.len() + SECTION.len() + 8);
    put_length(&mut content, SECTION.len());
    content.extend_from_slice(SECTION);
    content.extend_from_slice(&text);
    component.push(0);
    put_length(&mut component, content.len());
    component.extend_from_slice(&content);
    Ok(component)
}

/// The fixtures in a component.
///
/// # Errors
/// If its sections make no sense.
pub fn fixtures_of(component: &[u8]) -> Result<Vec<BundledFixture>, BundleError> {
    let mut rest = component
        .get(PREAMBLE_BYTES..)
        .ok_or(BundleError::Component)?;
    while let Some((&id, behind)) = rest.split_first() {
        let (length, behind) = take_length(behind).ok_or(BundleError::Component)?;
        let (content, behind) = behind
            .split_at_checked(length)
            .ok_or(BundleError::Component)?;
        rest = behind;
        if id != 0 {
            continue;
        }
        let named = take_length(content).and_then(|(length, named)| named.split_at_checked(length));
        if let Some((SECTION, text)) = named {
            if text.len() > MAX_BUNDLE_BYTES {
                return Err(BundleError::TooLong(text.len()));
            }
            return serde_json::from_slice(text)
                .map_err(|error| BundleError::Section(error.to_string()));
        }
    }
    Ok(Vec::new())
}

impl Harness {
    /// As [`Harness::test`], of a fixture that came with a component: it reads no
    /// files, and its set-up runs what rules may run.
    #[must_use]
    pub fn test_bundled(&self, bundled: &BundledFixture) -> Report {
        let ended = Fixture::bundled(bundled).and_then(|fixture| {
            let trace = self.run(&fixture)?;
            Ok((unmet(&fixture, &trace), Some(trace.limits)))
        });
        let (problems, limits) = ended.unwrap_or_else(|problems| (problems, None));
        Report {
            fixture: bundled.name.clone(),
            problems,
            limits,
        }
    }
}

impl Fixture {
    /// Reads a fixture that came with a component.
    pub(crate) fn bundled(bundled: &BundledFixture) -> Result<Self, Vec<Problem>> {
        let mut fixture = Self::parse(&bundled.name, &bundled.text)?;
        let mut problems = Vec::new();
        let mut refuse = |at: &At, file: &Path| {
            let file = file.display();
            problems.push(Problem {
                at: at.clone(),
                message: format!(
                    "{file} did not come with the component, and its fixtures read no other files"
                ),
            });
        };
        for module in &fixture.settings.modules {
            if let Some(path) = &module.path {
                refuse(&module.name.at, path);
            }
        }
        for store in &mut fixture.stores {
            let Some(Located { value: file, at }) = store.setup_file.take() else {
                continue;
            };
            let Some(text) = bundled.setup_files.get(&file.display().to_string()) else {
                refuse(&at, &file);
                continue;
            };
            let setup = store.setup.take();
            let behind = setup.map_or(String::new(), |setup| format!(";\n{}", setup.value));
            store.setup = Some(Located {
                value: format!("{text}\n{behind}"),
                at,
            });
        }
        fixture.is_bundled = true;
        if problems.is_empty() {
            Ok(fixture)
        } else {
            Err(problems)
        }
    }

    fn setup_files(&self) -> impl Iterator<Item = &Located<PathBuf>> {
        self.stores
            .iter()
            .filter_map(|store| store.setup_file.as_ref())
    }
}

/// LEB128, as WebAssembly has its lengths.
fn put_length(out: &mut Vec<u8>, length: usize) {
    let mut left = length;
    loop {
        let low = u8::try_from(left & 0x7f).unwrap_or_default();
        left >>= 7;
        if left == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

fn take_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut length = 0_u64;
    for (place, byte) in bytes.iter().enumerate().take(5) {
        length |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(length).ok()?, bytes.get(place + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREAMBLE: &[u8] = b"\0asm\x0d\0\x01\0";

    fn fixture(text: &str) -> BundledFixture {
        BundledFixture {
            name: "tests/a.hcl".to_owned(),
            text: text.to_owned(),
            setup_files: BTreeMap::new(),
        }
    }

    #[test]
    fn what_is_put_in_comes_out() {
        for length in [0, 1, 100, 127, 128, 20_000, 200_000] {
            let fixtures = [fixture(&"x".repeat(length)), fixture("y")];
            let mut component = PREAMBLE.to_vec();
            component.extend_from_slice(b"\x01\x03abc\0\x05\x04name");
            let made = with_fixtures(component.clone(), &fixtures).unwrap();
            assert_eq!(fixtures_of(&made).unwrap(), fixtures, "{length}");
            assert_eq!(fixtures_of(&component).unwrap(), [], "there is none");
        }
        let made = with_fixtures(PREAMBLE.to_vec(), &[]).unwrap();
        assert_eq!(made, PREAMBLE);
    }

    #[test]
    fn what_is_too_long_or_damaged_is_refused() {
        let long = [fixture(&"x".repeat(MAX_BUNDLE_BYTES))];
        let error = with_fixtures(PREAMBLE.to_vec(), &long).unwrap_err();
        assert!(error.to_string().ends_with("262144 at most"), "{error}");
        let made = with_fixtures(PREAMBLE.to_vec(), &[fixture("x")]).unwrap();
        for end in 0..made.len() {
            let cut = fixtures_of(&made[..end]);
            assert!(cut.is_err() || end == PREAMBLE.len(), "{end}: {cut:?}");
        }
        let mut other = PREAMBLE.to_vec();
        other.extend_from_slice(b"\0\x14\x11hookwire:fixtures[1");
        assert!(matches!(fixtures_of(&other), Err(BundleError::Section(_))));
        let endless = b"\0asm\x0d\0\x01\0\0\xff\xff\xff\xff\xff\xff\xff";
        assert!(matches!(fixtures_of(endless), Err(BundleError::Component)));
    }
}
