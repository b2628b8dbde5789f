//! Mappings: tables that say how the events of each provider become ECS.
//!
//! One file a provider under `mappings/`, one line here; `windows.toml` holds what every Windows event gets. The tables are
//! data: `plan` compiles of them what a decoder's fields need.

pub(crate) mod derive;
mod expression;
pub(crate) mod plan;
pub(crate) mod table;

use derive::Derivation;
use plan::Origin;
use std::collections::BTreeMap;
use std::sync::OnceLock;
pub use table::MappingError;
use table::{CaselessMap, MappingFile, Row, Rows};

/// The file whose rows every Windows event has.
const EVERY_EVENT: (&str, &str) = ("windows.toml", include_str!("../../mappings/windows.toml"));

/// The files of single providers.
const PROVIDERS: &[(&str, &str)] = &[
    ("powershell.toml", include_str!("../../mappings/powershell.toml")),
    ("security.toml", include_str!("../../mappings/security.toml")),
    ("sysmon.toml", include_str!("../../mappings/sysmon.toml")),
];

/// All mappings, read.
pub(crate) struct Mappings {
    /// The number of a provider's file by the provider's name, by its GUID and by its channel.
    pub(crate) by_name: CaselessMap<usize>,
    pub(crate) by_guid: CaselessMap<usize>,
    pub(crate) by_channel: CaselessMap<usize>,
    /// Rows of events of which nothing else is known.
    pub(crate) every: Rows,
    pub(crate) providers: Vec<Provider>,
    errors: Vec<MappingError>,
}

/// One provider's rows, with those of every event below them.
pub(crate) struct Provider {
    pub(crate) every: Rows,
    pub(crate) events: BTreeMap<i64, Rows>,
}

impl Mappings {
    /// The embedded mappings.
    pub(crate) fn embedded() -> &'static Mappings {
        static MAPPINGS: OnceLock<Mappings> = OnceLock::new();
        MAPPINGS.get_or_init(|| Mappings::read(EVERY_EVENT, PROVIDERS))
    }

    fn read(every: (&str, &str), providers: &[(&str, &str)]) -> Mappings {
        let base = MappingFile::parse(every.0, every.1, None);
        let mut mappings = Mappings {
            by_name: CaselessMap::default(),
            by_guid: CaselessMap::default(),
            by_channel: CaselessMap::default(),
            every: base.every,
            providers: Vec::new(),
            errors: base.errors,
        };
        for (name, text) in providers {
            let file = MappingFile::parse(name, text, Some(&base.lookups));
            let number = mappings.providers.len();
            for (map, names) in [
                (&mut mappings.by_name, &file.providers),
                (&mut mappings.by_guid, &file.guids),
                (&mut mappings.by_channel, &file.channels),
            ] {
                for name in names {
                    map.insert(name, number);
                }
            }
            let every = over(&mappings.every, &file.every);
            let events = file.events.iter().map(|(id, rows)| (*id, over(&every, rows))).collect();
            mappings.providers.push(Provider { every, events });
            mappings.errors.extend(file.errors);
        }
        mappings
    }

    /// The fields that some row makes by this derivation.
    pub(crate) fn fields_by(&self, derivation: &'static Derivation) -> impl Iterator<Item = &str> {
        let by = move |row: &Row| {
            let alternatives = row.groups.iter().flat_map(|group| &group.alternatives);
            alternatives.flat_map(|way| &way.steps).any(|step| std::ptr::eq(step.derivation, derivation))
        };
        self.rows().filter(move |(_, row)| by(row)).map(|(field, _)| field.as_str())
    }

    fn rows(&self) -> impl Iterator<Item = (&String, &Row)> {
        let tables =
            self.providers.iter().flat_map(|provider| provider.events.values().chain([&provider.every]));
        tables.chain([&self.every]).flatten()
    }

    /// Every field that some row makes, and whether it is a list in documents.
    pub(crate) fn fields(&self) -> BTreeMap<&str, bool> {
        let mut fields = BTreeMap::new();
        for (field, row) in self.rows() {
            *fields.entry(field.as_str()).or_default() |= row.list;
        }
        fields
    }
}

/// Rows with others laid over them.
fn over(base: &Rows, rows: &Rows) -> Rows {
    let mut all = base.clone();
    all.extend(rows.iter().map(|(field, row)| (field.clone(), row.clone())));
    all
}

/// What is wrong with the embedded mapping files: nothing, or a fault of this build.
#[must_use]
pub fn mapping_errors() -> &'static [MappingError] {
    &Mappings::embedded().errors
}

/// How a field that has no row of its own is found in a record.
pub(crate) fn unmapped(field: &str) -> Option<Origin<'_>> {
    if let Some(name) = field.strip_prefix("winlog.event_data.") {
        return Some(Origin::EventData(name));
    }
    field.strip_prefix("winlog.user_data.").map(Origin::UserData)
}

#[cfg(test)]
mod tests {
    use super::expression::{Name, Source};
    use super::{Mappings, Row, mapping_errors};
    use quell_event::EcsSchema;
    use quell_ir::Schema;

    #[test]
    fn the_embedded_files_have_no_fault() {
        assert_eq!(mapping_errors(), []);
    }

    #[test]
    fn providers_are_found_by_name_guid_and_channel() {
        let mappings = Mappings::embedded();
        for (name, guid, channel) in [
            (
                "microsoft-windows-sysmon",
                "{5770385f-c22a-43e0-bf4c-06f5698ffbd9}",
                "MICROSOFT-WINDOWS-SYSMON/OPERATIONAL",
            ),
            ("Microsoft-Windows-Security-Auditing", "{54849625-5478-4994-A5BA-3E3B0328C30D}", "security"),
            (
                "Microsoft-Windows-PowerShell",
                "{A0C1853B-5C40-4B15-8766-3CF1C58F985A}",
                "Microsoft-Windows-PowerShell/Operational",
            ),
        ] {
            let found = mappings.by_name.get(name);
            assert!(found.is_some(), "{name}");
            assert_eq!(mappings.by_guid.get(guid), found);
            assert_eq!(mappings.by_channel.get(channel), found);
        }
    }

    /// Fields that neither ECS nor quell's own table of fields beyond ECS knows would be unknown to every rule.
    #[test]
    fn fields_are_those_of_the_schema_and_lists_where_it_has_lists() {
        let schema = EcsSchema::new();
        for (field, list) in Mappings::embedded().fields() {
            let info = schema.field(field).unwrap_or_else(|| panic!("{field} is in no schema"));
            assert!(list || !info.array, "{field} is a list");
        }
    }

    /// What a plan would leave out in silence.
    #[test]
    fn a_field_that_is_joined_has_a_single_row_that_joins_none() {
        let mappings = Mappings::embedded();
        let tables = mappings.providers.iter().flat_map(|of| of.events.values().chain([&of.every]));
        let named = |row: &Row| -> Vec<String> {
            let ways = row.groups.iter().flat_map(|group| &group.alternatives);
            let names = ways.flat_map(|way| match &way.source {
                Source::Joined(names) => names.clone(),
                _ => Vec::new(),
            });
            names.filter_map(|name| if let Name::Field(field) = name { Some(field) } else { None }).collect()
        };
        let mut seen = 0;
        for rows in tables.chain([&mappings.every]) {
            for field in rows.values().flat_map(named) {
                seen += 1;
                // Events of a provider without the field have no id to look up by.
                let Some(row) = rows.get(&field) else { continue };
                assert!(row.groups.len() == 1 && named(row).is_empty(), "{field}");
            }
        }
        assert!(seen > 0);
    }

    #[test]
    fn no_field_is_both_a_value_and_an_object() {
        let fields = Mappings::embedded().fields();
        // An object field's members are rows of their own, so that rules can read them.
        let objects = ["dns.answers", "powershell.command.invocation_details"];
        for field in fields.keys() {
            let prefix = format!("{field}.");
            let below = fields.keys().find(|other| other.starts_with(&prefix));
            assert!(below.is_none() || objects.contains(field), "{field} and {below:?}");
        }
    }
}
