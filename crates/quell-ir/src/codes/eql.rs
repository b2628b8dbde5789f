//! Codes of the query language: lexical (E00xx), syntax and structure (E01xx), names and types (E02xx, W02xx).

codes! {
    UNRECOGNISED_CHARACTER = "E0001" Error "unrecognised character"
"No token of the language starts with this character. Outside strings and comments a query is made of ASCII
words, numbers and operators.

    process where näme == \"x\"

Write a field name with other characters in backticks, and text in double quotes.";
    UNCLOSED_STRING = "E0002" Error "unclosed string"
"The string has no closing quote on its line; a string cannot contain a line break.

    process where process.name == \"cmd.exe

Close it. If it ends with a backslash, that backslash escaped the closing quote: write `\\\\`, or use a raw string
`\"\"\"…\"\"\"`. For a line break inside, write `\\n`.";
    UNKNOWN_ESCAPE = "E0003" Error "unknown escape in a string"
"A backslash in a string starts an escape, and only `\\b \\t \\n \\f \\r \\\" \\' \\\\` and `\\u{…}` are known.

    file where file.path == \"C:\\Windows\"

Double the backslash, `\"C:\\\\Windows\"`, or use a raw string, in which nothing is an escape: `\"\"\"C:\\Windows\"\"\"`.";
    UNICODE_ESCAPE = "E0004" Error "bad unicode escape"
"`\\u{…}` takes 2 to 8 hexadecimal digits that name a Unicode character: not above 10FFFF and no surrogate (D800
to DFFF).

    process where user.name == \"\\u{d800}\"

Correct the number; `\\u{e9}` is `é`.";
    OLD_STRING = "E0005" Error "string in an old form"
"Strings in single quotes and raw strings after a question mark belong to an older form of the language.

    process where process.name == 'cmd.exe'

Write `\"cmd.exe\"`, and a raw string as `\"\"\"C:\\Windows\"\"\"`. The Endgame dialect accepts the old forms.";
    UNCLOSED_COMMENT = "E0006" Error "unclosed comment"
"The comment that `/*` starts never ends, or too many comments open a further comment without closing it.

    process where true /* not yet

Close it with `*/`. Comments nest.";
    UNCLOSED_BACKTICK = "E0007" Error "unclosed or empty name in backticks"
"A name in backticks has no closing backtick, or nothing stands between the two.

    process where `my field == 1

Close it. A backtick inside the name is written twice.";
    NUMBER_OUT_OF_RANGE = "E0008" Error "number out of range"
"The number is larger than a floating-point number of 64 bits can hold.

    process where process.pid == 1e999

Write a smaller number.";
    STRAY_TILDE = "E0009" Error "stray tilde"
"A tilde is part of `in~`, `like~`, `regex~` and of function names such as `startsWith~`, with no space before
it; the name must start with a letter.

    process where process.name in ~ (\"a\")

Glue it to the word before it.";
    QUERY_TOO_LONG = "E0020" Error "query too long"
"The query is longer than quell reads: one mebibyte.

    …

Split it, or move long lists of values to where they belong, such as a filter on an indicator field.";
    UNEXPECTED_TOKEN = "E0101" Error "unexpected word or sign"
"The query is well-formed up to here, but this cannot follow. The label says what could.

    process where process.name ==

Look at what stands just before: often a word is missing or stands twice.";
    KEYWORD_AS_NAME = "E0102" Error "keyword used as a name"
"The words of the language are reserved everywhere: `and any by false in join like maxspan not null of or regex
sample sequence true until where with`.

    process where log.sequence == 1

Put the word in backticks: ``log.`sequence` ``.";
    UPPER_CASE_KEYWORD = "E0103" Error "keyword not in lower case"
"Keywords are lower-case only; `AND` is a field name.

    process where process.pid == 4 AND user.id == \"0\"

Write it in lower case.";
    SINGLE_EQUALS = "E0104" Error "`=` used to compare"
"A single `=` only sets `maxspan` and `runs`.

    process where process.pid = 4

Write `==`, or `:` to compare text without case.";
    CHAINED_COMPARISON = "E0105" Error "chained comparison"
"A comparison has one operator.

    process where 1 < process.pid < 5

Join two comparisons: `1 < process.pid and process.pid < 5`.";
    EMPTY_LIST = "E0106" Error "empty list"
"A list after `in`, `:`, `like` or `regex` has one member at least.

    process where process.name in ()

Write the members, or remove the condition.";
    NOT_BEFORE_PATTERN = "E0107" Error "`not` before a pattern operator"
"Only `in` has a `not` form.

    process where process.name not like \"cmd*\"

Put `not` in front: `not process.name like \"cmd*\"`.";
    QUOTED_CATEGORY = "E0108" Error "category in backticks"
"An event category with unusual characters stands in double quotes, not in backticks.

    `my category` where true

Write `\"my category\" where true`.";
    NO_CATEGORY = "E0109" Error "no category and `where`"
"A query of single events is a category, `where`, and a condition.

    process.name == \"cmd.exe\"

Write `process where process.name == \"cmd.exe\"`, or `any where …` for every category.";
    TOO_DEEP = "E0110" Error "nested too deeply"
"Parentheses, signs, `not`, calls and chains of arithmetic may stand 100 deep.

    process where ((((…))))

Remove parentheses that do nothing, or split the rule.";
    PATTERN_NOT_CONSTANT = "E0112" Error "pattern is not a constant"
"The right side of `:`, `like` and `regex` is a constant or a list of constants, never a field or a call.

    process where process.name : process.parent.name

To compare with another field, use a function such as `startsWith~`, or `==` in a dialect that allows it.";
    UNCLOSED_BRACKET = "E0113" Error "bracket never closed"
"A parenthesis or bracket is opened and the query ends before it is closed.

    process where (process.pid == 4

Close it.";
    FOREIGN_OPERATOR = "E0114" Error "operator of another language"
"This is how other languages write it.

    process where process.pid == 4 && user.id == \"0\"

Use `and`, `or`, `not`, `==`, `!=`, `:`.";
    MAXSPAN_WITHOUT_UNIT = "E0120" Error "maxspan without a unit"
"A time span is an integer and a unit.

    sequence with maxspan=30 [any where true] [any where true]

Add the unit: `ms`, `s`, `m`, `h` or `d`.";
    MAXSPAN_UNIT = "E0121" Error "maxspan with an unknown unit"
"The units are `ms`, `s`, `m`, `h` and `d`.

    sequence with maxspan=5min [any where true] [any where true]

Use one of them: `5m`.";
    MAXSPAN_DECIMAL = "E0122" Error "maxspan is no whole number"
"A time span is an integer and a unit.

    sequence with maxspan=1.5m [any where true] [any where true]

Use a smaller unit: `90s`.";
    MAXSPAN_RANGE = "E0123" Error "maxspan is not positive, or too long"
"A time span is more than nothing and at most what fits 63 bits of milliseconds.

    sequence with maxspan=0s [any where true] [any where true]

Write a positive number, or leave `with maxspan` out for no limit.";
    CLAUSE_ORDER = "E0124" Error "clauses in the wrong order"
"`by` comes before `with maxspan` and before `with runs`.

    sequence with maxspan=5s by host.id [any where true] [any where true]

Swap them: `sequence by host.id with maxspan=5s`.";
    JOIN_KEY_COUNT = "E0125" Error "different numbers of join keys"
"All steps, and `until`, have the same number of keys, since the first key of one is matched with the first of
the other.

    sequence [process where true] by process.pid [file where true]

Give every step its keys, or put a key that all share behind `sequence by`.";
    JOIN_KEY_NOT_FIELD = "E0126" Error "join key is not a field"
"A key is a field, not a constant, a call or a calculation.

    sequence by length(user.name) [any where true] [any where true]

Use a field.";
    TOO_FEW_STEPS = "E0127" Error "too few steps"
"A sequence or sample has two steps at least, where `with runs=n` counts n times.

    sequence [process where true]

Add a step, or write a query of single events: `process where true`.";
    NO_POSITIVE_STEP = "E0128" Error "no positive step"
"Every step is `![…]`, so there is no event that the sequence could consist of.

    sequence with maxspan=1m ![process where true] ![file where true]

Add a step without the `!`.";
    MISSING_WITHOUT_MAXSPAN = "E0129" Error "missing event without maxspan"
"`![…]` says that an event is absent within a time span, so the span must be given.

    sequence [process where true] ![file where true]

Add `with maxspan=…`.";
    RUNS_RANGE = "E0130" Error "runs out of range"
"`with runs=n` takes an integer from 1 to 100.

    sequence [process where true] with runs=0 [file where true]

Use a number in that range.";
    SAMPLE_WITHOUT_KEY = "E0131" Error "sample without a join key"
"A sample finds events that share a key, so it needs one.

    sample [process where true] [file where true]

Add `by` after `sample` or after every filter.";
    NOT_IN_SAMPLE = "E0132" Error "not part of a sample"
"A sample has no order and no time, so `with maxspan`, `until`, `with runs` and `![…]` mean nothing there.

    sample by host.id [process where true] [file where true] until [any where true]

Remove it, or use `sequence`.";
    TOO_MANY_STEPS = "E0133" Error "too many steps"
"A sequence or sample may have 1024 steps, where `with runs=n` counts n times.

    sequence [any where true] with runs=100 …

Use fewer steps.";
    JOIN_UNSUPPORTED = "E0140" Error "`join` is not supported"
"Only the Endgame dialect has `join`; Elasticsearch reserves the word and refuses it.

    join by user.name [process where true] [file where true]

Use `sequence` for events in order or `sample` for events in any order.";
    PROCESS_RELATIONSHIP = "E0141" Error "process relationship is not supported"
"`descendant of […]` belongs to the Endpoint and Endgame dialects, `child of […]` and `event of […]` to the
Endgame dialect.

    process where child of [process where process.name == \"cmd.exe\"]

Select the dialect, or compare fields of the parent: `process.parent.name == \"cmd.exe\"`.";
    ARRAY_INDEX = "E0142" Error "array index is not supported"
"Only the Endgame dialect can take one element of an array; elsewhere a condition on a field is about any of its
elements.

    process where process.args[0] == \"cmd\"

Leave the index out.";
    FORK_UNSUPPORTED = "E0143" Error "`fork` is not supported"
"Only the Endgame dialect has `fork`, and there neither the first step of a sequence nor a `join` can have it.

    sequence [process where true] fork [file where true]

Remove it.";
    ALIAS_UNSUPPORTED = "E0144" Error "step alias is not supported"
"Only the Endpoint dialect can name a step with `as`.

    sequence [process where true] as event0 [file where true]

Select the dialect, or join the steps with `by`.";
    VARIABLE = "E0145" Error "variable outside its place"
"`$name` is the element that an enclosing `_arraysearch` is at, in the Endpoint dialect.

    process where $entry.symbol_info : \"*ntdll*\"

Put the condition in an `_arraysearch(array, $entry, condition)` that declares the variable.";
    ARRAY_SEARCH_SHAPE = "E0147" Error "malformed `_arraysearch`"
"`_arraysearch` takes a field, a variable and a condition on that variable.

    process where _arraysearch(process.thread.Ext.call_stack, entry, true)

Write `_arraysearch(process.thread.Ext.call_stack, $entry, $entry.symbol_info : \"*x*\")`.";
    DUPLICATE_ALIAS = "E0149" Error "alias given twice"
"Two steps have the same alias, so a reference to it would not say which step is meant.

    sequence [any where true] as event0 [any where true] as event0

Give each step its own.";
    UNKNOWN_PIPE = "E0150" Error "unknown pipe"
"The pipes are `head` and `tail`; the Endgame dialect has more.

    process where true | heda 5

Correct the name.";
    UNSUPPORTED_PIPE = "E0151" Error "pipe is not supported"
"This pipe belongs to the Endgame dialect; Elasticsearch knows its name and refuses it.

    process where true | unique user.name

Remove it; `head` and `tail` are there.";
    PIPE_ARGUMENTS = "E0152" Error "wrong number of pipe arguments"
"`head` and `tail` take exactly one number.

    process where true | head

Write the number: `| head 10`.";
    PIPE_ARGUMENT = "E0153" Error "pipe argument is no count"
"The argument of `head` and `tail` is an integer constant that is not negative; in the Endgame dialect it is positive,
and the keys of the other pipes are no constants.

    process where true | tail -5

Write such a number.";
    NOT_IN_ENDGAME = "E0154" Error "not in the Endgame dialect"
"The Endgame dialect has no `:`, `like`, `regex` and `in~`, no functions with `~`, no `?field`, no `\"\"\"raw\"\"\"` strings,
no categories in quotes, no missing events, no `with runs` and no `sample`. Nothing in it depends on case, and `==` takes
`*` as a wildcard.

    process where process_name : \"cmd*\"

Write `process_name == \"cmd*\"`, or select the dialect that the query is written in.";
    UNKNOWN_FIELD = "W0201" Warning "unknown field"
"The schema knows no field of this name, so the condition can only hold where an event happens to carry it.

    process where process.comand_line : \"*nmap*\"

Correct the name, or write `?name` if the field is optional and you know that it may be absent. With `--strict` this
is an error, as it is in Elasticsearch.";
    CONSTANT_MISFIT = "W0202" Warning "constant that the field's type cannot hold"
"The constant cannot be read as a value of the field's type, so the comparison holds for no event.

    process where process.pid == \"abc\"

Correct the constant. In Elasticsearch such a query fails when it runs.";
    TEXT_FIELD = "E0203" Error "text field without a keyword form"
"The field is analysed text: it is split into words when it is stored, and its exact text cannot be compared.

    process where message == \"login failed\"

Use another field, or write the rule in KQL, which searches the words of such fields.";
    UNUSABLE_FIELD = "E0204" Error "field that no condition can use"
"The field is an object, a nested object or a member of one, or of a type that has no comparison.

    process where process.parent == null

Name one of the object's members: `process.parent.name == null`.";
    NOT_BOOLEAN = "E0205" Error "condition is not boolean"
"A condition, and each side of `and`, `or` and `not`, must be true or false.

    process where length(process.name)

Compare the value with something: `length(process.name) > 0`, `process.name != null`.";
    NOT_A_STRING = "E0206" Error "pattern on something that is no string"
"`:`, `like`, `regex` and `in~` test texts; the left side here is a number, a date, an address or a boolean.

    process where process.pid : 4

Use `==` or `in`; for addresses `cidrMatch`.";
    PATTERN_TYPE = "E0207" Error "pattern is no string"
"The right side of `:`, `like`, `regex` and `in~` is a string or a list of strings.

    process where process.name : 4

Write the pattern in quotes: `process.name : \"4\"`.";
    UNKNOWN_FUNCTION = "E0208" Error "unknown function"
"No function has this name. Names of functions do not depend on case.

    process where stringContain(process.name, \"cmd\")

Correct the name: `stringContains`.";
    NO_FOLDED_FORM = "E0209" Error "function without a form that ignores case"
"A `~` behind the name of a function asks for the form that ignores case; this function has none.

    process where length~(process.name) > 3

Leave the `~` out.";
    ARGUMENT_COUNT = "E0210" Error "wrong number of arguments"
"The function takes more or fewer arguments.

    process where startsWith(process.name)

Give it what its signature asks for: `startsWith(source, part)`.";
    ARGUMENT_TYPE = "E0211" Error "argument of the wrong type"
"The argument is not of the type that the function takes.

    process where length(process.pid) > 3

Convert it, `length(string(process.pid))`, or use another field.";
    CONSTANT_REQUIRED = "E0212" Error "constant required"
"This place takes a constant only: a member of a list, a pattern, an address block, the base of a number.

    process where user.id in (user.name, \"x\")

Write a constant, or compare with each field apart.";
    LIST_MEMBER_TYPE = "E0213" Error "list member of another type"
"Every member of the list behind `in` must be of the kind of the left side.

    process where process.pid in (4, \"abc\")

Correct the member.";
    FIELD_COMPARISON = "E0214" Error "comparison against a field"
"The right side of a comparison must be constant; arguments of functions may be fields.

    process where user.id == user.name

The Endpoint dialect can compare two fields.";
    BAD_REGEX = "E0215" Error "not a regular expression that can run"
"The text is no regular expression of Lucene's dialect, uses its operators `~` or `&`, or is too large. The expression
covers the whole value; `^` and `$` are literal characters, and there are no `(?` groups.

    process where process.name regex \"cmd(\"

Correct it; write a backslash before an operator that is meant as a character.";
    BAD_BLOCK = "E0216" Error "not an address block"
"`cidrMatch` takes address blocks such as `10.0.0.0/8`, `fe80::/10`, or single addresses.

    network where cidrMatch(source.ip, \"10.0.0.0/33\")

Correct the block.";
    NOT_A_NUMBER = "E0217" Error "arithmetic on something that is no number"
"`+ - * / %` and signs take numbers.

    process where process.name + 1 == 2

Convert the text with `number(process.name)`, or join texts with `concat`.";
    JOIN_KEY_TYPES = "E0218" Error "join keys of different types"
"The join keys at one position must be comparable in all steps: all texts, all numbers, all dates, and so on.

    sequence [process where true] by process.pid [process where true] by process.name

Name fields of one type at the same position.";
    ALIAS_ORDER = "E0219" Error "alias of a step that comes later"
"A step can refer to the events of the steps before it alone.

    sequence [process where process.name == event1.process.name] [process where true] as event1

Move the condition to the later step.";
    NOT_A_VALUE = "E0220" Error "condition used as a value"
"`_arraysearch` and `descendant of` are conditions of their own; they cannot be arguments or be compared, but with
`true` and `false`.

    process where concat(_arraysearch(a, $x, $x.b == 1)) == \"true\"

Join it with `and`, `or` and `not`.";
    ENDGAME_UNSUPPORTED = "E0222" Error "not supported of the Endgame dialect"
"quell does not run these of the Endgame dialect: an index within a path, a join key that is no field.

    process where args[0].name == \"a\"

Put the index last, search the elements with `arraySearch`, or join on a field.";
    KINDS_DIFFER = "E0223" Error "values of different kinds are compared"
"In the Endgame dialect texts are compared with texts, numbers with numbers and booleans with booleans.

    process where process.pid == \"4\"

Correct the constant, or convert the value with `number` or `string`.";
}
