//! Objects and arrays.

use super::node::{Additional, Constraints, Node};
use super::{Maker, Unsatisfied, VALUES, anything, text, unsatisfied};
use crate::model::json::escape;
use serde_json::{Map, Value};
use std::sync::Arc;

/// How often one element of an array without repetitions is tried.
const ELEMENTS: usize = 60;

impl Maker<'_> {
    pub(super) fn object(&mut self, place: &Constraints, path: &str) -> Result<Value, Unsatisfied> {
        let chosen = self.members(place);
        let mut object = Map::new();
        for (name, node) in &place.properties {
            if !chosen.contains(name) {
                continue;
            }
            let inner = format!("{path}/{}", escape(name));
            match self.value(node, &inner) {
                Ok(value) => {
                    object.insert(name.clone(), value);
                }
                // An optional member that cannot be is one that is never there.
                Err(_) if !place.required.contains(name) => {}
                Err(error) => return Err(error),
            }
        }
        for name in &place.required {
            if !object.contains_key(name) {
                let value = self.undeclared(place, name, path)?;
                object.insert(name.clone(), value);
            }
        }
        self.further(place, path, &mut object)?;
        Ok(Value::Object(object))
    }

    /// Which declared members are there.
    fn members(&mut self, place: &Constraints) -> Vec<String> {
        let mut chosen: Vec<String> = place.required.clone();
        let full = self.values > VALUES;
        for (name, node) in &place.properties {
            let there = match self.mood {
                _ if full || node.own.never || place.forbidden.contains(name) => false,
                0 => false,
                1 => true,
                _ => self.chance.one_in(2),
            };
            if there && !chosen.contains(name) {
                chosen.push(name.clone());
            }
        }
        let optional: Vec<String> = place
            .properties
            .iter()
            .filter(|(name, node)| !node.own.never && !place.forbidden.contains(name))
            .map(|(name, _)| name.clone())
            .collect();
        while chosen.len() < place.min_properties {
            let missing: Vec<&String> =
                optional.iter().filter(|name| !chosen.contains(name)).collect();
            let Some(name) = self.chance.pick(&missing) else { break };
            chosen.push(String::clone(name));
        }
        while chosen.len() > place.max_properties {
            let droppable: Vec<usize> = (0..chosen.len())
                .filter(|at| chosen.get(*at).is_some_and(|name| !place.required.contains(name)))
                .collect();
            let Some(at) = self.chance.pick(&droppable) else { break };
            chosen.remove(*at);
        }
        let mut next = 0;
        while let Some(name) = chosen.get(next).cloned() {
            let needed = place.dependent.iter().filter(|(member, _)| *member == name);
            for other in needed.flat_map(|(_, needed)| needed) {
                if !chosen.contains(other) {
                    chosen.push(other.clone());
                }
            }
            next += 1;
        }
        chosen
    }

    /// A member that the schema does not name, but may describe.
    fn undeclared(
        &mut self,
        place: &Constraints,
        name: &str,
        path: &str,
    ) -> Result<Value, Unsatisfied> {
        let inner = format!("{path}/{}", escape(name));
        match place.undeclared(name) {
            Additional::Never => Err(unsatisfied(&inner, "it is required and not allowed")),
            Additional::Of(node) => self.value(&node, &inner),
            Additional::Open => match &place.unevaluated {
                Additional::Of(node) => self.value(&Arc::clone(node), &inner),
                _ => Ok(anything(self.chance)),
            },
        }
    }

    /// Undeclared members: as many as must be, and sometimes some more where they may be.
    fn further(
        &mut self,
        place: &Constraints,
        path: &str,
        object: &mut Map<String, Value>,
    ) -> Result<(), Unsatisfied> {
        let closed = matches!(place.additional, Additional::Never)
            || matches!(place.unevaluated, Additional::Never);
        if closed && place.named.is_empty() {
            return Ok(()); // too few members is the validator's to tell
        }
        let missing = place.min_properties.saturating_sub(object.len());
        let wanted = match self.mood {
            0 => missing,
            _ if self.values > VALUES => missing,
            _ => missing + self.chance.below(3).saturating_sub(1),
        };
        let room = place.max_properties.saturating_sub(object.len());
        for _ in 0..wanted.min(room) {
            let Some(name) = self.name(place) else { continue };
            if place.properties.iter().any(|(known, _)| *known == name)
                || object.contains_key(&name)
                || place.forbidden.contains(&name)
            {
                continue;
            }
            let value = self.undeclared(place, &name, path)?;
            object.insert(name, value);
        }
        Ok(())
    }

    fn name(&mut self, place: &Constraints) -> Option<String> {
        if let Some((pattern, _)) = self.chance.pick(&place.named) {
            return Some(pattern.sample(4, self.chance));
        }
        match &place.names {
            Some(node) => text::text(&node.decided(self.chance), self.chance),
            None => {
                let names = ["extra", "髙", "a b", "x-1", "𠮷", "0"];
                self.chance.pick(&names).map(|name| (*name).to_owned())
            }
        }
    }

    pub(super) fn array(&mut self, place: &Constraints, path: &str) -> Result<Value, Unsatisfied> {
        let mut elements = Vec::new();
        let length = self.length(place);
        for index in 0..length {
            let inner = format!("{path}/{index}");
            let node = place.prefix.get(index).or(place.items.as_ref()).cloned();
            let needed = place
                .contains
                .iter()
                .find_map(|(node, least)| (index < *least).then(|| Arc::clone(node)));
            let node = match (node, needed) {
                (Some(node), Some(needed)) => Some(Arc::new(Node::clone(&node).and(&needed))),
                (node, needed) => node.or(needed),
            };
            match self.element(node.as_deref(), place.unique, &elements, &inner) {
                Ok(element) => elements.push(element),
                // Without repetitions there may simply be no further value.
                Err(_) if elements.len() >= place.min_items => break,
                Err(error) => return Err(error),
            }
        }
        Ok(Value::Array(elements))
    }

    fn length(&mut self, place: &Constraints) -> usize {
        let needed = place.contains.iter().map(|(_, least)| *least).max().unwrap_or(0);
        let least = place.min_items.max(needed);
        let most = place.max_items.max(least);
        if self.values > VALUES {
            return least;
        }
        match self.chance.below(8) {
            0 => least,
            1 => least.max(1).min(most),
            2 if most <= 30 => most,
            _ => self.chance.between(least, most.min(least.saturating_add(3))),
        }
    }

    fn element(
        &mut self,
        node: Option<&Node>,
        unique: bool,
        before: &[Value],
        path: &str,
    ) -> Result<Value, Unsatisfied> {
        for _ in 0..ELEMENTS {
            let element = match node {
                Some(node) => self.value(node, path)?,
                None => anything(self.chance),
            };
            if !unique || !before.contains(&element) {
                return Ok(element);
            }
        }
        Err(unsatisfied(path, "there are not enough different elements"))
    }
}
