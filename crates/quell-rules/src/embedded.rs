//! The packages that are embedded in the program: one line a rule file.

use toml::Table;

/// What an embedded file's path starts with.
pub(crate) const PREFIX: &str = "embedded:";

/// A package: its description and its files.
struct Package {
    description: &'static str,
    files: &'static [EmbeddedFile],
    /// Exceptions and maintenance windows to be filled in.
    templates: &'static [EmbeddedFile],
}

/// An embedded rule file.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedFile {
    /// Its path within the package.
    pub path: &'static str,
    /// Its text.
    pub text: &'static str,
}

macro_rules! file {
    ($package:literal, $path:literal) => {
        EmbeddedFile { path: $path, text: include_str!(concat!("../../../packages/", $package, "/", $path)) }
    };
}

static PACKAGES: &[Package] = &[Package {
    description: include_str!("../../../packages/t1046/package.toml"),
    files: &[
        file!("t1046", "rules/published.toml"), // one line a rule file
    ],
    templates: &[
        file!("t1046", "exceptions/inventory-scans.toml"),
        file!("t1046", "exceptions/inventory-windows.toml"),
        file!("t1046", "exceptions/vulnerability-assessment.toml"),
        file!("t1046", "exceptions/ci-monitoring.toml"),
    ],
}];

/// A named set of embedded rules.
#[derive(Clone, Debug)]
pub struct EmbeddedSet {
    /// The name that `--rules` takes.
    pub name: String,
    /// What it holds.
    pub description: String,
    /// The package that it belongs to.
    pub package: String,
    /// The package's version.
    pub version: String,
    /// Its rule files.
    pub files: Vec<EmbeddedFile>,
}

impl EmbeddedSet {
    /// Every embedded set, in the order of the packages' descriptions.
    #[must_use]
    pub fn all() -> Vec<EmbeddedSet> {
        PACKAGES.iter().flat_map(sets_of).collect()
    }

    /// The set of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<EmbeddedSet> {
        EmbeddedSet::all().into_iter().find(|set| set.name == name)
    }
}

/// The embedded templates of exceptions and maintenance windows, to be filled in, each with the name that it is asked for by:
/// `t1046/inventory-scans`.
#[must_use]
pub fn templates() -> Vec<(String, &'static str)> {
    let of = |package: &'static Package| {
        let name = package.description.parse::<Table>().ok();
        let name = name.and_then(|table| Some(table.get("name")?.as_str()?.to_owned())).unwrap_or_default();
        package.templates.iter().map(move |file| {
            let path = file.path.strip_prefix("exceptions/").unwrap_or(file.path);
            (format!("{name}/{}", path.strip_suffix(".toml").unwrap_or(path)), file.text)
        })
    };
    PACKAGES.iter().flat_map(of).collect()
}

/// The sets that a package's description names. A set whose `files` is absent has all files.
fn sets_of(package: &Package) -> Vec<EmbeddedSet> {
    let Ok(description) = package.description.parse::<Table>() else { return Vec::new() };
    let text =
        |table: &Table, key: &str| table.get(key).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
    let sets = description.get("set").and_then(|sets| sets.as_array()).map(Vec::as_slice).unwrap_or_default();
    sets.iter()
        .filter_map(|set| set.as_table())
        .map(|set| {
            let names = set.get("files").and_then(|files| files.as_array());
            let named = |file: &&EmbeddedFile| {
                names.is_none_or(|names| names.iter().any(|name| name.as_str() == Some(file.path)))
            };
            EmbeddedSet {
                name: text(set, "name"),
                description: text(set, "description"),
                package: text(&description, "name"),
                version: text(&description, "version"),
                files: package.files.iter().filter(named).copied().collect(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{EmbeddedSet, PACKAGES};
    use std::path::Path;
    use toml::Table;

    #[test]
    fn the_descriptions_name_existing_files_alone() {
        for package in PACKAGES {
            let description: Table = package.description.parse().unwrap();
            for set in description["set"].as_array().unwrap() {
                for file in set.get("files").and_then(|files| files.as_array()).into_iter().flatten() {
                    let name = file.as_str().unwrap();
                    assert!(package.files.iter().any(|file| file.path == name), "{name} is not embedded");
                }
            }
        }
        let sets = EmbeddedSet::all();
        assert!(
            sets.iter()
                .all(|set| !set.files.is_empty() && !set.description.is_empty() && !set.version.is_empty())
        );
        assert_eq!(
            sets.iter().map(|set| set.name.as_str()).collect::<Vec<_>>(),
            ["t1046", "t1046-published"]
        );
    }

    #[test]
    fn every_rule_file_of_the_package_folder_is_embedded() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packages/t1046/rules");
        let mut on_disk: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| format!("rules/{}", entry.unwrap().file_name().to_str().unwrap()))
            .collect();
        on_disk.sort();
        let mut embedded: Vec<&str> =
            EmbeddedSet::find("t1046").unwrap().files.iter().map(|file| file.path).collect();
        embedded.sort_unstable();
        assert_eq!(on_disk, embedded);
    }

    #[test]
    fn every_template_is_embedded_and_sound_and_covers_nothing_yet() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packages/t1046/exceptions");
        let (set, wrong) = crate::ExceptionSet::load(std::slice::from_ref(&folder));
        assert!(wrong.is_empty(), "{wrong:?}");
        assert_eq!(set.items().len(), 5);
        let (windows, wrong) = crate::MaintenanceWindow::load(&folder.join("inventory-windows.toml"));
        assert!(wrong.is_empty() && windows.len() == 1, "{wrong:?}");
        let names: Vec<String> = super::templates().into_iter().map(|(name, _)| name).collect();
        let on_disk = std::fs::read_dir(&folder).unwrap().count();
        assert_eq!((names.len(), names[0].as_str()), (on_disk, "t1046/inventory-scans"));
        for (name, text) in super::templates() {
            let own = text.lines().filter(|line| !line.trim_start().starts_with('#'));
            assert!(own.filter(|line| line.contains('<')).count() > 0, "{name} has nothing to fill in");
        }
    }
}
