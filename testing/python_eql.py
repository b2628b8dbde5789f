"""Answers EQL queries with the Python implementation, `eql` on PyPI.

Reads a JSON object a line, {"query": text, "events": [document]}, and writes one a line: {"results": [[id]]}, the `_id` of
each event of each result, or {"error": text}. A document carries what that implementation reads beside its fields: `event_type`
and `timestamp`, in milliseconds. Events of equal time keep their order, as quell keeps that of the input.
"""

import faulthandler
import json
import sys

import eql

SECONDS_A_CASE = 20


def results(query, documents):
    # Elasticsearch's syntax of this implementation; its meaning stays its own. Its optimizer is wrong in places: it makes
    # `x in ("a", "b") or x != "c"` to `x in ("a", "b", "c")`.
    with eql.parser.elasticsearch_syntax, eql.parser.allow_runs, eql.parser.skip_optimizations:
        query = eql.parse_query(query)
    engine = eql.PythonEngine({"time_unit": 1000})
    engine.add_query(query)
    found = []
    engine.add_output_hook(found.append)
    events = [eql.Event.from_data(document) for document in documents]
    engine.stream_events(sorted(events, key=lambda event: event.time))
    return [[event.data["_id"] for event in result.events] for result in found]


for line in sys.stdin:
    case = json.loads(line)
    # A case that hangs ends the process, which the reader notices.
    faulthandler.dump_traceback_later(SECONDS_A_CASE, exit=True)
    try:
        answer = {"results": results(case["query"], case["events"])}
    except Exception as error:
        answer = {"error": "{}: {}".format(type(error).__name__, error)}
    faulthandler.cancel_dump_traceback_later()
    print(json.dumps(answer), flush=True)
