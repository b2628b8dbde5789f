//! Counts of what matching did, added up over threads.

/// What one or more matchers did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatchStats {
    /// Events that were tested.
    pub events: u64,
    /// Events for which no index name could be made, so that every rule's index patterns match them. Counted only while
    /// some rule has patterns.
    pub without_index: u64,
    /// Steps whose condition was looked at, because a witness fired or they have none.
    pub candidates: u64,
    /// Hits that were left out because the rule's index patterns match none of the event's index names.
    pub other_index: u64,
    /// Hits that were left out because the event has no value for a join key of the step.
    pub without_key: u64,
    /// Tests that a limit cut short (combinations of elements, derived text), so that they may have missed a match.
    pub cut: u64,
    /// Events that some sequence, or the lineage of processes, would take but for their having no time.
    pub without_time: u64,
    /// Events that have more join keys for some step than an event takes part with.
    pub keys_cut: u64,
    /// Hits by the rule's number, less those that an exception covers.
    pub hits: Vec<u64>,
    /// Hits that an exception covers, by the exception's number.
    pub held: Vec<u64>,
}

impl MatchStats {
    /// Adds the counts of another matcher of the same engine.
    pub fn add(&mut self, other: &MatchStats) {
        self.events += other.events;
        self.without_index += other.without_index;
        self.candidates += other.candidates;
        self.other_index += other.other_index;
        self.without_key += other.without_key;
        self.cut += other.cut;
        self.without_time += other.without_time;
        self.keys_cut += other.keys_cut;
        add_each(&mut self.hits, &other.hits);
        add_each(&mut self.held, &other.held);
    }
}

fn add_each(sums: &mut Vec<u64>, more: &[u64]) {
    if sums.len() < more.len() {
        sums.resize(more.len(), 0);
    }
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum += more;
    }
}

#[cfg(test)]
mod tests {
    use super::MatchStats;

    #[test]
    fn counts_add_up() {
        let one = MatchStats { events: 1, candidates: 2, hits: vec![1], held: vec![2], ..Default::default() };
        let two = MatchStats {
            events: 3,
            cut: 1,
            keys_cut: 2,
            hits: vec![1, 5],
            held: vec![0, 1],
            ..Default::default()
        };
        let mut sum = MatchStats::default();
        sum.add(&one);
        sum.add(&two);
        let expected = MatchStats {
            events: 4,
            candidates: 2,
            cut: 1,
            keys_cut: 2,
            hits: vec![2, 5],
            held: vec![2, 1],
            ..Default::default()
        };
        assert_eq!(sum, expected);
    }
}
