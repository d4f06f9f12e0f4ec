//! Whose a store is: the municipalities whose messages it holds. A store remembers them from its
//! first start and is opened for no others (ADR 0038).

use super::{Keys, StoreError};
use crate::model::codes::store as codes;
use std::collections::BTreeSet;

/// Under which name `meta` keeps whose the store is.
pub(super) const OWNER: &str = "municipalities";
/// Under which name `meta` keeps what the keys derive.
pub(super) const KEYS: &str = "keys";

/// The municipalities of a configuration, as the store keeps them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    now: String,
    formerly: Option<String>,
}

impl Owner {
    /// Of 団体コード, and of those that the store belonged to before a merger or a change of code.
    pub fn new(municipalities: &[String], formerly: &[String]) -> Owner {
        let formerly = (!formerly.is_empty()).then(|| joined(formerly));
        Owner { now: joined(municipalities), formerly }
    }

    /// The 団体コード, sorted, joined by spaces: how the store and a backup's manifest keep them.
    pub fn as_str(&self) -> &str {
        &self.now
    }
}

fn joined(codes: &[String]) -> String {
    let sorted: BTreeSet<&str> = codes.iter().map(String::as_str).collect();
    sorted.into_iter().collect::<Vec<_>>().join(" ")
}

/// What a store is to remember when it is opened: `None` where it does already. `stored` is what it
/// remembers: nothing, where it is new or of a version that did not.
///
/// # Errors
/// `T108` when it is another municipality's.
pub(super) fn bind<'k>(
    stored: Option<&str>,
    keys: &'k Keys,
) -> Result<Option<&'k str>, StoreError> {
    let Some(owner) = keys.owner() else { return Ok(None) };
    match stored {
        Some(stored) if stored == owner.now => Ok(None),
        None => Ok(Some(&owner.now)),
        Some(stored) if owner.formerly.as_deref() == Some(stored) => Ok(Some(&owner.now)),
        Some(stored) => {
            let detail = format!("it is of {stored}, the configuration of {}", owner.now);
            Err(StoreError::new(&codes::STORE_OF_ANOTHER, detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    fn of(municipalities: &[&str], formerly: &[&str]) -> Keys {
        let texts =
            |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect::<Vec<_>>();
        let master = ("k1".to_owned(), Secret::new(vec![1; 32]));
        let keys = Keys::from_masters("k1", vec![master]).unwrap();
        keys.of(Owner::new(&texts(municipalities), &texts(formerly)))
    }

    #[test]
    fn a_store_is_bound_once_and_opened_for_no_other() {
        let here = of(&["131237", "011002"], &[]);
        assert_eq!(bind(None, &here).unwrap(), Some("011002 131237"));
        assert_eq!(bind(Some("011002 131237"), &here).unwrap(), None);
        for other in ["131237", "011002", "", "011002 131237 131130"] {
            assert_eq!(bind(Some(other), &here).unwrap_err().code.code, "T108", "{other}");
        }
    }

    #[test]
    fn a_change_of_code_is_said_in_words() {
        let merged = of(&["131130"], &["131237"]);
        assert_eq!(bind(Some("131237"), &merged).unwrap(), Some("131130"));
        assert_eq!(bind(Some("131130"), &merged).unwrap(), None, "it may stay in the file");
        assert_eq!(bind(Some("011002"), &merged).unwrap_err().code.code, "T108");
    }
}
