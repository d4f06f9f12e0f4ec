//! Codes `M…`: files written in YAML (`M0`), mapping files (`M1`, `M2`), mapping a message (`M3`)
//! and mapping cases (`M4`).

codes! {
    // M0: any YAML file a person writes.
    YAML = "M001", Configuration, "not readable as YAML",
        "The file does not follow YAML, so nothing in it can be used.",
        "Mend the place shown; indentation and unclosed quotes are the usual causes.";
    DUPLICATE_KEY = "M002", Configuration, "key given twice",
        "A map has the same key twice; which of the two was meant cannot be known.",
        "Keep one of the two.";
    UNKNOWN_KEY = "M003", Configuration, "unknown key",
        "A key is not one of those that may stand here.",
        "Correct its spelling or remove it.";
    WRONG_KIND = "M004", Configuration, "wrong kind of value",
        "Text, a number, a list or a map stands where another kind is needed.",
        "Write the kind the message names; text that looks like a number needs quotes.";
    MISSING_KEY = "M005", Configuration, "missing key",
        "A key that must be there is not.",
        "Add it.";
    YAML_EXTRA = "M006", Configuration, "tags and merge keys are refused",
        "Definitions use only maps, lists, scalars and aliases of whole values.",
        "Write the value itself where it is needed.";
    FILE_TOO_LARGE = "M007", Configuration, "file too large",
        "The file is longer, deeper or has more values than definitions may have.",
        "Split it.";
    NOT_FORMATTABLE = "M008", Configuration, "file cannot be formatted",
        "The formatter only moves what is written; here that would change what the file says.",
        "Write it in plain block style: no anchors, no comments inside brackets.";

    // M1: the form of a mapping.
    WRONG_NAME = "M101", Configuration, "name differs from the folder or file",
        "A mapping is known by its folder and a table by its file; the name inside must agree.",
        "Use the same name in both places.";
    UNKNOWN_SCHEMA = "M102", Configuration, "unknown schema",
        "`from` or `to` names a schema that is not among the definitions.",
        "Write the id as folder/name@version of a file below schemas/.";
    BAD_TABLE = "M103", Configuration, "table cannot be used",
        "A code table maps texts to texts, numbers, true, false or null; its name is unique, and no two entries for one value are valid on the same day.",
        "Mend the entry shown.";
    SYNTAX = "M110", Configuration, "expression cannot be read",
        "The text is not an expression of the mapping language.",
        "Mend the place shown. A literal text is written with its own quotes: '\"text\"'.";
    EXPRESSION_TOO_LONG = "M111", Configuration, "expression too long",
        "An expression may have at most 1024 bytes.",
        "Split it with `let`.";
    EXPRESSION_TOO_DEEP = "M112", Configuration, "expression too deep",
        "Parentheses, calls, pipes and `not` may nest at most 32 deep.",
        "Split it with `let`.";
    BAD_RULE = "M120", Configuration, "rule cannot be used",
        "A rule has one of `value` and `rules`, beside `each`, `when` and `let`.",
        "Give it exactly one of the two; a target property of such a name is written `\"=value\"`.";
    EACH_TOO_DEEP = "M121", Configuration, "each too deep",
        "`each` may stand inside `each` at most 4 deep.",
        "Flatten the source first.";
    IDLE_OTHERWISE = "M130", Configuration, "otherwise catches nothing",
        "The expression before `otherwise` never fails, so the fallback is never used.",
        "Remove `otherwise`.";

    // M2: the mapping against its schemas.
    UNKNOWN_SOURCE = "M201", Configuration, "unknown source path",
        "The source schema has no such place, so the rule could never find a value.",
        "Correct the path, or add the property to the schema.";
    UNKNOWN_TARGET = "M202", Configuration, "unknown target path",
        "The target schema has no such place.",
        "Correct the name, or add the property to the schema.";
    TARGET_NOT_SET = "M203", Configuration, "required target never set",
        "The target schema requires a property that no rule sets.",
        "Add a rule for it.";
    UNKNOWN_FUNCTION = "M204", Configuration, "unknown function",
        "There is no function of that name.",
        "Correct the name; `docs/reference/functions.md` lists them all.";
    ARGUMENT_COUNT = "M205", Configuration, "wrong number of arguments",
        "The function takes another number of arguments; a pipe gives the first.",
        "Give the arguments its signature names.";
    UNKNOWN_TABLE = "M206", Configuration, "unknown code table",
        "`code` names a table that is neither in the mapping nor in mappings/tables.",
        "Correct the name or add the table.";
    UNKNOWN_VARIABLE = "M207", Configuration, "unknown variable",
        "A name after `$` is neither a `let` above nor `$meta`.",
        "Correct the name, or define it with `let` before it is used.";
    UNUSED_LET = "M208", Configuration, "let is never used",
        "A `let` is evaluated but no rule uses it.",
        "Remove it.";
    TARGET_TWICE = "M209", Configuration, "two rules for one target",
        "Two rules set the same target, so one of them would be lost.",
        "Keep one; choose between values with `if` or `??`.";
    BAD_LITERAL = "M210", Configuration, "literal not allowed by the target",
        "A literal has a type, length or value that the target schema refuses.",
        "Write one of the allowed values.";
    TABLE_NOT_TOTAL = "M211", Configuration, "table lacks a source value",
        "The source schema allows a value for which the table has no entry.",
        "Add the entry, or a default: code(x, table, default).";
    TABLE_VALUE = "M212", Configuration, "table gives a value the target refuses",
        "An entry of the table is not among the values the target schema allows.",
        "Correct the entry.";
    REJECT_CODE = "M213", Configuration, "reject code has the wrong form",
        "A code of one's own is 3 to 40 of A-Z, 0-9, `-` and `_`, beginning with a letter.",
        "Write it as in reject(\"NO-DOSE\", \"the record has no dose\").";
    CLASS_FLOW = "M214", Configuration, "protected value flows into an unprotected target",
        "The value's data class is stricter than the class the target is declared to hold.",
        "Take the rule out, or declare x-class at the target if it may hold such data.";
    NOT_LITERAL = "M215", Configuration, "argument must be a literal",
        "This argument has to be known when the mapping is loaded.",
        "Write it as a literal.";
    NEVER_EQUAL = "M216", Configuration, "comparison can never hold",
        "The source schema lists the values of the path, and this one is not among them.",
        "Correct the value.";
    TYPE_MISMATCH = "M217", Configuration, "type does not fit",
        "A value of this type is refused by the target, or cannot be used by the function.",
        "Convert it first, for example with string(x), integer(x) or each.";
    BAD_ARGUMENT = "M218", Configuration, "argument not allowed",
        "A literal argument is outside what the function can use.",
        "Write one the function's page allows.";

    // M23 to M25: what is proved of every message the source schema admits.
    TARGET_MAYBE_ABSENT = "M230", Configuration, "required target possibly absent",
        "The target schema requires the property, but for some valid source document the rule gives nothing: the source is optional, or a condition does not hold.",
        "Give a default with `??`, refuse with `?? reject(\"CODE\", \"text\")`, or require the property in the source schema.";
    TARGET_MAYBE_NULL = "M231", Configuration, "target may get null",
        "The source may be null and the target does not admit null.",
        "Give a default with `??`, or leave the target out with `when: present(…)`.";
    TARGET_MAYBE_NIL = "M232", Configuration, "target may get nil",
        "The value may be nil with a reason, which the target does not admit.",
        "Replace it with `??`, leave the target out with `when: present(…)`, or use a reason the target lists.";
    TARGET_KIND = "M233", Configuration, "target may get a value of the wrong type",
        "For some valid source documents the value has a type the target refuses.",
        "Convert it (string, integer, decimal), or refuse the others with `if` or `otherwise`.";
    NOT_LISTED = "M234", Configuration, "target may get a value it does not list",
        "The target lists its values, and others may come.",
        "Translate with `code(x, table)`, or list the source's values in its schema.";
    MAYBE_TOO_LONG = "M235", Configuration, "text may be too long for the target",
        "The text may have more characters than the target's maxLength.",
        "Give the source a maxLength, cut the text with `cut(n)` where that is allowed, or refuse longer ones.";
    MAYBE_TOO_SHORT = "M236", Configuration, "text may be too short for the target",
        "The text may have fewer characters than the target's minLength; often it may be empty.",
        "Give the source a minLength, pad the text, or refuse shorter ones.";
    MAYBE_NO_MATCH = "M237", Configuration, "text may not match the target's pattern",
        "Not every text that may come matches the pattern of the target.",
        "Give the source the same or a narrower pattern, or convert the text so that it matches.";
    MAYBE_NO_FORM = "M238", Configuration, "text may not have the target's format",
        "The target demands a format or a check digit that is not certain for every text that may come.",
        "Give the source the same format or x-check, or convert with a function that gives it, such as date.";
    NUMBER_RANGE = "M239", Configuration, "number may be outside the target's range",
        "The number may be smaller or larger than the target admits.",
        "Give the source the range, or refuse others with `if`.";
    NUMBER_NOT_WHOLE = "M240", Configuration, "number may lose its fraction",
        "The target takes whole numbers only, and the number may have a fraction.",
        "Give the source the type integer, or convert with `integer`, which refuses a fraction.";
    NUMBER_STEP = "M241", Configuration, "number may not be a multiple",
        "The target demands a multiple, which is not certain.",
        "Give the source the same multipleOf.";
    MAYBE_TOO_FEW = "M242", Configuration, "array may have too few elements",
        "The target demands more elements than are certain to come.",
        "Give the source the same minItems, or refuse shorter arrays.";
    MAYBE_TOO_MANY = "M243", Configuration, "array may have too many elements",
        "The array may have more elements than the target admits.",
        "Give the source a maxItems, or filter.";
    MAYBE_UNDECLARED = "M244", Configuration, "object may have a member the target refuses",
        "An object is copied whole, or a rule sets a member that the chosen alternative does not have.",
        "Write a rule for each member, or a `when` that leaves the member out.";
    NO_ALTERNATIVE = "M245", Configuration, "no alternative of the target is certain",
        "The target is one of several alternatives, and it is not certain that exactly one fits.",
        "Set the member that tells the alternatives apart to one value under each condition.";
    BEYOND_PROOF = "M246", Configuration, "the target demands what cannot be proved",
        "A keyword of the target schema is not followed by the proof.",
        "Say the same with pattern, enum, required, minItems and the like, or take the keyword out.";
    MAY_FAIL = "M247", Configuration, "function may fail",
        "For some valid source documents the function fails, and the message with it.",
        "Say what then with `otherwise(…, fallback)`, or narrow the source schema.";
    DATE_MAY_FAIL = "M248", Configuration, "date may not parse",
        "The function needs a date, and the source schema admits other texts.",
        "Give the source `format: date`, or say what then with `otherwise(…, fallback)`.";
    NUMBER_MAY_FAIL = "M249", Configuration, "number may lose digits or not parse",
        "The function needs a number that keeps its digits, and the source schema admits others.",
        "Give the source a pattern or a range, or say what then with `otherwise(…, fallback)`.";
    KIND_MAY_FAIL = "M250", Configuration, "argument may be of the wrong kind",
        "For some valid source documents the argument is of a kind the function cannot use.",
        "Narrow the source schema's type, convert first, or say what then with `otherwise(…, fallback)`.";
    TABLE_MAY_LACK = "M251", Configuration, "table may lack the value",
        "The source schema does not list the values of the key, so any may come.",
        "List the values with enum in the source schema, or give a default: code(x, table, default).";
    CONDITION_KIND = "M252", Configuration, "condition may be neither true nor false",
        "A condition or comparison may meet values it cannot judge.",
        "Compare with `==`, ask `present(…)`, or narrow the source schema's type.";
    DEAD_RULE = "M253", Configuration, "condition never holds",
        "No valid source document makes the condition true, so what depends on it never happens.",
        "Remove it, or correct the condition.";
    ALWAYS_HOLDS = "M254", Configuration, "condition always holds",
        "Every valid source document makes the condition true, so the other case never happens.",
        "Remove the condition.";
    DEAD_DEFAULT = "M255", Configuration, "default is never used",
        "What stands before `??` is never absent, null or nil.",
        "Remove the default.";
    KEY_NEVER = "M256", Configuration, "table key is never looked up",
        "The source schema lists its values, and this key is not among them.",
        "Remove the entry, or correct its spelling.";
    TARGET_NEVER = "M257", Configuration, "target must not be set",
        "Under the conditions of this rule the target schema admits no value here.",
        "Leave the target out with `when`.";

    // M3: mapping one message.
    REJECTED = "M301", Sender, "rejected by the mapping",
        "A rule of the mapping refused this message with a code of its own.",
        "Look up the code in the mapping's README and correct the message at its source.";
    NO_ENTRY = "M302", Sender, "code table has no entry",
        "The value is not among the keys of the code table and no default is given.",
        "Correct the value at its source, or add the entry to the table.";
    WRONG_TYPE = "M303", Sender, "value of the wrong type",
        "A function or operator met a value of a type it cannot use.",
        "Correct the value at its source, or convert it in the mapping first.";
    NOT_CONVERTIBLE = "M304", Sender, "value cannot be converted",
        "The value has the right type but not the form the function needs; nothing is guessed.",
        "Correct the value at its source.";
    LIMIT = "M305", Sender, "mapping limit exceeded",
        "The result would be longer, or cost more, than one message may.",
        "Send less in one message.";

    // M31: tables as the functions need them, at load.
    TABLE_DATED = "M310", Configuration, "table has validity dates",
        "Entries of the table are valid for a time only, and this function asks for no day.",
        "Ask with code-at(value, table, date).";
    TABLE_AMBIGUOUS = "M311", Configuration, "table cannot be read backwards",
        "Two source values have the same entry, so that code-of could not tell them apart.",
        "Write a table of the other direction, or correct the entry.";

    // M4: cases of a mapping.
    CASE_FAILED = "M401", Configuration, "case failed",
        "The mapping gives another result than the case expects.",
        "Correct the mapping or the case.";
    CASE_FORM = "M402", Configuration, "case cannot be used",
        "A case has `case`, `input` and one of `expected` and `rejected`.",
        "Mend the place shown.";
    INVERSE = "M403", Configuration, "inverse cannot be used",
        "The mapping named by `inverse` must lead from this one's target back to its source.",
        "Name another mapping, or take `inverse` away.";
    GENERATED_INVALID = "M404", Configuration, "a valid document is mapped to an invalid one",
        "A generated document, valid under the source schema, became one the target refuses.",
        "Look at the rule shown: cut, convert or reject what the target cannot hold.";
    GENERATED_CROSSING = "M405", Configuration, "a mapped document is not what arrives",
        "Written in the operation's format and read back, the document differs.",
        "Change the target schema so that the format tells the two apart.";
    GENERATED_INVERSE = "M406", Configuration, "the way back leads elsewhere",
        "A generated document, mapped and mapped back by the declared inverse, differs.",
        "Mend one of the two mappings, or list the field in `inverse: {mapping: …, except: […]}`.";
}
