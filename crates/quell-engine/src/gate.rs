//! Discriminators: fields with few values by which steps are set apart before any witness is looked for.
//!
//! An event's values of such a field are a mask of bits, a step's gate is the mask of the values that it takes. Where a
//! gate says all that a conjunct says, the conjunct is dropped from the step's condition.

use quell_event::{Event, FieldSet, Slot};
use quell_ir::printed::Printed;
use quell_ir::{Case, Condition, FieldRef, Predicate};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// The fields, most telling first.
const FIELDS: [&str; 3] = ["event.category", "event.type", "host.os.type"];

/// A gate that lets every event through.
const OPEN: u64 = u64::MAX;

/// The bit of an event that has no value in the field.
const ABSENT: u64 = 1;

/// Values with a bit of their own: all but that of `ABSENT` and the topmost, which keeps `OPEN` apart.
const MOST_VALUES: usize = 62;

/// Which events a step takes, by each discriminator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Gate([u64; FIELDS.len()]);

/// What an event has in the discriminators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Masks([u64; FIELDS.len()]);

/// The values that gates ask for.
#[derive(Debug, Default)]
pub(crate) struct Discriminators {
    fields: [Discriminator; FIELDS.len()],
}

#[derive(Debug, Default)]
struct Discriminator {
    /// Where some gate asks for the field.
    slot: Option<Slot>,
    bits: FxHashMap<Arc<str>, u64>,
}

impl Gate {
    /// What tells gates apart, in an order.
    pub(crate) fn key(&self) -> Vec<u64> {
        self.0.to_vec()
    }

    pub(crate) fn admits(&self, masks: &Masks) -> bool {
        self.0.iter().zip(&masks.0).all(|(gate, mask)| *gate == OPEN || gate & mask != 0)
    }
}

impl Discriminators {
    /// Takes out of `conjuncts` what a gate can say instead: of each field the first test of exact values.
    pub(crate) fn gate(&mut self, conjuncts: &mut Vec<Condition>, fields: &mut FieldSet) -> Gate {
        let mut gate = Gate([OPEN; FIELDS.len()]);
        conjuncts.retain(|conjunct| {
            let Some(asked) = Asked::by(conjunct) else { return true };
            let places = FIELDS.iter().zip(&mut self.fields).zip(&mut gate.0);
            for ((name, discriminator), mask) in places {
                if *asked.field.path == **name && *mask == OPEN {
                    match discriminator.mask(&asked, fields) {
                        Some(found) => {
                            *mask = found;
                            return false;
                        }
                        None => return true,
                    }
                }
            }
            true
        });
        gate
    }

    /// What an event has in the fields that gates ask for.
    pub(crate) fn masks(&self, event: &mut Event<'_>) -> Masks {
        let mut masks = Masks::default();
        for (discriminator, mask) in self.fields.iter().zip(&mut masks.0) {
            let Some(slot) = discriminator.slot else { continue };
            let values = event.values(slot);
            let mut absent = true;
            let mut printed = Printed::default();
            for value in values.iter() {
                if let Some(text) = printed.text(value) {
                    absent = false;
                    *mask |= discriminator.bits.get(text).copied().unwrap_or(0);
                }
            }
            if absent {
                *mask = ABSENT;
            }
        }
        masks
    }
}

impl Discriminator {
    /// The mask of the values, unless there are more values than bits.
    fn mask(&mut self, asked: &Asked<'_>, fields: &mut FieldSet) -> Option<u64> {
        let new = asked.values.iter().filter(|value| !self.bits.contains_key(**value)).count();
        if self.bits.len() + new > MOST_VALUES {
            return None;
        }
        let mut mask = if asked.or_absent { ABSENT } else { 0 };
        for value in &asked.values {
            let next = ABSENT << (self.bits.len() + 1);
            mask |= *self.bits.entry(Arc::clone(value)).or_insert(next);
        }
        self.slot = Some(fields.intern(&asked.field.path));
        Some(mask)
    }
}

/// A conjunct that asks for exact values of one field, or for its absence beside them.
struct Asked<'c> {
    field: &'c FieldRef,
    values: Vec<&'c Arc<str>>,
    or_absent: bool,
}

impl<'c> Asked<'c> {
    fn by(condition: &'c Condition) -> Option<Asked<'c>> {
        match condition {
            Condition::Leaf(leaf) => match &leaf.predicate {
                Predicate::Keyword { field, values, case: Case::Sensitive } => {
                    Some(Asked { field, values: values.iter().collect(), or_absent: false })
                }
                _ => None,
            },
            Condition::Not(inner) => match &**inner {
                Condition::Leaf(leaf) => match &leaf.predicate {
                    Predicate::Exists(field) => Some(Asked { field, values: Vec::new(), or_absent: true }),
                    _ => None,
                },
                _ => None,
            },
            Condition::Or(parts) => {
                let mut parts = parts.iter().map(Asked::by);
                let mut all = parts.next()??;
                for part in parts {
                    let part = part?;
                    if part.field.path != all.field.path || part.field.scope != all.field.scope {
                        return None;
                    }
                    all.values.extend(part.values);
                    all.or_absent |= part.or_absent;
                }
                Some(all)
            }
            Condition::Constant(_) | Condition::And(_) => None,
        }
        .filter(|asked| asked.field.scope == quell_ir::Scope::Event)
    }
}

#[cfg(test)]
mod tests {
    use super::{Discriminators, MOST_VALUES};
    use quell_event::{Event, EventState, FieldSet, ProjectionBuilder, Want};
    use quell_ir::{Case, Condition, FieldRef, FieldType, Predicate, Span};

    fn equals(path: &str, values: &[&str]) -> Condition {
        let values = values.iter().map(|value| (*value).into()).collect();
        let field = FieldRef::event(path, FieldType::Keyword);
        Condition::leaf(Predicate::Keyword { field, values, case: Case::Sensitive }, Span::default())
    }

    fn absent(path: &str) -> Condition {
        let exists = Predicate::Exists(FieldRef::event(path, FieldType::Keyword));
        Condition::Not(Box::new(Condition::leaf(exists, Span::default())))
    }

    fn admits(conjuncts: &[Condition], record: &str) -> bool {
        let mut discriminators = Discriminators::default();
        let mut fields = FieldSet::default();
        let mut rest = conjuncts.to_vec();
        let gate = discriminators.gate(&mut rest, &mut fields);
        assert!(rest.is_empty(), "{rest:?}");
        let mut builder = ProjectionBuilder::new();
        for (slot, name) in fields.iter() {
            builder.add(name, slot.index(), Want::Scalars);
        }
        let mut state = EventState::default();
        state.begin(fields.len(), 0);
        builder.build().project(record, &mut state).unwrap();
        gate.admits(&discriminators.masks(&mut Event::new(record, &mut state, None)))
    }

    #[test]
    fn gates_answer_as_their_conjuncts() {
        let process = equals("event.category", &["process"]);
        let start = equals("event.type", &["info", "start"]);
        let windows = Condition::Or(vec![equals("host.os.type", &["windows"]), absent("host.os.type")]);
        let cases = [
            (vec![process.clone()], r#"{"event":{"category":["file","process"]}}"#, true),
            (vec![process.clone()], r#"{"event":{"category":"Process"}}"#, false),
            (vec![process.clone()], r"{}", false),
            (
                vec![process.clone(), start.clone()],
                r#"{"event":{"category":"process","type":["x","start"]}}"#,
                true,
            ),
            (vec![process, start], r#"{"event":{"category":"process","type":"end"}}"#, false),
            (vec![windows.clone()], r"{}", true),
            (vec![windows.clone()], r#"{"host":{"os":{"type":"windows"}}}"#, true),
            (vec![windows], r#"{"host":{"os":{"type":"linux"}}}"#, false),
            (vec![absent("host.os.type")], r#"{"host.os.type":"linux"}"#, false),
            (vec![equals("event.type", &["7", "true"])], r#"{"event.type":7}"#, true),
            (vec![equals("event.type", &["7", "true"])], r#"{"event.type":[false]}"#, false),
            (vec![], r"{}", true),
        ];
        for (conjuncts, record, expected) in cases {
            assert_eq!(admits(&conjuncts, record), expected, "{conjuncts:?} {record}");
        }
    }

    #[test]
    fn what_a_gate_cannot_say_stays() {
        let mut discriminators = Discriminators::default();
        let mut fields = FieldSet::default();
        let second = equals("event.type", &["info"]);
        let other = equals("process.name", &["a"]);
        let mixed = Condition::Or(vec![equals("event.category", &["a"]), other.clone()]);
        let mut conjuncts =
            vec![equals("event.type", &["start"]), second.clone(), other.clone(), mixed.clone()];
        discriminators.gate(&mut conjuncts, &mut fields);
        assert_eq!(conjuncts, [second, other, mixed]);

        let many: Vec<String> = (0..=MOST_VALUES).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let mut conjuncts = vec![equals("event.category", &many)];
        discriminators.gate(&mut conjuncts, &mut fields);
        assert_eq!(conjuncts.len(), 1);
        let mut conjuncts = vec![equals("event.category", many.get(1..).unwrap())];
        discriminators.gate(&mut conjuncts, &mut fields);
        assert!(conjuncts.is_empty());
    }
}
