//! Codes of Kibana's query language and Lucene query strings: lexical (E003x), syntax (E016x), names and values (E024x, W024x).

codes! {
    QUERY_UNCLOSED_QUOTE = "E0031" Error "unclosed quote"
"A quote in a KQL or Lucene query has no end.

    process.name: \"cmd.exe

Close it. A backslash before the last quote escapes it: write `\\\\` for a backslash at the end of a text.";
    QUERY_ESCAPE = "E0032" Error "unknown escape outside quotes"
"Outside quotes a backslash stands before a sign that would otherwise mean something: in KQL `\\ ( ) : < > \" * { }`, `or`,
`and`, `not`, and in `\\t \\r \\n` and `\\u` with four digits; in Lucene before any character.

    process.executable: C\\:\\Windows\\*

Double the backslash, `C\\:\\\\Windows\\\\*`.";
    QUERY_UNEXPECTED = "E0160" Error "unexpected sign in a query"
"The KQL or Lucene query is well-formed up to here, but this cannot follow. The label says what could.

    process.name: (cmd.exe powershell.exe) user.name: x

In KQL conditions are joined by `and` and `or`, with blanks around them, and `not` has a blank behind it. Text with signs or
with the words `and`, `or`, `not` in it stands in double quotes.";
    QUERY_UNCLOSED = "E0161" Error "bracket never closed in a query"
"A parenthesis, brace or bracket of a KQL or Lucene query has no end.

    process.name: (cmd.exe or powershell.exe

Close it.";
    LUCENE_UNSUPPORTED = "E0163" Error "fuzzy search is not supported"
"`term~` finds words that are spelled alike and `\"a b\"~5` words that stand near each other: quell compares exactly.

    process.name:nmap~2

Write the spellings that are meant: `process.name:(nmap OR nmpa)`.";
    QUERY_NULL = "E0240" Error "`null` as a value"
"No field holds the value null, so a KQL query cannot ask for it.

    user.name: null

Write `not user.name: *` for events without the field, and `\"null\"` for the text.";
    WILDCARD_TYPE = "E0241" Error "wildcard on a field that is no text"
"Wildcards and regular expressions are for texts; Elasticsearch refuses them on numbers, addresses, dates and booleans.

    source.ip: 10.*

Write a block, `source.ip: \"10.0.0.0/8\"`, or a range, `destination.port >= 8000`. `field: *` asks whether there is a value.";
    RELATIVE_DATE = "E0242" Error "relative date without a clock"
"`now-5m` counts from the moment in which the query runs. What quell reads is seldom of today, and its results are the same
whenever it runs, so such a date has no meaning here.

    @timestamp >= now-5m

Write an instant, `@timestamp >= \"2024-05-01T10:00:00Z\"`, or leave the time to `--since` and `--until`.";
    RANGE_NOT_POSSIBLE = "E0243" Error "range that cannot be compared"
"A range needs a field of one type with an order, and a value without wildcards: analysed text has no order, nor has
every field at once.

    message > \"a\"

Use a keyword field, or a value.";
    NOT_NESTED = "E0244" Error "not a nested object"
"`field:{ … }` searches the objects of a nested field one by one; this field is not mapped as nested.

    process:{ name: cmd.exe }

Write the whole names: `process.name: cmd.exe`.";
    NOT_IN_NESTED = "E0245" Error "not possible within a nested object"
"Within `field:{ … }` conditions name members of the object; free text and patterns of names are not supported there.

    process.pe.sections:{ upx }

Name the member: `process.pe.sections:{ name: upx }`.";
    NO_TERMS = "W0246" Warning "value without a word"
"The field is analysed text, split into words, and the value holds none: it matches no event.

    message: \"...\"

Write a word of the text.";
    PATTERN_ON_TEXT = "W0247" Warning "pattern that no word can match"
"The field is analysed text, and a wildcard is held against one word of it at a time. This pattern needs a character that
no word holds.

    powershell.file.script_block_text: *Net.Sockets*

Write a phrase, whose words stand next to each other: `\"Net.Sockets\"`.";
    NESTED_OUTSIDE = "W0248" Warning "member of a nested object outside of it"
"Members of nested objects are found within `field:{ … }` alone; elsewhere the condition matches no event, as in Kibana.

    process.pe.sections.name: upx

Write `process.pe.sections:{ name: upx }`.";
    LUCENE_MIXED = "W0249" Warning "optional clause beside required ones"
"Lucene has no precedence of AND and OR: AND makes the clauses on both sides required, and beside required clauses the others
are optional and change nothing.

    user.name:a OR user.name:b AND host.name:c

Put parentheses: `(user.name:a OR user.name:b) AND host.name:c`.";
    LUCENE_BOOST = "W0250" Warning "boost has no effect"
"`^2` raises a score. Rules and quell do not score.

    user.name:root^2

Remove it.";
    PATH_ESCAPE = "W0251" Warning "escape within what looks like a path"
"In double quotes `\\t`, `\\n` and `\\r` are a tab and line breaks, also in the middle of a path, where a backslash before another
letter is itself.

    process.executable: \"C:\\Windows\\notepad.exe\"

Double every backslash: `\"C:\\\\Windows\\\\notepad.exe\"`.";
}
