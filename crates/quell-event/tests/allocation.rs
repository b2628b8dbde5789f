//! Once its buffers have grown, a projection allocates nothing.

#![allow(unsafe_code, reason = "a global allocator cannot be written without")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../../testing/counting_allocator.rs"]
mod counting_allocator;

use counting_allocator::allocations;
use quell_event::{EventState, ProjectionBuilder, Want};

#[test]
fn a_second_projection_allocates_nothing() {
    let mut builder = ProjectionBuilder::new();
    for (slot, path) in
        ["process.args", "process.command_line", "user", "a.b", "list.of.numbers"].iter().enumerate()
    {
        builder.add(path, slot, Want::Subtree);
    }
    let projection = builder.build();
    let records = [
        r#"{"process":{"args":["a","b\n","c\\d"],"command_line":"\u0061\\\\b","pid":7,"x":[{"y":1}]},"user":{"a":1}}"#,
        r#"{"list.of":[{"numbers":[1,2,-3.5,18446744073709551615]}],"\u0061":{"b":true},"skipped":[[[["\\"]]]]}"#,
        r#"{"process.args":"x","user":null,"unseen_key":"value","another":{"and":"another"}}"#,
    ];
    let mut state = EventState::default();
    let mut counts = [0; 3];
    for count in &mut counts {
        let before = allocations();
        for record in records {
            state.begin(5, 5);
            projection.project(record, &mut state).unwrap();
        }
        *count = allocations() - before;
    }
    assert!(counts[0] > 0, "the allocator counts");
    assert_eq!(counts[1..], [0, 0]);
}
