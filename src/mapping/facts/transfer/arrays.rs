//! What the functions over arrays give.

use super::{as_f64, count, literal, range};
use crate::mapping::facts::{Arrays, EXACT, Facts, Given, Numbers, Objects, Rest};
use std::sync::Arc;

/// An array for each variant of the first argument.
fn arrays(arguments: &[Facts], one: impl Fn(&Arrays) -> Arrays) -> Facts {
    let arrays = arguments.first().map_or(&[][..], |facts| &facts.arrays);
    arrays.iter().map(|array| Facts::from(one(array))).fold(Facts::never(), Facts::or)
}

fn element_of(array: &Arrays) -> Facts {
    array.element.clone().unwrap_or_else(Facts::any)
}

/// What a name with dots leads to in a value.
fn field(element: &Facts, name: &str) -> Facts {
    name.split('.').fold(element.clone(), |facts, name| facts.member(name))
}

/// The field that an argument names, in each element; anything when the name is not known.
fn field_of(element: &Facts, arguments: &[Facts], index: usize) -> Facts {
    match literal(arguments, index) {
        Some(name) => field(element, &name),
        None => Facts { absent: true, ..Facts::any() },
    }
}

fn is_scalar(facts: &Facts) -> bool {
    facts.arrays.is_empty() && facts.objects.is_empty() && facts.nils.is_empty()
}

pub(crate) fn element(arguments: &[Facts]) -> Given {
    let Some(array) = arguments.first() else { return Given::always(Facts::absent()) };
    let mut facts = array.element();
    facts.absent = array.arrays.iter().any(|one| one.least == 0);
    Given::always(facts)
}

pub(crate) fn items(arguments: &[Facts]) -> Given {
    let arrays = arguments.first().map_or(&[][..], |facts| &facts.arrays);
    let numbers = arrays.iter().map(|one| Facts::from(range(one.least, one.most)));
    Given::always(numbers.fold(Facts::never(), Facts::or))
}

pub(crate) fn same_array(arguments: &[Facts]) -> Given {
    let arrays = arguments.first().map(|facts| facts.arrays.clone()).unwrap_or_default();
    Given::always(Facts { arrays, ..Facts::default() })
}

pub(crate) fn flatten(arguments: &[Facts]) -> Given {
    let arrays = arguments.first().map_or(&[][..], |facts| &facts.arrays);
    let flat = arrays.iter().map(|outer| {
        let element = outer.element.clone().unwrap_or_else(Facts::any);
        let inner = element.element();
        let lengths: Option<Vec<usize>> = element.arrays.iter().map(|one| one.most).collect();
        let single = Facts { arrays: Vec::new(), ..element.clone() };
        let longest = lengths.map(|all| all.into_iter().max().unwrap_or(0));
        let longest = longest.map(|most| most.max(usize::from(single.may_be_present())));
        let most = outer.most.zip(longest).map(|(a, b)| a.saturating_mul(b));
        let least = if element.arrays.is_empty() { outer.least } else { 0 };
        Facts::from(Arrays { least, most, element: Some(single.or(inner)) })
    });
    Given::always(flat.fold(Facts::never(), Facts::or))
}

pub(crate) fn pick(arguments: &[Facts]) -> Given {
    let Some(source) = arguments.first() else { return Given::always(Facts::absent()) };
    let indices = arguments.get(1).map_or(&[][..], |facts| &facts.numbers);
    let there = |array: &Arc<Arrays>| {
        indices.iter().all(|index| {
            let front = index.least >= 0.0 && index.most < as_f64(array.least);
            front || (index.most < 0.0 && -index.least <= as_f64(array.least))
        })
    };
    let facts = source.element();
    let absent = !source.arrays.iter().all(there);
    Given::always(if absent { facts.or(Facts::absent()) } else { facts })
}

pub(crate) fn take(arguments: &[Facts]) -> Given {
    let (short, long) = count(arguments, 1);
    Given::always(arrays(arguments, |array| Arrays {
        least: array.least.min(short),
        most: array.most.into_iter().chain(long).min(),
        element: array.element.clone(),
    }))
}

pub(crate) fn drop(arguments: &[Facts]) -> Given {
    let (short, long) = count(arguments, 1);
    Given::always(arrays(arguments, |array| Arrays {
        least: long.map_or(0, |long| array.least.saturating_sub(long)),
        most: array.most.map(|most| most.saturating_sub(short)),
        element: array.element.clone(),
    }))
}

pub(crate) fn values_of(arguments: &[Facts]) -> Given {
    Given::always(arrays(arguments, |array| {
        let found = field_of(&element_of(array), arguments, 1);
        Arrays {
            least: if found.absent { 0 } else { array.least },
            most: array.most,
            element: Some(found.present()),
        }
    }))
}

pub(crate) fn append(arguments: &[Facts]) -> Given {
    let mut all = Arrays { least: 0, most: Some(0), element: Some(Facts::never()) };
    for argument in arguments {
        all.least += argument.arrays.iter().map(|one| one.least).min().unwrap_or(0);
        let most: Option<Vec<usize>> = argument.arrays.iter().map(|one| one.most).collect();
        let most = most.map(|all| all.into_iter().max().unwrap_or(0));
        all.most = all.most.zip(most).map(|(a, b)| a.saturating_add(b));
        all.element = all.element.map(|element| element.or(argument.element()));
    }
    Given::always(all)
}

pub(crate) fn list(arguments: &[Facts]) -> Given {
    let element = arguments.iter().cloned().fold(Facts::never(), Facts::or);
    let many = arguments.len();
    Given::always(Arrays { least: many, most: Some(many), element: Some(element) })
}

pub(crate) fn sum(arguments: &[Facts]) -> Given {
    let mut fails = None;
    let mut facts = Facts::never();
    let arrays = arguments.first().map_or(&[][..], |facts| &facts.arrays);
    for array in arrays {
        let element = if array.most == Some(0) { Facts::never() } else { element_of(array) };
        let numbers = Facts { numbers: element.numbers.clone(), ..Facts::default() };
        if numbers != element || !numbers.numbers.iter().all(Numbers::is_exact) {
            fails = Some("an element may be no whole number of at most 15 digits".to_owned());
        }
        let least = numbers.numbers.iter().map(|one| one.least).fold(0.0, f64::min);
        let most = numbers.numbers.iter().map(|one| one.most).fold(0.0, f64::max);
        let many = array.most.map_or(f64::INFINITY, as_f64);
        // Sums within 53 bits are computed without rounding here too.
        let safe = |bound: f64| bound == 0.0 || (bound * many).abs() <= EXACT;
        if fails.is_none() && safe(least) && safe(most) {
            let of = |bound: f64| if bound == 0.0 { 0.0 } else { bound * many };
            facts = facts.or(Numbers::whole(of(least), of(most)).into());
        } else {
            fails.get_or_insert_with(|| "the sum may have more than 15 digits".to_owned());
            facts = facts.or(Numbers::whole(-1e19, 1e19).into());
        }
    }
    Given { facts, fails }
}

pub(crate) fn distinct(arguments: &[Facts]) -> Given {
    Given::always(arrays(arguments, |array| Arrays {
        least: array.least.min(1),
        most: array.most,
        element: array.element.clone(),
    }))
}

/// Why elements may have no key to be found by.
fn keyless(element: &Facts, arguments: &[Facts], index: usize) -> Option<String> {
    let key = field_of(element, arguments, index);
    (!is_scalar(&key)).then(|| "the field may be neither text nor number, true or false".to_owned())
}

fn object(members: Vec<(&str, Facts)>) -> Facts {
    let members = members.into_iter().map(|(name, facts)| (Arc::from(name), facts)).collect();
    Facts::object(Objects { members, rest: Rest::None })
}

pub(crate) fn group_by(arguments: &[Facts]) -> Given {
    let element = arguments.first().map(Facts::element).unwrap_or_default();
    let fails = keyless(&element, arguments, 1);
    let facts = arrays(arguments, |array| {
        let element = element_of(array);
        let key = field_of(&element, arguments, 1);
        let items = Arrays { least: 1, most: array.most, element: Some(element) };
        let least = if key.absent || key.null { 0 } else { array.least.min(1) };
        let group = object(vec![("key", key.value()), ("items", items.into())]);
        Arrays { least, most: array.most, element: Some(group) }
    });
    Given { facts, fails }
}

pub(crate) fn zip_by(arguments: &[Facts]) -> Given {
    let other = arguments.get(1).map(Facts::element).unwrap_or_default();
    let element = arguments.first().map(Facts::element).unwrap_or_default();
    let fails = keyless(&element, arguments, 2).or_else(|| keyless(&other, arguments, 2));
    let facts = arrays(arguments, |array| {
        let right = other.clone().or(Facts::absent());
        let pair = object(vec![("left", element_of(array)), ("right", right)]);
        Arrays { least: array.least, most: array.most, element: Some(pair) }
    });
    Given { facts, fails }
}

pub(crate) fn extreme(arguments: &[Facts]) -> Given {
    let mut facts = Facts::never();
    let mut fails = None;
    for array in arguments.first().map_or(&[][..], |facts| &facts.arrays) {
        let element = if array.most == Some(0) { Facts::never() } else { element_of(array) };
        let texts = Facts { texts: element.texts.clone(), ..Facts::default() };
        let numbers = Facts { numbers: element.numbers.clone(), ..Facts::default() };
        if element != texts && element != numbers {
            fails = Some("the elements may be neither numbers only nor texts only".to_owned());
        }
        facts = facts.or(texts).or(numbers);
        facts.absent |= array.least == 0;
    }
    Given { facts, fails }
}
