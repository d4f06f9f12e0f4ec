//! `Shape`: a schema resolved (`$ref` followed, `allOf` merged) into what checkers need to know.

/// Data class of a field (`x-class`), ordered from harmless to strictest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Nothing personal.
    #[default]
    Plain,
    /// 個人情報: personal, but neither of the following.
    Personal,
    /// 要配慮個人情報: sensitive (medical).
    Sensitive,
    /// 特定個人情報: tied to a 個人番号.
    SpecificPersonal,
    /// The 個人番号 itself.
    MyNumber,
}

/// What a schema says of one place in a document.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// JSON types allowed (`string`, `number`, `integer`, `boolean`, `object`, `array`, `null`);
    /// empty: any.
    pub types: Vec<String>,
    /// Named members, in the order of the file.
    pub properties: Vec<Property>,
    /// Whether undeclared members are allowed.
    pub open: bool,
    /// Shape of the elements of an array.
    pub items: Option<Box<Shape>>,
    /// Allowed values (`enum`, `const`), when listed.
    pub allowed: Option<Vec<serde_json::Value>>,
    /// Alternatives (`oneOf`/`anyOf`); a path exists if it exists in one of them.
    pub alternatives: Vec<Shape>,
    /// Longest string, in characters.
    pub max_length: Option<usize>,
    /// Regular expression of a string.
    pub pattern: Option<String>,
    /// Data class.
    pub class: Class,
    /// Legal item code (`x-item`).
    pub item: Option<String>,
    /// Title for people.
    pub title: Option<String>,
}

/// One named member of an object.
#[derive(Clone, Debug)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// Whether it must be there.
    pub required: bool,
    /// What it is.
    pub shape: Shape,
}
