//! 照会許可用照合リスト: which combinations of 照会者, 事務, 提供者 and 特定個人情報 may be asked for
//! (番号法21条2項). Checked from the list before anything is sent.

use crate::mapping::path::Path;
use crate::model::json::Node;

/// One lawful combination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// 照会者の機関コード.
    pub inquirer: String,
    /// 事務コード.
    pub affair: String,
    /// 事務手続コード; `None`: any of the affair.
    pub procedure: Option<String>,
    /// 提供者の機関コード or 市区町村コード; `*` where the list names a class of providers.
    pub provider: String,
    /// 特定個人情報名コード.
    pub information: String,
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
    /// Whether the list holds the combination that the outgoing document names.
    pub fn allows(&self, document: Node<'_>) -> bool {
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
            permission.inquirer == inquirer.trim_end()
                && permission.affair == affair
                && (permission.provider == "*" || permission.provider == provider.trim_end())
                && permission.information == information
                && permission.procedure.as_deref().is_none_or(|wanted| procedure == Some(wanted))
        })
    }
}
