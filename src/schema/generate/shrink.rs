//! Makes a document that shows a fault as small as it gets, and keeps it valid.

use serde_json::Value;

/// The smallest document found that is still `valid` and still fails (`fails`), after at most
/// `steps` tries. Members go first, then elements, then texts and numbers become simple ones.
pub fn shrink(
    document: &Value,
    steps: usize,
    valid: impl Fn(&Value) -> bool,
    mut fails: impl FnMut(&Value) -> bool,
) -> Value {
    let mut best = document.clone();
    let mut left = steps;
    // Every change makes the document smaller in the order of `simpler`, so that this ends.
    'again: loop {
        let mut places = Vec::new();
        collect(&best, &mut Vec::new(), &mut places);
        for place in &places {
            let Some(value) = at(&best, place) else { continue };
            for simple in simpler(value) {
                let Some(next) = left.checked_sub(1) else { return best };
                left = next;
                let mut tried = best.clone();
                let Some(there) = at_mut(&mut tried, place) else { continue };
                *there = simple;
                if valid(&tried) && fails(&tried) {
                    best = tried;
                    continue 'again;
                }
            }
        }
        return best;
    }
}

/// A step down: the `n`th member or element.
type Way = Vec<usize>;

/// Every place, outermost first.
fn collect(value: &Value, way: &mut Way, into: &mut Vec<Way>) {
    into.push(way.clone());
    let mut below = |inner: Vec<&Value>| {
        for (index, inner) in inner.into_iter().enumerate() {
            way.push(index);
            collect(inner, way, into);
            way.pop();
        }
    };
    match value {
        Value::Object(members) => below(members.values().collect()),
        Value::Array(elements) => below(elements.iter().collect()),
        _ => {}
    }
}

fn at<'v>(value: &'v Value, way: &[usize]) -> Option<&'v Value> {
    way.iter().try_fold(value, |here, index| match here {
        Value::Object(members) => members.values().nth(*index),
        Value::Array(elements) => elements.get(*index),
        _ => None,
    })
}

fn at_mut<'v>(value: &'v mut Value, way: &[usize]) -> Option<&'v mut Value> {
    way.iter().try_fold(value, |here, index| match here {
        Value::Object(members) => members.values_mut().nth(*index),
        Value::Array(elements) => elements.get_mut(*index),
        _ => None,
    })
}

/// Simpler values for a place, the boldest step first.
fn simpler(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Bool(flag) => {
            if *flag {
                vec![Value::Bool(false)]
            } else {
                Vec::new()
            }
        }
        Value::Number(number) => numbers(number),
        Value::String(text) => texts(text).into_iter().map(Value::String).collect(),
        Value::Array(elements) => arrays(elements),
        Value::Object(members) => {
            let without = |gone: &String| {
                let mut rest = members.clone();
                rest.shift_remove(gone);
                Value::Object(rest)
            };
            let mut all = Vec::new();
            if members.len() > 1 {
                all.push(Value::Object(serde_json::Map::new()));
            }
            all.extend(members.keys().map(without));
            all
        }
    }
}

fn arrays(elements: &[Value]) -> Vec<Value> {
    let mut all = Vec::new();
    let mut chunk = elements.len();
    while chunk > 0 {
        for start in (0..elements.len()).step_by(chunk) {
            let kept = elements.iter().enumerate();
            let kept = kept.filter(|(at, _)| *at < start || *at >= start + chunk);
            all.push(Value::Array(kept.map(|(_, element)| element.clone()).collect()));
        }
        chunk /= 2;
    }
    all
}

fn numbers(number: &serde_json::Number) -> Vec<Value> {
    let mut all = Vec::new();
    if let Some(whole) = number.as_i64() {
        let halves = [0, 1, whole / 2, whole - whole.signum()];
        all.extend(halves.iter().filter(|n| n.abs() < whole.abs()).map(|n| Value::from(*n)));
        if whole < 0 {
            all.extend(whole.checked_neg().map(Value::from));
        }
    } else if let Some(value) = number.as_f64() {
        let whole = value.trunc();
        if whole.abs() < 1e15 {
            all.push(Value::from(whole as i64));
        }
    }
    all
}

/// Shorter texts, then texts whose characters are simpler.
fn texts(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let mut all = Vec::new();
    let mut chunk = letters.len();
    while chunk > 0 {
        // Of a long text not every character is tried alone: the halves lead there.
        for start in (0..letters.len()).step_by(chunk).take(64) {
            let kept = letters.iter().enumerate();
            let kept = kept.filter(|(at, _)| *at < start || *at >= start + chunk);
            all.push(kept.map(|(_, letter)| *letter).collect());
        }
        chunk /= 2;
    }
    let plain: String = letters.iter().map(|letter| simple(*letter)).collect();
    if plain != text {
        all.push(plain);
        for (index, letter) in letters.iter().enumerate().take(64) {
            if simple(*letter) != *letter {
                let mut changed = letters.clone();
                if let Some(place) = changed.get_mut(index) {
                    *place = simple(*letter);
                }
                all.push(changed.into_iter().collect());
            }
        }
    }
    all
}

/// The plainest character of the same kind.
fn simple(letter: char) -> char {
    match letter {
        '0'..='9' => '0',
        'a'..='z' => 'a',
        'A'..='Z' => 'A',
        c if c.is_ascii() => c,
        'あ'..='ん' => 'あ',
        'ァ'..='ヶ' => 'ア',
        '一'..='龯' => '一',
        c if c.is_alphanumeric() => '一',
        c => c,
    }
}
