//! Which files in a document are scanned beside the document itself.

use crate::mapping::path::{Path, Step};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// A scan for malware that is demanded of what an operation brings.
#[derive(Clone, Debug)]
pub struct Scan {
    /// Members that hold a file in base64. A list on the way stands for each of its elements.
    pub files: Vec<Path>,
}

/// A member that should hold a file is not base64; the place, without indexes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAFile(pub String);

impl Scan {
    /// The files of a document, decoded. White space between the characters of base64 is allowed,
    /// as senders write lines.
    ///
    /// # Errors
    /// The first member that is no text in base64.
    pub fn files(&self, document: &Value) -> Result<Vec<Vec<u8>>, NotAFile> {
        let mut files = Vec::new();
        for path in &self.files {
            let mut found = Vec::new();
            collect(path.steps(), document, &mut found);
            for value in found {
                let not_a_file = || NotAFile(path.to_string());
                let text = value.as_str().ok_or_else(not_a_file)?;
                let tight: String = text.split_ascii_whitespace().collect();
                files.push(STANDARD.decode(tight).map_err(|_| not_a_file())?);
            }
        }
        Ok(files)
    }
}

/// Every value at a place. What is absent, or `null`, is no file.
fn collect<'v>(steps: &[Step], value: &'v Value, found: &mut Vec<&'v Value>) {
    match (value, steps.split_first()) {
        (Value::Null, _) => {}
        (Value::Array(all), Some((Step::Index(at), rest))) => {
            all.get(*at).into_iter().for_each(|element| collect(rest, element, found));
        }
        (Value::Array(all), _) => all.iter().for_each(|element| collect(steps, element, found)),
        (_, None) => found.push(value),
        (Value::Object(members), Some((Step::Field(name), rest))) => {
            members.get(name).into_iter().for_each(|member| collect(rest, member, found));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{NotAFile, Scan};
    use crate::mapping::path::Path;
    use serde_json::json;

    fn scan(paths: &[&str]) -> Scan {
        Scan { files: paths.iter().map(|path| Path::parse(path).unwrap()).collect() }
    }

    #[test]
    fn files_are_found_wherever_they_stand() {
        let document = json!({
            "photo": "aGFsbG8=",
            "parts": [{"files": [{"content": "YQ=="}, {"content": "Yg\r\n =="}]}, {"files": []}, {}],
            "none": null,
        });
        let files = |paths: &[&str]| scan(paths).files(&document);
        let all = files(&["photo", "parts.files.content", "none", "absent.content"]);
        assert_eq!(all.unwrap(), [b"hallo".to_vec(), b"a".to_vec(), b"b".to_vec()]);
        assert_eq!(files(&["parts[0].files[1].content"]).unwrap(), [b"b".to_vec()]);
        assert_eq!(files(&["parts[1].files[1].content"]).unwrap(), Vec::<Vec<u8>>::new());
    }

    /// Whoever reads it later may be less strict: what is not exactly base64 was not scanned.
    #[test]
    fn what_is_not_base64_is_no_file() {
        for bad in [json!("a"), json!("YQ"), json!("Y-=="), json!("YQ==YQ=="), json!(7), json!({})]
        {
            let document = json!({"files": [{"content": "YQ=="}, {"content": bad}]});
            let found = scan(&["files.content"]).files(&document);
            assert_eq!(found, Err(NotAFile("files.content".to_owned())), "{document}");
        }
    }
}
