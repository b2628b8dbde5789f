//! The shape of the records before: which key came after which, and what became of it.
//!
//! Records of one source have the same keys in nearly the same order. A key that comes where it came last time is known
//! by one comparison with its remembered text, quotes and colon and all; its end is not looked for and its node not
//! looked up. What is remembered is only ever a guess that the text confirms.

use crate::scan::Lanes;

/// Keys longer than this, quotes and colon included, are not remembered.
const LONGEST: usize = 32;
/// How many keys are remembered; a further one takes the place of an older.
const STEPS: usize = 4096;

/// The number of a remembered key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StepId(u16);

impl StepId {
    /// A step that never comes: before the first key of a record, and in place of what cannot be remembered.
    pub(crate) const NONE: StepId = StepId(0);

    #[inline(always)]
    fn index(self) -> usize {
        usize::from(self.0) % STEPS
    }
}

/// A key within a node of the projection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// The key with its quotes and the colon.
    text: [u8; LONGEST],
    /// One bit a byte of the text.
    bits: u32,
    /// The node that the key is looked up in.
    node: u32,
    /// What was found there.
    pub(crate) child: Option<u32>,
    /// The key that came after it in its object.
    next: StepId,
    /// The key that came first in the object that is its value.
    inner: StepId,
}

impl Step {
    const EMPTY: Step = Step {
        text: [0; LONGEST],
        bits: 0,
        node: u32::MAX,
        child: None,
        next: StepId::NONE,
        inner: StepId::NONE,
    };

    /// How long the text is.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.bits.count_ones() as usize
    }
}

/// What is remembered for one projection.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    /// The projection's number.
    owner: u64,
    /// Empty until a record is read; then of fixed length. Step 0 stays empty.
    steps: Vec<Step>,
}

/// Where a key came.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// First in the object that is this step's value.
    Inside(StepId),
    /// After this step.
    Behind(StepId),
}

impl Shape {
    /// Makes ready for a projection: what was remembered for another one is forgotten.
    pub(crate) fn begin(&mut self, owner: u64) {
        if self.owner != owner {
            self.owner = owner;
            self.steps.clear();
            self.steps.resize(STEPS, Step::EMPTY);
        }
    }

    /// The step that came at this place last time, if the text that stands here says the same.
    #[inline(always)]
    pub(crate) fn guess(&self, place: Place, node: u32, here: &[u8]) -> Option<(StepId, &Step)> {
        let id = match place {
            Place::Inside(step) => self.steps.get(step.index())?.inner,
            Place::Behind(step) => self.steps.get(step.index())?.next,
        };
        let step = self.steps.get(id.index())?;
        let (low, high) = here.first_chunk::<LONGEST>()?.split_first_chunk::<16>()?;
        let (step_low, step_high) = step.text.split_first_chunk::<16>()?;
        let equal = Lanes::load(low).equal_bits(Lanes::load(step_low))
            | (Lanes::load(high.first_chunk()?).equal_bits(Lanes::load(step_high.first_chunk()?)) << 16);
        (equal & step.bits == step.bits && step.node == node).then_some((id, step))
    }

    /// Remembers that a key came at this place. `text` is the key with its quotes, without escapes; if what stands
    /// behind it is not its colon, it is remembered in vain.
    #[inline(never)]
    pub(crate) fn learn(&mut self, place: Place, node: u32, text: &[u8], child: Option<u32>) -> StepId {
        let id = self.store(node, text, child);
        let (Place::Inside(before) | Place::Behind(before)) = place;
        if let Some(before) = self.steps.get_mut(before.index()) {
            match place {
                Place::Inside(_) => before.inner = id,
                Place::Behind(_) => before.next = id,
            }
        }
        id
    }

    fn store(&mut self, node: u32, text: &[u8], child: Option<u32>) -> StepId {
        if text.len() >= LONGEST {
            return StepId::NONE;
        }
        let mut bytes = [0; LONGEST];
        for (to, from) in bytes.iter_mut().zip(text.iter().chain(b":")) {
            *to = *from;
        }
        let mut hash = u64::from(node);
        for word in bytes.as_chunks::<8>().0 {
            hash = (hash.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        // Any place but the first.
        let place = 1 + (hash >> 32) % (STEPS as u64 - 1);
        let id = StepId(u16::try_from(place).unwrap_or_default());
        if let Some(step) = self.steps.get_mut(id.index())
            && (step.node != node || step.text != bytes)
        {
            let bits = u32::MAX >> (LONGEST - 1 - text.len());
            *step = Step { text: bytes, bits, node, child, next: StepId::NONE, inner: StepId::NONE };
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, STEPS, Shape, StepId};

    const TAIL: &str = "                                ";

    fn guess(shape: &Shape, place: Place, node: u32, here: &str) -> Option<(StepId, Option<u32>, usize)> {
        shape
            .guess(place, node, (here.to_owned() + TAIL).as_bytes())
            .map(|(id, step)| (id, step.child, step.len()))
    }

    #[test]
    fn a_guess_holds_only_where_place_node_and_text_agree() {
        let mut shape = Shape::default();
        assert_eq!(guess(&shape, Place::Inside(StepId::NONE), 0, r#""a":"#), None);
        shape.begin(1);
        let top = Place::Inside(StepId::NONE);
        assert_eq!(guess(&shape, top, 0, r#""a":"#), None);
        let a = shape.learn(top, 0, br#""a""#, Some(7));
        let b = shape.learn(Place::Behind(a), 0, br#""bcd""#, None);
        let c = shape.learn(Place::Inside(a), 7, br#""c""#, Some(8));
        assert_eq!(guess(&shape, top, 0, r#""a":1"#), Some((a, Some(7), 4)));
        assert_eq!(guess(&shape, Place::Behind(a), 0, r#""bcd":{"#), Some((b, None, 6)));
        assert_eq!(guess(&shape, Place::Inside(a), 7, r#""c":1"#), Some((c, Some(8), 4)));
        for (place, node, here) in [
            (top, 1, r#""a":1"#),
            (top, 0, r#""a" :1"#),
            (top, 0, r#""b":1"#),
            (top, 0, r#"a":1"#),
            (Place::Behind(a), 0, r#""bcde":1"#),
            (Place::Behind(b), 0, r#""a":1"#),
        ] {
            assert_eq!(guess(&shape, place, node, here), None, "{here}");
        }
        assert!(shape.guess(top, 0, br#""a":1"#).is_none(), "too near the end to compare");
        shape.begin(2);
        assert_eq!(guess(&shape, top, 0, r#""a":1"#), None);
    }

    #[test]
    fn only_short_keys_are_remembered() {
        let mut shape = Shape::default();
        shape.begin(1);
        for len in 1..40 {
            let key = format!("\"{}\"", "k".repeat(len));
            let id = shape.learn(Place::Inside(StepId::NONE), 0, key.as_bytes(), Some(1));
            assert_eq!(id == StepId::NONE, len > 29, "{len}");
            let found = guess(&shape, Place::Inside(StepId::NONE), 0, &format!("{key}:"));
            assert_eq!(found.map(|(_, _, len)| len), (len <= 29).then_some(len + 3), "{len}");
        }
    }

    #[test]
    fn any_number_of_keys_takes_the_same_room() {
        let mut shape = Shape::default();
        shape.begin(1);
        let mut last = StepId::NONE;
        for n in 0..100_000 {
            last = shape.learn(Place::Behind(last), n % 7, format!("\"{n}\"").as_bytes(), Some(n));
        }
        assert_eq!(shape.steps.len(), STEPS);
    }
}
