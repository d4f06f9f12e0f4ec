//! Codes `S…`: schemas, codecs and the documents they describe.
//!
//! 1xx files of schemas, 2xx documents against their schema, 3xx bytes that cannot be read,
//! 4xx documents that cannot be written.

codes! {
    SCHEMA_PATH = "S101", Configuration, "schema file in the wrong place",
        "The id of a schema follows from its path: schemas/<folder>/<name>/<version>.schema.json.",
        "Move or rename the file; the version is a whole number from 1.";
    SCHEMA_JSON = "S102", Configuration, "schema file is not strict JSON",
        "The file is not JSON, or holds a duplicate key, a number that loses digits or similar.",
        "Mend the file at the place shown.";
    SCHEMA_KEYWORD = "S103", Configuration, "unknown schema keyword",
        "Every key of a schema must be a keyword of JSON Schema 2020-12 that Watashi supports, or one of its own (x-class, x-item, x-check, xml, ...). An unknown one would silently check nothing.",
        "Correct the spelling; see the nearest name.";
    SCHEMA_VALUE = "S104", Configuration, "keyword has a value that is not allowed",
        "The keyword exists, but not with this value or not in this place.",
        "Use one of the values named.";
    SCHEMA_REFERENCE = "S105", Configuration, "reference leads nowhere",
        "A $ref may point into the same file (#/$defs/...), to watashi:/<id>, or to the relative path of another schema file that is loaded. Nothing is ever fetched.",
        "Correct the reference or add the schema.";
    SCHEMA_CYCLE = "S106", Configuration, "schema refers to itself",
        "Documents that cross have a fixed depth, so a schema must not contain itself, not even through others.",
        "Write out the levels that are really used.";
    SCHEMA_OPEN = "S107", Configuration, "object is left open",
        "Without additionalProperties: false an undeclared member would pass unseen; only declared data may cross.",
        "Add \"additionalProperties\": false, or \"x-open\": true where a counterpart may add members at will.";
    SCHEMA_REQUIRED = "S108", Configuration, "required member is not declared",
        "A name in `required` is not among the properties, so no document could ever be valid.",
        "Correct the spelling or declare the member.";
    SCHEMA_INVALID = "S109", Configuration, "not a valid JSON Schema",
        "The file breaks JSON Schema 2020-12, or holds a pattern outside the linear-time syntax (no look-around, no back-references).",
        "Correct the keyword shown.";
    SCHEMA_FORMAT = "S110", Configuration, "unknown format",
        "`format` is checked, so only formats that can be checked are allowed.",
        "Use a known format, or `pattern`.";
    SCHEMA_LARGE = "S111", Configuration, "schema is too large once its references are followed",
        "References are replaced by what they point to; the result exceeds 100 000 values or 64 levels.",
        "Split the schema or refer to smaller parts.";
    SCHEMA_TWICE = "S112", Configuration, "two files for one schema",
        "Two files lead to the same schema id.",
        "Remove one, or give it a version of its own.";
    MESSAGE_TYPE_TWICE = "S113", Configuration, "message type claimed by two schemas",
        "x-message-types must name each message type once over all schemas; otherwise it is unclear which one checks a message.",
        "Remove the type from one of them.";
    SCHEMA_EXAMPLE = "S114", Configuration, "example disagrees with its schema",
        "examples/valid-*.json must be valid and examples/invalid-*.json must not be.",
        "Correct the example or the schema.";
    UNSATISFIABLE = "S120", Configuration, "no valid document was found",
        "The generator found no document that the schema accepts; perhaps there is none.",
        "Look at the place shown: its keywords may exclude each other. Else give it an `enum`.";
    LAYOUT_XML = "S121", Configuration, "schema cannot be carried as XML",
        "The XML layout is missing, incomplete or ambiguous.",
        "Add or correct x-xml at the root and xml at the property shown.";
    LAYOUT_CSV = "S122", Configuration, "schema cannot be carried as CSV",
        "The CSV layout is missing, incomplete or ambiguous.",
        "Make the root an array of flat objects and add or correct x-csv.";
    LAYOUT_FIXED = "S123", Configuration, "schema cannot be carried in fixed width",
        "The fixed-width layout is missing, incomplete or ambiguous.",
        "Make the root an array of flat objects, add x-fixed, and give every property a width.";

    LAYOUT_SOAP = "S124", Configuration, "schema cannot be carried as SOAP",
        "The SOAP layout is missing, incomplete or ambiguous.",
        "Add or correct x-soap at the root; its members are header, body and fault.";
    LAYOUT_TIGHT = "S125", Configuration, "a valid document may not fit the layout",
        "The schema allows a text that the layout cannot carry: longer than its field, or empty where empty and absent are written alike. It would be refused when it is written.",
        "Bound the text with maxLength, minLength, enum or pattern.";

    WRONG_TYPE = "S201", Sender, "wrong JSON type",
        "The value is of a type that the schema does not allow there.",
        "Send the type named; codes and numbers with leading zeros are strings.";
    MISSING = "S202", Sender, "required member is missing",
        "The schema requires the member.",
        "Send it.";
    UNDECLARED = "S203", Sender, "undeclared member",
        "The object holds a member that the schema does not declare. Its name is not shown, because it could hold data.",
        "Remove it or correct its spelling; the declared names are listed.";
    NOT_ALLOWED = "S204", Sender, "value is not in the list of allowed values",
        "The schema lists the allowed values.",
        "Send one of them.";
    LENGTH = "S205", Sender, "text too short or too long",
        "Lengths count Unicode characters.",
        "Send a text of the length named.";
    PATTERN = "S206", Sender, "text does not match its pattern",
        "The schema gives a regular expression for the text.",
        "Send a text that matches; full-width digits are not digits.";
    FORMAT = "S207", Sender, "text is not of its format",
        "The schema names a format such as date.",
        "Send the format named, for dates YYYY-MM-DD.";
    RANGE = "S208", Sender, "number out of range",
        "The schema bounds the number.",
        "Send a number within the bounds.";
    COUNT = "S209", Sender, "too few or too many elements or members",
        "The schema bounds the count, or wants each element once.",
        "Send a count within the bounds.";
    NO_ALTERNATIVE = "S210", Sender, "none, or more than one, of the alternatives fits",
        "The schema offers alternatives (oneOf, anyOf, not, if) and the value fits none of them, or several where one is wanted.",
        "Compare with the alternatives of the schema.";
    CHECK_DIGIT = "S211", Sender, "check digit is wrong",
        "The number does not pass the check of its kind (個人番号, 法人番号, 市区町村コード, 宛名番号). Twelve zeros are not a 個人番号.",
        "Correct the number at its source; it is never shown here.";
    RULE = "S219", Sender, "breaks a rule of the schema",
        "A keyword of the schema that has no code of its own is not satisfied.",
        "Compare with the schema at the keyword named.";

    TOO_LARGE = "S301", Sender, "input is too large",
        "Nothing above the size limit is read.",
        "Send less, or raise the limit if the counterpart really sends as much.";
    TOO_DEEP = "S302", Sender, "nested too deeply",
        "The input nests more levels than the limit.",
        "Flatten the document; none of the known layouts nests that far.";
    TOO_MANY_NODES = "S303", Sender, "too many values",
        "The input holds more values, elements or attributes than the limit.",
        "Send it in parts.";
    STRING_TOO_LONG = "S304", Sender, "text is too long",
        "One text exceeds the limit.",
        "Send it in parts or outside the message.";
    NOT_UTF8 = "S305", Sender, "not UTF-8",
        "The bytes are not UTF-8, the only encoding of JSON here, and of XML without a UTF-16 byte order mark.",
        "Convert at the source; nothing is replaced silently.";
    BYTE_ORDER_MARK = "S306", Sender, "byte order mark",
        "The input begins with a byte order mark where none may stand.",
        "Write without one.";
    JSON_SYNTAX = "S307", Sender, "not JSON",
        "The input breaks the grammar of JSON (RFC 8259).",
        "Mend it at the place shown.";
    DUPLICATE_KEY = "S308", Sender, "duplicate key",
        "An object names a member twice; readers disagree on which one counts.",
        "Send each member once.";
    FORBIDDEN_CHARACTER = "S309", Sender, "forbidden character",
        "NUL and other control characters are not text; XML allows fewer still.",
        "Remove the character at its source.";
    LONE_SURROGATE = "S310", Sender, "half a surrogate pair",
        "A \\u escape stands for half a character.",
        "Write both halves, or the character itself in UTF-8.";
    NUMBER_LOSES_DIGITS = "S311", Sender, "number would lose digits",
        "The number does not fit 64 bits or does not survive binary floating point.",
        "Write amounts, codes and ids as strings.";
    TRAILING_DATA = "S312", Sender, "something follows the document",
        "The document is complete, but the input goes on.",
        "Send one document.";
    INPUT_LOST = "S313", Counterpart, "input could not be read to its end",
        "A file or a connection broke off while it was read.",
        "Read it again; what was taken from it before this is whole records only.";
    XML_SYNTAX = "S321", Sender, "not well-formed XML",
        "The input breaks the grammar of XML 1.0, or is cut off.",
        "Mend it at the place shown.";
    XML_REFUSED = "S322", Sender, "XML construct that is never accepted",
        "Document types, entity references of one's own and processing instructions are refused; encodings other than UTF-8 (or UTF-16 with its byte order mark) and versions other than 1.0 too.",
        "Write plain elements, attributes and text.";
    XML_ELEMENT = "S323", Sender, "unexpected element",
        "The element is not declared here, stands in the wrong order, or stands too often.",
        "Send the elements of the schema in its order.";
    XML_ATTRIBUTE = "S324", Sender, "unexpected attribute",
        "The attribute is not declared for this element.",
        "Remove it or correct its spelling.";
    XML_TEXT = "S325", Sender, "text where elements are expected",
        "An element holds both text and elements, or elements where its content is text.",
        "Send one or the other, as the schema says.";
    XML_NIL = "S326", Sender, "nil element is not as it must be",
        "A nil element has xsi:nil=\"true\", its reason, and no content; only elements that the schema declares nillable may be nil.",
        "Give the reason, or the value.";
    SOAP_ENVELOPE = "S327", Sender, "not a SOAP envelope of the layout",
        "The envelope is of another version of SOAP, or does not hold one header at most and one body with one element at most.",
        "Compare with x-soap in the schema; the namespace of the envelope tells the version.";
    SOAP_HEADER = "S328", Sender, "header that must be understood is not declared",
        "A header block with mustUnderstand is not among the members of `header`, so its meaning would be passed over.",
        "Declare the block in the schema, if the mapping really does what it asks for.";
    SOAP_FAULT = "S329", Sender, "SOAP fault is not as it must be",
        "The fault has no code, a code that is no qualified name or not one of the version, or a code of a namespace that the schema does not admit; or a fault came where the schema declares none.",
        "Declare `fault` in the schema, with `codeNamespace` where the counterpart has codes of its own.";
    FIELD_VALUE = "S331", Sender, "text is not a value of its type",
        "The text of the field is not the integer, number or boolean that the schema wants.",
        "Send it in the canonical form: 12, 0.5, true.";
    UNDECODABLE = "S341", Sender, "bytes are not text of the charset",
        "A byte sequence does not exist in the charset of the file.",
        "Check the charset of the layout; nothing is replaced silently.";
    PRIVATE_USE = "S342", Sender, "character of the private use area (外字)",
        "The same code point means another character in another town, so it cannot cross unseen.",
        "Replace it at the source, or allow it in the schema with x-private-use: allow.";
    TABLE_SYNTAX = "S343", Sender, "quotes or line ends are wrong",
        "A quote stands where none may stand, is missing, or a line ends otherwise than the layout says.",
        "Write the file as the layout says.";
    COLUMNS = "S344", Sender, "wrong number of columns",
        "The row has more or fewer fields than the layout.",
        "Send exactly the columns of the layout.";
    RECORD_WIDTH = "S345", Sender, "record is not of its width",
        "The line is longer or shorter than the layout, or a separator is not where it must be.",
        "Send every field in its full width.";
    HEADER = "S346", Sender, "header is not as the layout says",
        "The first row must name the columns of the layout in their order.",
        "Send the header of the layout.";
    TOO_MANY_RECORDS = "S347", Sender, "too many records in one file",
        "The layout splits its files after a number of records, and this one goes on.",
        "Send the records in files of the size agreed.";

    ENCODE_SHAPE = "S401", Configuration, "document does not fit the layout",
        "A value is of a kind that the layout cannot carry, is required and absent, or is not declared.",
        "Validate before encoding; correct the mapping.";
    UNMAPPABLE = "S402", Configuration, "character does not exist in the charset",
        "The counterpart's charset has no such character, or would turn it into another one.",
        "Map the character by an agreed table; it is never replaced silently.";
    ENCODE_CHARACTER = "S403", Configuration, "character cannot be written here",
        "XML 1.0, CSV and fixed-width files cannot carry every control character; a field that must not be quoted cannot hold its separator.",
        "Remove the character in the mapping.";
    FIELD_WIDTH = "S404", Configuration, "text is wider than its field",
        "The text does not fit the fixed width, or would be read back otherwise because of its padding.",
        "Cut or reject in the mapping, where the decision belongs.";
    AMBIGUOUS = "S405", Configuration, "value would be read back as another",
        "The layout writes two different values alike, such as an empty text and an absent one.",
        "Leave the member out, or choose a layout that can tell them apart.";
    FILE_FULL = "S406", Configuration, "more records than one file holds",
        "The layout splits its files after a number of records, and one file was asked for.",
        "Send fewer records, or deliver them as files.";
}
