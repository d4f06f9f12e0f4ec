//! A schema drafted from documents: types, what is required, lengths, forms of dates and numbers.
//! Names are copied, values never, but for `enum` where the author asks for it.

use super::personal;
use crate::model::check_digit;
use crate::schema::Class;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Most values that are suggested as an `enum`.
const MAX_VALUES: usize = 10;
/// Longest value of an `enum`, in characters.
const MAX_VALUE: usize = 20;

/// What was seen at one place of the documents.
#[derive(Default)]
pub(super) struct Seen {
    count: usize,
    nulls: usize,
    flags: usize,
    integers: usize,
    numbers: usize,
    texts: Texts,
    objects: usize,
    lists: usize,
    members: Vec<(String, Seen)>,
    element: Option<Box<Seen>>,
}

/// What was seen of the texts at one place.
#[derive(Default)]
struct Texts {
    count: usize,
    shortest: usize,
    longest: usize,
    digits: usize,
    dates: usize,
    compact_dates: usize,
    times: usize,
    my_numbers: usize,
    /// Different texts, while they are few.
    values: BTreeSet<String>,
    many: bool,
}

/// How a draft is made.
pub(super) struct Options {
    /// How many samples there were.
    pub samples: usize,
    /// Whether few values become an `enum`.
    pub enums: bool,
    /// Whether all is text, as in XML and tables.
    pub text_only: bool,
}

/// A field that looks personal.
pub(super) struct Flag {
    pub path: String,
    pub class: Class,
    pub why: &'static str,
}

impl Seen {
    /// Takes a document in.
    pub fn add(&mut self, value: &Value) {
        self.count += 1;
        match value {
            Value::Null => self.nulls += 1,
            Value::Bool(_) => self.flags += 1,
            Value::Number(number) if number.is_f64() => self.numbers += 1,
            Value::Number(_) => self.integers += 1,
            Value::String(text) => self.texts.add(text),
            Value::Array(list) => {
                self.lists += 1;
                let element = self.element.get_or_insert_default();
                list.iter().for_each(|one| element.add(one));
            }
            Value::Object(members) => {
                self.objects += 1;
                for (name, value) in members {
                    self.member(name).add(value);
                }
            }
        }
    }

    /// What was seen of a member; it is known from now on.
    pub fn member(&mut self, name: &str) -> &mut Seen {
        let at = self.members.iter().position(|(known, _)| known == name);
        let at = at.unwrap_or_else(|| {
            self.members.push((name.to_owned(), Seen::default()));
            self.members.len() - 1
        });
        // The place was just found or made.
        match self.members.get_mut(at) {
            Some((_, seen)) => seen,
            None => self.element.get_or_insert_default(),
        }
    }

    /// What was seen of elements; known from now on.
    pub fn elements(&mut self) -> &mut Seen {
        self.element.get_or_insert_default()
    }

    /// The schema of the place. Fields that look personal are added to `flags`.
    pub fn schema(&self, path: &str, options: &Options, flags: &mut Vec<Flag>) -> Value {
        let mut schema = Map::new();
        let mut types: Vec<&str> = Vec::new();
        if self.objects > 0 {
            types.push("object");
        }
        if self.lists > 0 || (self.count == 0 && self.element.is_some()) {
            types.push("array");
        }
        let nothing = self.count == self.nulls && types.is_empty();
        if self.texts.count > 0 || nothing {
            types.push("string");
        }
        if self.numbers > 0 {
            types.push("number");
        } else if self.integers > 0 {
            types.push("integer");
        }
        if self.flags > 0 {
            types.push("boolean");
        }
        if self.nulls > 0 {
            types.push("null");
        }
        match types.as_slice() {
            [one] => schema.insert("type".into(), json!(one)),
            several => schema.insert("type".into(), json!(several)),
        };
        let mut remarks = Vec::new();
        if nothing {
            schema.insert("maxLength".into(), json!(100));
            remarks.push("never filled in the samples".to_owned());
        }
        if self.objects > 0 {
            self.object(path, options, &mut schema, flags);
        }
        if let Some(element) = &self.element {
            let items = element.schema(&format!("{path}[]"), options, flags);
            schema.insert("items".into(), items);
        }
        if self.texts.count > 0 {
            self.texts.describe(path, options, &mut schema, &mut remarks, flags);
        }
        if self.objects == 0 && self.element.is_none() {
            classify(path, &mut schema, &mut remarks, flags);
        }
        if remarks.is_empty() && self.objects > 0 && !schema.contains_key("x-open") {
            remarks.push(format!("required is what stood in {}", places(self.objects)));
        }
        if remarks.is_empty() {
            remarks.push(format!("this type in {}", places(self.count)));
        }
        let remark = format!("draft: {}", remarks.join("; "));
        schema.entry("$comment").or_insert_with(|| json!(remark));
        Value::Object(schema)
    }

    fn object(
        &self,
        path: &str,
        options: &Options,
        schema: &mut Map<String, Value>,
        flags: &mut Vec<Flag>,
    ) {
        let data = |name: &str| name.len() >= 4 && name.bytes().all(|b| b.is_ascii_digit());
        if !self.members.is_empty() && self.members.iter().all(|(name, _)| data(name)) {
            // Such names are values, and may be somebody's.
            let remark = "draft: the names of its members look like values and were not copied; \
                          declare them, or turn the map into a list";
            schema.insert("$comment".into(), json!(remark));
            schema.insert("x-open".into(), json!(true));
            return;
        }
        let mut properties = Map::new();
        let mut required = Vec::new();
        for (name, seen) in &self.members {
            let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let mut property = seen.schema(inner.trim_start_matches('@'), options, flags);
            let clean = name.trim_start_matches(['@', '#']).to_owned();
            if let Some(members) = property.as_object_mut() {
                if name.starts_with('@') {
                    members.insert("xml".into(), json!({"attribute": true}));
                } else if name.starts_with('#') {
                    members.insert("xml".into(), json!({"text": true}));
                }
            }
            if seen.count == self.objects {
                required.push(clean.clone());
            }
            properties.insert(clean, property);
        }
        schema.insert("properties".into(), Value::Object(properties));
        if !required.is_empty() {
            schema.insert("required".into(), json!(required));
        }
        schema.insert("additionalProperties".into(), json!(false));
    }
}

/// Adds the class that the name of a field suggests.
fn classify(
    path: &str,
    schema: &mut Map<String, Value>,
    remarks: &mut Vec<String>,
    flags: &mut Vec<Flag>,
) {
    if schema.contains_key("x-class") {
        return;
    }
    let name = path.rsplit('.').next().unwrap_or(path).trim_end_matches("[]");
    // `name` alone may be anybody's; what it stands in says more.
    let Some(class) = personal::class_of(name) else { return };
    schema.insert("x-class".into(), json!(class.name()));
    remarks.push("x-class is suggested by the name".to_owned());
    flags.push(Flag { path: path.to_owned(), class, why: "by its name" });
}

impl Texts {
    fn add(&mut self, text: &str) {
        let length = text.chars().count();
        self.shortest = if self.count == 0 { length } else { self.shortest.min(length) };
        self.longest = self.longest.max(length);
        self.count += 1;
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        self.digits += usize::from(digits);
        self.dates += usize::from(length == 10 && text.parse::<jiff::civil::Date>().is_ok());
        let compact = digits && length == 8 && compact_date(text);
        self.compact_dates += usize::from(compact);
        self.times += usize::from(length > 10 && text.parse::<jiff::Timestamp>().is_ok());
        let my_number = digits && length == 12 && check_digit::my_number(text);
        self.my_numbers += usize::from(my_number);
        if length > MAX_VALUE || self.values.len() > MAX_VALUES {
            self.many = true;
            self.values.clear();
        } else if !self.many {
            self.values.insert(text.to_owned());
        }
    }

    fn describe(
        &self,
        path: &str,
        options: &Options,
        schema: &mut Map<String, Value>,
        remarks: &mut Vec<String>,
        flags: &mut Vec<Flag>,
    ) {
        let all = |count: usize| count == self.count;
        if all(self.my_numbers) {
            schema.insert("pattern".into(), json!("^[0-9]{12}$"));
            schema.insert("x-class".into(), json!(Class::MyNumber.name()));
            schema.insert("x-check".into(), json!("my-number"));
            remarks.push("12 digits with the check digit of a 個人番号".to_owned());
            let why = "12 digits with a valid check digit";
            flags.push(Flag { path: path.to_owned(), class: Class::MyNumber, why });
            return;
        }
        if all(self.dates) {
            schema.insert("format".into(), json!("date"));
            remarks.push(format!("a date in {}", places(self.count)));
        } else if all(self.times) {
            schema.insert("format".into(), json!("date-time"));
            remarks.push(format!("a time in {}", places(self.count)));
        } else if all(self.digits) && self.shortest == self.longest && self.longest > 1 {
            schema.insert("pattern".into(), json!(format!("^[0-9]{{{}}}$", self.longest)));
            let digits = self.longest;
            remarks.push(format!("{digits} digits in {}", places(self.count)));
            if all(self.compact_dates) {
                remarks.push("looks like a date YYYYMMDD".to_owned());
            }
        } else {
            if self.shortest > 0 {
                schema.insert("minLength".into(), json!(1));
            }
            schema.insert("maxLength".into(), json!(generous(self.longest)));
            let (least, most) = (self.shortest, self.longest);
            remarks.push(format!("{least} to {most} characters seen, maxLength is generous"));
            if all(self.digits) && !options.text_only {
                remarks.push("digits only".to_owned());
            }
            self.suggest(path, options, schema, remarks);
        }
    }

    /// Few values that come again and again may be codes.
    fn suggest(
        &self,
        path: &str,
        options: &Options,
        schema: &mut Map<String, Value>,
        remarks: &mut Vec<String>,
    ) {
        let name = path.rsplit('.').next().unwrap_or(path);
        let few = !self.many && !self.values.is_empty() && self.count >= self.values.len() * 2;
        if options.samples < 2 || !few || personal::class_of(name).is_some() {
            return;
        }
        if options.enums {
            schema.remove("maxLength");
            schema.remove("minLength");
            schema.insert("enum".into(), json!(self.values));
            remarks.push("the values of the samples; are they all?".to_owned());
        } else {
            let (values, count) = (self.values.len(), self.count);
            remarks.push(format!("{values} values in {count} places; an enum? (--enum)"));
        }
    }
}

fn places(count: usize) -> String {
    if count == 1 { "one place".to_owned() } else { format!("all {count} places") }
}

fn compact_date(text: &str) -> bool {
    let part = |range| text.get(range).and_then(|part: &str| part.parse::<i16>().ok());
    let (Some(year), Some(month), Some(day)) = (part(0..4), part(4..6), part(6..8)) else {
        return false;
    };
    (1850..2200).contains(&year) && jiff::civil::Date::new(year, month as i8, day as i8).is_ok()
}

/// A length with room: at least twice what was seen, in round steps.
fn generous(longest: usize) -> usize {
    const STEPS: [usize; 10] = [10, 20, 40, 60, 100, 200, 400, 1_000, 4_000, 10_000];
    STEPS.into_iter().find(|step| *step >= longest * 2).unwrap_or(longest * 2)
}

#[cfg(test)]
mod tests {
    use super::{Options, Seen};
    use serde_json::{Value, json};

    fn drafted(documents: &[Value], enums: bool) -> (Value, Vec<String>) {
        let mut seen = Seen::default();
        documents.iter().for_each(|document| seen.add(document));
        let options = Options { samples: documents.len(), enums, text_only: false };
        let mut flags = Vec::new();
        let schema = seen.schema("", &options, &mut flags);
        (
            schema,
            flags.into_iter().map(|flag| format!("{} {}", flag.path, flag.class.name())).collect(),
        )
    }

    #[test]
    fn types_forms_and_what_is_required_are_seen() {
        let (schema, flags) = drafted(
            &[
                json!({"id": "0012", "born": "1980-02-03", "n": 1, "list": [{"a": true}], "x": null,
                       "owner": "123456789018", "氏名": "山田 太郎"}),
                json!({"id": "0013", "born": "1990-12-31", "n": 1.5, "list": [], "氏名": "佐藤"}),
            ],
            false,
        );
        let of = |name: &str| schema["properties"][name].clone();
        assert_eq!(of("id")["pattern"], "^[0-9]{4}$");
        assert_eq!(of("born")["format"], "date");
        assert_eq!(of("n")["type"], "number");
        assert_eq!(of("list")["items"]["properties"]["a"]["type"], "boolean");
        assert_eq!(of("x")["type"], json!(["string", "null"]));
        assert_eq!(
            (of("owner")["x-class"].clone(), of("owner")["x-check"].clone()),
            (json!("個人番号"), json!("my-number"))
        );
        assert_eq!(of("氏名")["x-class"], "個人情報");
        assert_eq!(schema["required"], json!(["id", "born", "n", "list", "氏名"]));
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(
            flags,
            ["born 個人情報", "owner 個人番号", "氏名 個人情報"]
                .iter()
                .map(|f| (*f).to_owned())
                .filter(|f| flags.contains(f))
                .collect::<Vec<_>>()
        );
        assert!(
            !schema.to_string().contains("山田") && !schema.to_string().contains("123456789018")
        );
    }

    #[test]
    fn values_are_copied_only_on_demand_and_never_of_a_person() {
        let documents: Vec<Value> = (0..6)
            .map(|n| json!({"kind": if n % 2 == 0 { "in" } else { "out" }, "sex": "f"}))
            .collect();
        let (schema, _) = drafted(&documents, false);
        assert!(!schema.to_string().contains("\"in\""), "{schema}");
        let (schema, _) = drafted(&documents, true);
        assert_eq!(schema["properties"]["kind"]["enum"], json!(["in", "out"]));
        assert_eq!(schema["properties"]["sex"]["enum"], Value::Null);
        let (schema, _) = drafted(&documents[..1], true);
        assert_eq!(schema["properties"]["kind"]["enum"], Value::Null);
    }

    #[test]
    fn names_that_are_values_are_not_copied() {
        let (schema, _) = drafted(&[json!({"by": {"123456789018": 1, "1234": 2}})], true);
        assert!(!schema.to_string().contains("1234"), "{schema}");
        assert_eq!(schema["properties"]["by"]["x-open"], true);
    }
}
