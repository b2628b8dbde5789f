"""Answers EQL queries with the Python implementation, `eql` on PyPI.

Reads a JSON object a line, {"queries": [text], "dialect": name, "events": [document]}, and writes a list a line, of each query the
results, [[id]] with the `_id` of every event, or the text of an error. Behind the ids stand, as JSON text, the counts that pipes
made. The dialect is "endgame", or this implementation's form of Elasticsearch's. A document carries what that implementation reads beside its
fields: `event_type` and `timestamp`, in milliseconds. Events of equal time keep their order, as quell keeps that of the input.
"""

import faulthandler
import json
import sys

import eql

SECONDS_A_LINE = 20


# What `count` and `unique_count` make.
MADE = ("count", "hosts", "key", "percent", "total_hosts")


def parsed(query, dialect):
    if dialect == "endgame":
        with eql.parser.skip_optimizations:
            return eql.parse_query(query)
    # Elasticsearch's syntax of this implementation; its meaning stays its own. Its optimizer is wrong in places: it makes
    # `x in ("a", "b") or x != "c"` to `x in ("a", "b", "c")`.
    with eql.parser.elasticsearch_syntax, eql.parser.allow_runs, eql.parser.skip_optimizations:
        return eql.parse_query(query)


def result(events):
    ids = [event.data["_id"] for event in events if "_id" in event.data]
    made = {name: events[0].data[name] for name in MADE if name in events[0].data}
    if "key" in made:
        # It writes null as the empty value of its kind.
        key = made["key"]
        made["key"] = [part or None for part in key] if isinstance(key, (list, tuple)) else key or None
    if made:
        ids.append(json.dumps(made, sort_keys=True, separators=(",", ":")))
    return ids


def results(query, dialect, events):
    query = parsed(query, dialect)
    engine = eql.PythonEngine({"time_unit": 1000})
    engine.add_query(query)
    found = []
    engine.add_output_hook(found.append)
    engine.stream_events(events)
    return [result(output.events) for output in found]


def answer(query, dialect, events):
    try:
        return results(query, dialect, events)
    except Exception as error:
        return "{}: {}".format(type(error).__name__, error)


for line in sys.stdin:
    case = json.loads(line)
    events = [eql.Event.from_data(document) for document in case["events"]]
    events.sort(key=lambda event: event.time)
    # What hangs ends the process, which the reader notices.
    faulthandler.dump_traceback_later(SECONDS_A_LINE, exit=True)
    answers = [answer(query, case["dialect"], events) for query in case["queries"]]
    faulthandler.cancel_dump_traceback_later()
    print(json.dumps(answers), flush=True)
