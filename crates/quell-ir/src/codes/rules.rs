//! Codes of rule files and rule sets (E03xx, W03xx).

codes! {
    NOT_A_RULE = "E0301" Error "not a rule"
"The file holds no rule in a form that quell reads: Elastic's rule TOML, a Kibana rule export (NDJSON), an Endpoint
behaviour rule (TOML), or a bare EQL query (`.eql`).";
    RULES_UNREADABLE = "E0302" Error "rule file cannot be read"
"The file or folder does not exist or may not be opened, or links lead round in a circle. All other files were read.

Check the path and its permissions.";
    MALFORMED_TOML = "E0303" Error "malformed TOML"
"The file looks like a rule but is no valid TOML, so nothing of it could be read.

    [rule]
    name = Port scan

A text needs quotes: `name = \"Port scan\"`. A query is best written between `'''` and `'''`, where a backslash is a
backslash.";
    MALFORMED_JSON = "E0304" Error "malformed JSON"
"A line of a Kibana export is no valid JSON. The other lines were read.

    {\"rule_id\": \"a\", \"name\": }

Export the rules again, or correct the line.";
    MISSING_RULE_FIELD = "E0305" Error "rule field is missing"
"Elastic's rule schema requires this field, for every rule or for rules of this type.

    [rule]
    type = \"eql\"
    language = \"eql\"

An EQL rule without a `query` looks for nothing. Add the field.";
    RULE_FIELD_TYPE = "E0306" Error "rule field has the wrong type"
"A field of a rule holds another kind of value than Elastic's rule schema says.

    risk_score = \"47\"

Write it as the schema has it: `risk_score = 47`.";
    RULE_FIELD_VALUE = "E0307" Error "rule field has a value that is not allowed"
"The field takes one of a few words, or a number or a list within bounds, and this is none of them.

    severity = \"severe\"

Use an allowed value: `severity = \"high\"`.";
    RULE_LANGUAGE = "E0308" Error "language does not fit the rule type"
"Each rule type has its query languages: `eql` rules are written in `eql`, `esql` rules in `esql`, all other rules with
a query in `kuery` or `lucene`.

    type = \"eql\"
    language = \"kuery\"

Correct the one that is wrong.";
    RULE_FILE_TOO_LARGE = "E0309" Error "rule file is too large"
"Rule files are read up to a limit: 2 MiB for TOML, 1 MiB for a bare query, 64 MiB for a Kibana export, and 50,000 files
or 1 GiB in all. What is beyond was not read.

Check that the path is the one you meant, or split the export.";
    RULE_FILE_NOT_UTF8 = "E0310" Error "rule file is not UTF-8"
"TOML, JSON and EQL are UTF-8 text, and this file holds bytes that are not.

Save it as UTF-8.";
    UNKNOWN_RULE_SET = "E0311" Error "no such rule path or set"
"`--rules` takes the path of a file or folder, or the name of an embedded set. A path that exists comes first; this is
neither.

    quell scan --rules t1064 logs/

`quell rules list` names the embedded sets.";
    NO_RULES = "E0312" Error "no rules found"
"The folder, with all below it, holds no file with a rule. Files that end in `.toml`, `.ndjson`, `.json` or `.eql` were
looked at.

Check the path.";
    NOTHING_SELECTED = "E0313" Error "selection matches no rule"
"A value of `--rule`, `--tag`, `--technique` or `--exclude` matches no rule of the loaded set, so it has no effect, which
is rarely what was meant. `--rule` and `--exclude` take a rule's id or its name, `--tag` a tag, `--technique` an id such
as `T1046` or `TA0007`; all compare without case, and `*` and `?` are wildcards.

    quell scan --technique T1064 logs/

Correct the value; `quell rules list` shows what there is.";
    SELECTION_EMPTY = "E0314" Error "no rule fulfils the whole selection"
"Every value of the selection matches some rule, but no rule fulfils all of it together: a rule must match one value of
each option that is given and none of `--exclude`.

    quell scan --rule 'Port scan' --tag 'OS: macOS' logs/

Leave one of the options out.";
    EXCEPTION_MALFORMED = "E0315" Error "malformed exception"
"An exception is not in its form, and is left out. It needs an `item_id` (or a name), the `list_id` that rules name (in TOML
`rules` may stand instead), and entries, each with `field`, `operator` (included, excluded), `type` (match, match_any,
exists, wildcard, list, nested) and what its type asks for.

    [[item]]
    name = \"Inventory server\"
    rules = [\"*\"]
    entries = [{ field = \"host.name\", operator = \"included\", type = \"match\", value = \"inv-01\" }]

Correct what the message names.";
    EXCEPTION_UNREADABLE = "E0316" Error "file of exceptions cannot be used"
"A file or folder that `--exceptions` names cannot be read, is too large, or holds no exception.

Check the path. What Kibana exports is read (NDJSON), and TOML with `[[item]]`.";
    VALUE_LIST_UNREADABLE = "E0317" Error "value list cannot be read"
"A file that `--value-list` names cannot be read, is too large, or is not UTF-8.

A value list is a file with one value a line.";
    WINDOW_MALFORMED = "E0318" Error "maintenance window cannot be used"
"A maintenance window is not in its form, its file cannot be read, or its scope cannot be asked; it marks no alert. A window
needs a title, a duration, and when it starts.

    [[window]]
    title = \"Patch night\"
    start = \"2024-03-05T22:00:00\"
    timezone = \"Europe/Berlin\"
    rrule = \"FREQ=WEEKLY;BYDAY=TU\"
    duration = \"4h\"
    scope = 'host.name: \"inv-01\"'

Correct what the message names. What Kibana's API gives is read too, as JSON.";
    DUPLICATE_RULE = "W0320" Warning "rule id given twice"
"Two rules have the same id. An id is what alerts, exceptions and updates refer to, so it must be unique. The first rule,
in the order of the paths given and of file names within a folder, is used; the other is left out. (Endpoint rules count
apart from all others, and one that is written once for each operating system is not a duplicate.)

Remove one of the two, or give it an id of its own.";
    EXCEPTIONS_NOT_APPLIED = "W0321" Warning "exceptions are not applied"
"The exception cannot be applied, so rules may find events that Kibana would leave out. The message says why: a value list
that is not given, a value that its field cannot have, a test that quell does not know.

    { \"field\": \"process.pid\", \"operator\": \"included\", \"type\": \"match\", \"value\": \"nmap\" }

Correct the exception, or give the value list with `--value-list NAME=FILE`.";
    UNKNOWN_EXPORT_LINE = "W0322" Warning "line of a Kibana export is no rule"
"The line is valid JSON, but is neither a rule nor an exception list, an exception item, a connector, or the counts of the
last line. It was left out.

    {\"hello\": \"world\"}

If it should be a rule: a rule has at least `rule_id`, or `risk_score` and `severity`.";
    EXPORT_COUNT = "W0323" Warning "export holds another number of rules than it says"
"The last line of a Kibana export counts its rules, and the file does not hold that many. It may be cut off, or rules may
have been added or removed by hand.

Export the rules again, or correct the count.";
    TOO_MANY_FINDINGS = "W0324" Warning "more findings than are shown"
"At most 100 findings are kept of reading one file, and of checking one rule.

Correct those that are shown and check again.";
    METADATA_FORM = "W0325" Warning "metadata is not in its form"
"The `[metadata]` of a rule file does not follow the form of Elastic's rule repository. It says nothing of what the rule
looks for, so the rule runs.

    maturity = \"done\"

Dates are written `YYYY/MM/DD`; `maturity` is `development`, `experimental`, `beta`, `production` or `deprecated`.";
    RULE_ID_FORM = "W0330" Warning "rule id is no lower-case UUID"
"Elastic's rule repository takes lower-case UUIDs alone as `rule_id`.

    rule_id = \"Port-Scan\"

Make one, for example with `uuidgen`, and write it in lower case.";
    RULE_NAME_FORM = "W0331" Warning "rule name is not in its form"
"A name starts with a letter or digit and ends with a letter, a digit, `]` or `)`: no full stop, no space at the ends.

    name = \"Port scan.\"

Correct the name.";
    INTERVAL_FORM = "W0332" Warning "interval is not in its form"
"`interval` is a whole number and one of the units `s`, `m`, `h` and `d`.

    interval = \"5 min\"

Write `interval = \"5m\"`.";
    FROM_FORM = "W0333" Warning "`from` is no date math"
"`from` and `to` say how far back a run looks, as date math from now on.

    from = \"9m\"

Write `from = \"now-9m\"`.";
    LOOKBACK_GAP = "W0334" Warning "rule does not look back over its interval"
"The rule runs once an interval but looks back less far than that, so events in between are never looked at.

    interval = \"10m\"
    from = \"now-5m\"

Let `from` reach back at least one interval, and somewhat more for events that arrive late.";
    SEVERITY_AND_RISK = "W0335" Warning "severity and risk score do not fit"
"Elastic pairs the severities with ranges of the risk score: `low` 0 to 21, `medium` 22 to 47, `high` 48 to 73,
`critical` 74 to 100. This rule says two different things about how bad it is.

    severity = \"low\"
    risk_score = 99

Change one of the two.";
    THREAT_REFERENCE = "W0336" Warning "ATT&CK reference does not fit its id"
"The reference of a tactic or technique is its page on attack.mitre.org, with a slash at the end.

    id = \"T1046\"
    reference = \"https://attack.mitre.org/techniques/T1064\"

Write `https://attack.mitre.org/techniques/T1046/`; a tactic's is `https://attack.mitre.org/tactics/TA0007/`, a
sub-technique's `https://attack.mitre.org/techniques/T1059/001/`.";
    SUBTECHNIQUE_PLACE = "W0337" Warning "sub-technique under another technique"
"A sub-technique's id is its technique's id, a dot and three digits, and it stands under that technique.

    [[rule.threat.technique]]
    id = \"T1046\"
    [[rule.threat.technique.subtechnique]]
    id = \"T1059.001\"

Move it, or correct one of the ids.";
    LOOKBACK_MAXSPAN = "W0338" Warning "rule does not look back over its maxspan"
"The sequence may last longer than a run looks back, so the first event of a long one is already out of sight when the
last one comes.

    from = \"now-5m\"
    query = \"sequence with maxspan=1h [process where true] [network where true]\"

Let `from` reach back at least `maxspan`, or shorten `maxspan`.";
    DEFAULT_LANGUAGE = "W0339" Warning "language is not given"
"The rule says its type but not the language of its query. quell takes the type's usual one; Kibana refuses an `eql` or
`esql` rule without `language`.

Add it, for example `language = \"eql\"`.";
    EXCEPTIONS_UNUSED = "W0341" Warning "exception list that no rule has"
"No rule of this run names the list of an exception, so the exception holds nothing back.

    [[item]]
    list_id = \"no-rule-has-it\"

A rule names its lists in `exceptions_list`. A TOML item may name rules itself: `rules = [\"rule id\"]`, or `[\"*\"]` for all.";
}
