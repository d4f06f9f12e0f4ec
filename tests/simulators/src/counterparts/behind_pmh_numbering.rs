//! The three behind PMH, each with what it may know: 医療保険者等向け中間サーバー (個人番号, 紐付番号,
//! PMH-ID), オンライン資格確認等システム (紐付番号, 仮名識別子), マイナポータル (仮名識別子, シリアル番号, PMH仮名識別子).

use crate::counterparts::behind_pmh::Insured;
use std::collections::{BTreeMap, BTreeSet};

/// 個人番号 and 基本5情報 are not of one person.
pub const MISMATCH: &str = "E0501";
/// The 個人番号 is nobody's.
pub const UNKNOWN: &str = "E0502";

type Known = BTreeMap<String, Insured>;

/// The 医療保険者等向け中間サーバー.
#[derive(Default)]
pub struct Insurers {
    people: BTreeMap<String, Person>,
}

struct Person {
    basic: BTreeMap<&'static str, String>,
    linkage: String,
    pmh_id: String,
    is_numbered: bool,
}

/// The answer to a request for a PMH-ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// PMH-ID.
    pub pmh_id: String,
    /// 紐付番号: goes to the オンライン資格確認等システム with the PMH-ID.
    pub linkage: String,
    /// Whether it was given now.
    pub is_new: bool,
}

impl Insurers {
    /// Knows these people by their 個人番号.
    pub fn new(known: &Known) -> Self {
        let person = |one: &Insured| Person {
            basic: one.basic.clone(),
            linkage: one.linkage.clone(),
            pmh_id: one.pmh_id.clone(),
            is_numbered: one.is_numbered,
        };
        Insurers { people: known.iter().map(|(mine, one)| (mine.clone(), person(one))).collect() }
    }

    /// Gives the PMH-ID of a person: the one they have, or a new one. Before that 基本5情報 are
    /// compared: whose differ is not numbered.
    ///
    /// # Errors
    /// [`UNKNOWN`], [`MISMATCH`].
    pub fn number(
        &mut self,
        my_number: &str,
        basic: &BTreeMap<&'static str, String>,
    ) -> Result<Numbered, &'static str> {
        let person = self.people.get_mut(my_number).ok_or(UNKNOWN)?;
        if person.basic != *basic {
            return Err(MISMATCH);
        }
        let is_new = !std::mem::replace(&mut person.is_numbered, true);
        let (pmh_id, linkage) = (person.pmh_id.clone(), person.linkage.clone());
        Ok(Numbered { pmh_id, linkage, is_new })
    }
}

/// The オンライン資格確認等システム.
#[derive(Default)]
pub struct Qualification {
    /// 仮名識別子 by 紐付番号.
    pseudonyms: BTreeMap<String, String>,
}

impl Qualification {
    /// Knows these people by their 紐付番号.
    pub fn new(known: &Known) -> Self {
        let pair = |one: &Insured| (one.linkage.clone(), one.pseudonym.clone());
        Qualification { pseudonyms: known.values().map(pair).collect() }
    }

    /// The 仮名識別子 that goes to マイナポータル with a PMH-ID.
    pub fn link(&self, linkage: &str) -> Option<String> {
        self.pseudonyms.get(linkage).cloned()
    }
}

/// マイナポータル, as far as PMH is concerned. It keeps no PMH-ID.
#[derive(Default)]
pub struct Portal {
    /// シリアル番号 and the PMH仮名識別子 it will make, by 仮名識別子.
    cards: BTreeMap<String, (String, String)>,
    /// PMH仮名識別子 that were made, by シリアル番号.
    made: BTreeMap<String, String>,
    all: BTreeSet<String>,
}

impl Portal {
    /// Knows these people by their cards.
    pub fn new(known: &Known) -> Self {
        let one = |one: &Insured| {
            (one.pseudonym.clone(), (one.serial.clone(), one.pmh_pseudonym.clone()))
        };
        Portal { cards: known.values().map(one).collect(), ..Portal::default() }
    }

    /// Makes the PMH仮名識別子 of a person, which goes to PMH with the PMH-ID.
    pub fn link(&mut self, pseudonym: &str) -> Option<String> {
        let (serial, made) = self.cards.get(pseudonym)?;
        self.made.insert(serial.clone(), made.clone());
        self.all.insert(made.clone());
        Some(made.clone())
    }

    /// Whose card it is, as PMH knows them.
    pub fn by_card(&self, serial: &str) -> Option<&str> {
        self.made.get(serial).map(String::as_str)
    }

    /// Whether this PMH仮名識別子 is one of its own.
    pub fn has_made(&self, pmh_pseudonym: &str) -> bool {
        self.all.contains(pmh_pseudonym)
    }
}
