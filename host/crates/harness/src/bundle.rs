//! Fixtures that a component carries with it: its own tests, in a custom section
//! that engines pass over.

use std::path::{Path, PathBuf};

use hookwire_settings::Problem;
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

/// Whether a file can go with a component: a fixture that names other files
/// cannot.
///
/// # Errors
/// Everything that is wrong with the fixture, by line.
pub fn stands_alone(path: &Path) -> Result<bool, Vec<Problem>> {
    let fixture = Fixture::load(path)?;
    Ok(fixture.other_files().next().is_none())
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
        let ended = Fixture::bundled(&bundled.name, &bundled.text).and_then(|fixture| {
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
    pub(crate) fn bundled(name: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let mut fixture = Self::parse(name, text)?;
        let files: Vec<PathBuf> = fixture.other_files().map(Path::to_owned).collect();
        if !files.is_empty() {
            let problem = |file: &PathBuf| Problem {
                at: fixture.start.clone(),
                message: format!(
                    "{}: a fixture that comes with its component reads no files",
                    file.display()
                ),
            };
            return Err(files.iter().map(problem).collect());
        }
        fixture.is_bundled = true;
        Ok(fixture)
    }

    /// Files beside the fixture that it needs.
    fn other_files(&self) -> impl Iterator<Item = &Path> {
        let modules = self.settings.modules.iter();
        let modules = modules.filter_map(|module| module.path.as_deref());
        let stores = self.stores.iter();
        let stores = stores.filter_map(|store| Some(store.setup_file.as_ref()?.value.as_path()));
        modules.chain(stores)
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
