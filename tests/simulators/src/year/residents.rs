//! Changes of residents, as the 統合DB tells them.

use super::pen::Pen;
use super::routes::HEALTH;
use crate::counterparts::INTEGRATED_DATABASE;
use crate::counterparts::waiting::Waiting;
use crate::municipality::MUNICIPALITY;
use crate::municipality::names::Address;
use crate::municipality::people::Person;
use jiff::civil::Date;
use serde_json::json;

/// A person's change number `history` for a reason (異動事由), told on a day.
pub fn change(pen: &mut Pen, day: Date, person: &Person, reason: &str, history: usize) {
    let at = pen.arrives(day, "resident.changed", INTEGRATED_DATABASE);
    let day = pen.days.from(day).to_string();
    let number = format!("J-{:06}-{history:02}", person.index);
    let (prefecture, city) = Address::PLACE;
    let address = &person.address;
    let mut document = json!({"idotsuban": number, "shikuchosonkodo": MUNICIPALITY,
        "atenabango": person.atena_number, "rirekibango": history, "idojiyu": reason,
        "idonengappi": day, "shimei": person.name, "shimei_furigana": person.kana,
        "seibetsu": person.sex_code(), "seinengappi": person.birth,
        "jusho_yubinbango": address.postal_code, "jusho_todofuken": prefecture,
        "jusho_shikugunchosonmei": city, "jusho_choaza": address.town,
        "jusho_banchigohyoki": address.lot,
        "shiensochifuragu": if person.not_disclosed { "1" } else { "0" }});
    if let Some(map) = document.as_object_mut() {
        map.extend(person.my_number.iter().map(|one| ("kojinbango".to_owned(), json!(one))));
        map.extend(address.building.iter().map(|one| ("jusho_katagaki".to_owned(), json!(one))));
    }
    let event = match reason {
        "10" => "moved-in",
        "11" => "born",
        "12" => "moved-within",
        "20" => "moved-out",
        _ => "died",
    };
    let item = [
        ("event", event.to_owned()),
        ("date", day),
        ("revision", history.to_string()),
        ("person", person.atena_number.clone()),
        ("number", person.my_number.clone().unwrap_or_default()),
        ("name", person.name.clone()),
        ("kana", person.kana.clone()),
        ("birth", person.birth.clone()),
        ("sex", person.sex.to_owned()),
        ("postal", address.postal_code.clone()),
        ("town", address.town.clone()),
        ("lot", address.lot.clone()),
        ("building", address.building.clone().unwrap_or_default()),
        ("hidden", person.not_disclosed.to_string()),
    ];
    let item = item.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
    pen.truth.put(HEALTH, "resident", &number, item);
    pen.knowledge.residents.push(Waiting { number, at, document });
}
