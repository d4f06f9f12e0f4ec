//! The documents PMH takes: their documented forms, and what of them the oracle compares.

use crate::counterparts::json::{Check, is_full_width};
use crate::counterparts::ledger::Applied;
use crate::counterparts::xml::{Form, is_date};
use crate::numbers::{is_atena_number, is_my_number};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// One element of a registration array.
pub trait Item: DeserializeOwned {
    /// Checks every field.
    fn check(&self, check: &mut Check);
    /// Its business key in [`crate::counterparts::Knowledge::refused`] form, and what it does.
    fn applied(self) -> (String, Applied);
}

/// A revision or dose number: a JSON integer, or the same as digits.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Number {
    /// A JSON integer.
    Integer(u64),
    /// Digits.
    Digits(String),
}

impl Number {
    /// Its digits.
    pub fn text(&self) -> String {
        match self {
            Number::Integer(number) => number.to_string(),
            Number::Digits(digits) => digits.clone(),
        }
    }

    /// Whether it is one to nine digits without a leading zero.
    pub fn good(&self) -> bool {
        Form::DigitsBetween(1, 9).fits(&self.text()) && !self.text().starts_with('0')
    }
}

/// 基本5情報.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BasicFiveInfo {
    name: String,
    name_kana: String,
    address: String,
    date_of_birth: String,
    sex: String,
}

/// 対象者: 登録/更新 (`1`) or 削除 (`2`).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubjectItem {
    modification_seg: String,
    my_number: String,
    municipality_identity_key: String,
    basic_five_info: Option<BasicFiveInfo>,
    is_not_disclosed: Option<bool>,
    subject_number: String,
    revision: Number,
    removal_date: Option<String>,
    removal_reason: Option<String>,
}

impl Item for SubjectItem {
    fn check(&self, check: &mut Check) {
        let removal = self.modification_seg == "2";
        check.form("modificationSeg", &self.modification_seg, Form::OneOf(&["1", "2"]));
        check.that("myNumber", is_my_number(&self.my_number));
        let key = &self.municipality_identity_key;
        check.that("municipalityIdentityKey", is_atena_number(key));
        check.form("subjectNumber", &self.subject_number, Form::Identifier(40));
        check.that("revision", self.revision.good());
        check.that("removalDate", self.removal_date.is_some() == removal);
        check.optional("removalDate", self.removal_date.as_ref(), Form::Date);
        check.that("removalReason", self.removal_reason.is_some() == removal);
        check.optional("removalReason", self.removal_reason.as_ref(), Form::Text(40));
        check.that("basicFiveInfo", self.basic_five_info.is_some() != removal);
        check.that("isNotDisclosed", self.is_not_disclosed.is_some() != removal);
        if let Some(info) = &self.basic_five_info {
            check.form("basicFiveInfo.name", &info.name, Form::Text(100));
            let kana = Form::Text(100).fits(&info.name_kana) && is_full_width(&info.name_kana);
            check.that("basicFiveInfo.nameKana", kana);
            check.form("basicFiveInfo.address", &info.address, Form::Text(300));
            check.that("basicFiveInfo.dateOfBirth", is_date(&info.date_of_birth));
            check.form("basicFiveInfo.sex", &info.sex, Form::OneOf(&["0", "1", "2"]));
        }
    }

    fn applied(self) -> (String, Applied) {
        let key = format!("{}/{}", self.subject_number, self.revision.text());
        let mut content = Content::default();
        content.put("operation", &self.modification_seg);
        content.put("my_number", &self.my_number);
        if let Some(info) = &self.basic_five_info {
            content.put("name", &info.name);
            content.put("kana", &info.name_kana);
            content.put("address", &info.address.split_whitespace().collect::<String>());
            content.put("birth", &info.date_of_birth);
            content.put("sex", &info.sex);
        }
        if let Some(hidden) = self.is_not_disclosed {
            content.put("not_disclosed", if hidden { "1" } else { "0" });
        }
        content.maybe("removal_date", self.removal_date);
        let person = self.municipality_identity_key;
        let applied =
            Applied { operation: "subject", key: key.clone(), person, content: content.0 };
        (format!("subject:{key}"), applied)
    }
}

/// 接種記録.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordItem {
    modification_seg: String,
    my_number: String,
    municipality_identity_key: String,
    vaccination_record_id: String,
    history_number: Number,
    is_deleted: String,
    vaccination_date: String,
    vaccine_code: String,
    dose_number: Number,
    lot_number: Option<String>,
    amount: Option<String>,
    medical_institution_code: Option<String>,
    doctor_name: Option<String>,
    gtin_code: Option<String>,
    vaccine_expiration_date: Option<String>,
    special_circumstances: Option<String>,
}

impl Item for RecordItem {
    fn check(&self, check: &mut Check) {
        check.form("modificationSeg", &self.modification_seg, Form::OneOf(&["1", "2"]));
        check.that("myNumber", is_my_number(&self.my_number));
        let key = &self.municipality_identity_key;
        check.that("municipalityIdentityKey", is_atena_number(key));
        check.form("vaccinationRecordId", &self.vaccination_record_id, Form::Identifier(40));
        check.that("historyNumber", self.history_number.good());
        check.form("isDeleted", &self.is_deleted, Form::OneOf(&["0", "1"]));
        check.that("vaccinationDate", is_date(&self.vaccination_date));
        check.form("vaccineCode", &self.vaccine_code, Form::Identifier(20));
        check.that("doseNumber", self.dose_number.good());
        check.optional("lotNumber", self.lot_number.as_ref(), Form::Text(40));
        check.that("amount", self.amount.as_deref().is_none_or(is_amount));
        let institution = self.medical_institution_code.as_ref();
        check.optional("medicalInstitutionCode", institution, Form::Identifier(20));
        check.optional("doctorName", self.doctor_name.as_ref(), Form::Text(100));
        check.optional("gtinCode", self.gtin_code.as_ref(), Form::Digits(14));
        let expiry = self.vaccine_expiration_date.as_ref();
        check.optional("vaccineExpirationDate", expiry, Form::Date);
        let circumstances = self.special_circumstances.as_ref();
        check.optional("specialCircumstances", circumstances, Form::Text(200));
    }

    fn applied(self) -> (String, Applied) {
        let key = format!("{}/{}", self.vaccination_record_id, self.history_number.text());
        let mut content = Content::default();
        content.put("deleted", &self.is_deleted);
        content.put("my_number", &self.my_number);
        content.put("date", &self.vaccination_date);
        content.put("vaccine", &self.vaccine_code);
        content.put("dose", &self.dose_number.text());
        content.maybe("lot", self.lot_number);
        content.maybe("amount", self.amount);
        content.maybe("doctor", self.doctor_name);
        content.maybe("institution", self.medical_institution_code);
        content.maybe("gtin", self.gtin_code);
        content.maybe("expiry", self.vaccine_expiration_date);
        content.maybe("circumstances", self.special_circumstances);
        let person = self.municipality_identity_key;
        let applied = Applied { operation: "record", key: key.clone(), person, content: content.0 };
        (format!("record:{key}"), applied)
    }
}

/// A notice: addressed by pseudonym, never by 個人番号.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NoticeBody {
    pmh_pseudonym: String,
    notice_key: String,
    title: String,
    message: String,
    valid_from: Option<String>,
    valid_until: Option<String>,
}

impl NoticeBody {
    /// Checks every field.
    pub fn check(&self, check: &mut Check) {
        check.form("pmhPseudonym", &self.pmh_pseudonym, Form::Identifier(64));
        check.form("noticeKey", &self.notice_key, Form::Identifier(64));
        check.form("title", &self.title, Form::Text(200));
        check.form("message", &self.message, Form::Text(4_000));
        check.optional("validFrom", self.valid_from.as_ref(), Form::Date);
        check.optional("validUntil", self.valid_until.as_ref(), Form::Date);
    }

    /// What it does.
    pub fn applied(self) -> Applied {
        let mut content = Content::default();
        content.put("title", &self.title);
        content.put("text", &self.message);
        Applied {
            operation: "notice",
            key: self.notice_key,
            person: self.pmh_pseudonym,
            content: content.0,
        }
    }
}

fn is_amount(text: &str) -> bool {
    let Some((whole, part)) = text.split_once('.') else { return Form::Digits(1).fits(text) };
    Form::DigitsBetween(1, 3).fits(whole) && Form::DigitsBetween(1, 3).fits(part)
}

/// The fields that the oracle compares.
#[derive(Default)]
pub struct Content(pub BTreeMap<String, String>);

impl Content {
    /// Puts a field.
    pub fn put(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    /// Puts a field when it is there.
    pub fn maybe(&mut self, name: &str, value: Option<String>) {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value);
        }
    }
}
