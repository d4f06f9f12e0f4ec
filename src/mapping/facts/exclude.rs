//! Whether a schema refuses everything that may come.

use crate::mapping::facts::{Facts, Objects, Texts, language};
use crate::schema::Shape;
use std::sync::Arc;

/// Whether nothing that may come is admitted.
pub(crate) fn excludes(facts: &Facts, shape: &Shape) -> bool {
    facts.pieces().iter().all(|piece| excludes_piece(piece, shape))
}

fn excludes_piece(piece: &Facts, shape: &Shape) -> bool {
    if shape.refused {
        return true;
    }
    let may = |name: &str| shape.types.is_empty() || shape.types.iter().any(|one| one == name);
    let kinds = piece.kinds();
    let fits = |kind: &&str| match *kind {
        "nil" => may("object"),
        "integer" => may("integer") || may("number"),
        // A number not known to be whole may still be.
        "number" => may("number") || may("integer"),
        kind => may(kind),
    };
    if !kinds.iter().any(fits) {
        return true;
    }
    if let Some(allowed) = &shape.allowed
        && !allowed.iter().any(|value| piece.may_be(value))
    {
        return true;
    }
    let bounds = &shape.bounds;
    let texts = |texts: &Texts| {
        let patterns = bounds.patterns.iter().filter_map(|one| language::translate(one));
        let mut both = texts.clone().with_length(bounds.min_length, bounds.max_length);
        if texts.only.is_some() {
            let wanted: Vec<_> = patterns.collect();
            return both
                .retain(|text| {
                    let wanted = wanted.iter().cloned().fold(Texts::any(), Texts::with_pattern);
                    wanted.with_length(bounds.min_length, bounds.max_length).may_be(text)
                })
                .is_none();
        }
        for pattern in patterns {
            both = both.with_pattern(pattern);
        }
        both.is_never()
    };
    let objects = |object: &Arc<Objects>| {
        let lacks = |name: &String| !object.member(name).may_be_present();
        let refused = shape.properties.iter().any(|property| {
            let member = object.member(&property.name);
            !member.absent && excludes(&member, &property.shape)
        });
        let undeclared = object.members.iter().any(|(name, member)| {
            !member.absent
                && shape.undeclared.iter().any(|others| {
                    others.shape.is_none()
                        && others.like.is_empty()
                        && !others.declared.iter().any(|known| **known == **name)
                })
        });
        let required = shape.properties.iter().filter(|property| property.required);
        refused
            || undeclared
            || shape.required.iter().any(lacks)
            || required.map(|property| &property.name).any(lacks)
    };
    let by_bounds = piece.texts.iter().all(texts)
        && piece.numbers.iter().all(|numbers| {
            bounds.minimum.is_some_and(|bound| numbers.most < bound)
                || bounds.maximum.is_some_and(|bound| numbers.least > bound)
        })
        && piece.arrays.iter().all(|arrays| {
            arrays.most.is_some_and(|most| most < bounds.min_items)
                || bounds.max_items.is_some_and(|most| arrays.least > most)
        })
        && piece.objects.iter().chain(&piece.nils).all(objects)
        && !(piece.null || piece.yes || piece.no);
    by_bounds
        || shape
            .choices
            .iter()
            .any(|choice| choice.options.iter().all(|option| excludes_piece(piece, option)))
}
