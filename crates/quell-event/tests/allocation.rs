//! Once its buffers have grown, a projection allocates nothing.

#![allow(unsafe_code, reason = "a global allocator cannot be written without")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use quell_event::{EventState, ProjectionBuilder, Want};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counting by thread.
struct Counting;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

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
        let before = ALLOCATIONS.with(Cell::get);
        for record in records {
            state.begin(5, 5);
            projection.project(record, &mut state).unwrap();
        }
        *count = ALLOCATIONS.with(Cell::get) - before;
    }
    assert!(counts[0] > 0, "the allocator counts");
    assert_eq!(counts[1..], [0, 0]);
}
