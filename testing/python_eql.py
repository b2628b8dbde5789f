"""Answers EQL queries with the Python implementation, `eql` on PyPI.

Reads a JSON object a line, {"queries": [text], "events": [document]}, and writes a list a line, of each query the results,
[[id]] with the `_id` of every event, or the text of an error. A document carries what that implementation reads beside its
fields: `event_type` and `timestamp`, in milliseconds. Events of equal time keep their order, as quell keeps that of the input.
"""

import faulthandler
import json
import sys

import eql

SECONDS_A_LINE = 20


def results(query, events):
    # Elasticsearch's syntax of this implementation; its meaning stays its own. Its optimizer is wrong in places: it makes
    # `x in ("a", "b") or x != "c"` to `x in ("a", "b", "c")`.
    with eql.parser.elasticsearch_syntax, eql.parser.allow_runs, eql.parser.skip_optimizations:
        query = eql.parse_query(query)
    engine = eql.PythonEngine({"time_unit": 1000})
    engine.add_query(query)
    found = []
    engine.add_output_hook(found.append)
    engine.stream_events(events)
    return [[event.data["_id"] for event in result.events] for result in found]


def answer(query, events):
    try:
        return results(query, events)
    except Exception as error:
        return "{}: {}".format(type(error).__name__, error)


for line in sys.stdin:
    case = json.loads(line)
    events = [eql.Event.from_data(document) for document in case["events"]]
    events.sort(key=lambda event: event.time)
    # What hangs ends the process, which the reader notices.
    faulthandler.dump_traceback_later(SECONDS_A_LINE, exit=True)
    answers = [answer(query, events) for query in case["queries"]]
    faulthandler.cancel_dump_traceback_later()
    print(json.dumps(answers), flush=True)
