//! Objects: `merge(a, b, …)` and `omit(object, key, …)`.

use std::collections::HashMap;
use std::sync::Arc;

use kube_cel::cel::Value as CelValue;
use kube_cel::cel::objects::{Key, KeyRef, Map};

use super::{Meter, word};

/// One object of several; of a key that two have, the later's value. Null adds nothing.
pub(super) fn merge(operands: &[CelValue], _: &Meter) -> Result<CelValue, String> {
    let mut merged: HashMap<Key, CelValue> = HashMap::new();
    for operand in operands {
        match operand {
            CelValue::Map(map) => {
                let members = map.map.iter();
                merged.extend(members.map(|(name, value)| (name.clone(), value.clone())));
            }
            CelValue::Null => {}
            other => return Err(format!("merge takes objects, not {}", word(other))),
        }
    }
    Ok(object(merged))
}

/// The object without some keys, which are named one by one or in a list.
pub(super) fn omit(operands: &[CelValue], _: &Meter) -> Result<CelValue, String> {
    let Some((from, names)) = operands.split_first() else {
        return Err("omit takes an object and keys".to_owned());
    };
    let mut kept = match from {
        CelValue::Map(map) => HashMap::clone(&map.map),
        CelValue::Null => HashMap::new(),
        other => return Err(format!("omit takes an object, not {}", word(other))),
    };
    for name in names {
        match name {
            CelValue::List(names) => names
                .iter()
                .try_for_each(|name| drop_key(&mut kept, name))?,
            name => drop_key(&mut kept, name)?,
        }
    }
    Ok(object(kept))
}

fn drop_key(from: &mut HashMap<Key, CelValue>, name: &CelValue) -> Result<(), String> {
    let CelValue::String(text) = name else {
        return Err(format!("omit takes keys as text, not {}", word(name)));
    };
    let key = KeyRef::String(text);
    from.retain(|name, _| !matches!((name, &key), (Key::String(name), KeyRef::String(key)) if name.as_str() == *key));
    Ok(())
}

fn object(members: HashMap<Key, CelValue>) -> CelValue {
    CelValue::Map(Map {
        map: Arc::new(members),
    })
}
