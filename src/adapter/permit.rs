//! 照会許可用照合リスト: which combinations of 照会者, 事務, 提供者 and 特定個人情報 may be asked for
//! (番号法21条2項). Checked from the list before anything is sent.

use crate::mapping::path::Path;
use crate::model::json::Node;
use jiff::civil::Date;

/// Days, first and last of them included; without either there is no end to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Days {
    /// The first day.
    pub from: Option<Date>,
    /// The last day.
    pub to: Option<Date>,
}

impl Days {
    /// Whether a day is one of them.
    pub fn contains(self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }
}

/// One lawful combination. `*` at the end of a code stands for any rest, alone for any code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// 照会者の機関コード.
    pub inquirer: String,
    /// 事務コード.
    pub affair: String,
    /// 事務手続コード; `None`: any of the affair.
    pub procedure: Option<String>,
    /// 提供者の機関コード or 市区町村コード.
    pub provider: String,
    /// 特定個人情報名コード.
    pub information: String,
    /// Days in Japan on which it may be asked for.
    pub valid: Days,
}

/// The list and where a document names each part.
#[derive(Clone, Debug)]
pub struct Permit {
    /// Name of the list's file.
    pub list: String,
    /// The combinations.
    pub permissions: Vec<Permission>,
    /// Where the outgoing document names the 照会者.
    pub inquirer: Path,
    /// Where it names the 事務.
    pub affair: Path,
    /// Where it names the 事務手続.
    pub procedure: Option<Path>,
    /// Where it names the 提供者.
    pub provider: Path,
    /// Where it names the 特定個人情報.
    pub information: Path,
}

impl Permit {
    /// Whether the list holds, for a day in Japan, the combination that the outgoing document names.
    pub fn allows(&self, document: Node<'_>, day: Date) -> bool {
        let text = |path: &Path| path.node(document).and_then(Node::as_str);
        let (Some(inquirer), Some(affair), Some(provider), Some(information)) = (
            text(&self.inquirer),
            text(&self.affair),
            text(&self.provider),
            text(&self.information),
        ) else {
            return false;
        };
        let procedure = self.procedure.as_ref().and_then(text);
        self.permissions.iter().any(|permission| {
            permission.valid.contains(day)
                && permission.inquirer == inquirer.trim_end()
                && covers(&permission.affair, affair)
                && covers(&permission.provider, provider.trim_end())
                && covers(&permission.information, information)
                && permission.procedure.as_deref().is_none_or(|wanted| {
                    procedure.is_some_and(|procedure| covers(wanted, procedure))
                })
        })
    }
}

/// Whether a code of the list, with or without a `*` at its end, covers one of a document.
fn covers(listed: &str, code: &str) -> bool {
    match listed.strip_suffix('*') {
        Some(beginning) => code.starts_with(beginning),
        None => listed == code,
    }
}

#[cfg(test)]
mod tests {
    use super::{Days, Permission, Permit};
    use crate::mapping::path::Path;
    use serde_json::json;

    fn permission(affair: &str, provider: &str, valid: Days) -> Permission {
        Permission {
            inquirer: "131237".to_owned(),
            affair: affair.to_owned(),
            procedure: None,
            provider: provider.to_owned(),
            information: "TM00000000000053".to_owned(),
            valid,
        }
    }

    #[test]
    fn a_line_holds_on_its_days_and_for_the_codes_it_covers() {
        let path = |text: &str| Path::parse(text).unwrap();
        let day = |text: &str| text.parse().unwrap();
        let year = Days { from: Some(day("2026-04-01")), to: Some(day("2027-03-31")) };
        let later = Days { from: Some(day("2028-04-01")), to: None };
        let permit = Permit {
            list: "list".to_owned(),
            permissions: vec![
                permission("JM14", "1312*", year),
                permission("JM2*", "*", Days::default()),
                permission("JM3", "131237", later),
            ],
            inquirer: path("a"),
            affair: path("b"),
            procedure: None,
            provider: path("c"),
            information: path("d"),
        };
        for (affair, provider, on, allowed) in [
            ("JM14", "131237", "2026-04-01", true),
            ("JM14", "131237", "2027-03-31", true),
            ("JM14", "131237", "2026-03-31", false),
            ("JM14", "131237", "2027-04-01", false),
            ("JM14", "131300", "2026-04-01", false),
            ("JM141", "131237", "2026-04-01", false),
            ("JM2", "990001", "1999-01-01", true),
            ("JM27", "990001", "2099-01-01", true),
            ("JM3", "131237", "2028-03-31", false),
            ("JM3", "131237", "2028-04-01", true),
            ("JM4", "131237", "2026-04-01", false),
        ] {
            let document =
                json!({"a": "131237", "b": affair, "c": provider, "d": "TM00000000000053"});
            let found = permit.allows((&document).into(), day(on));
            assert_eq!(found, allowed, "{affair} {provider} {on}");
        }
    }
}
