//! The objects of all files: each once, each with its place, each read as what it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use dragoman_config::manifest::{self, DEFAULT_NAMESPACE, Read, Schemas};
use dragoman_config::{Key, Kind, Object, ObjectKey};
use serde_json::Value;

use super::document::Document;
use super::{Fault, Files};

/// Where an object stands.
#[derive(Debug)]
pub(super) struct Place {
    file: PathBuf,
    document: Document,
}

impl Place {
    fn fault(&self, object: &str, field: &str, message: impl Into<String>) -> Fault {
        Fault {
            file: self.file.clone(),
            line: self.document.line(field),
            object: object.to_owned(),
            field: field.to_owned(),
            message: message.into(),
        }
    }
}

/// The objects of all files.
#[derive(Debug, Default)]
pub(super) struct Objects {
    /// Number of objects, those that are not understood included.
    pub(super) count: usize,
    /// The objects that a world takes in.
    pub(super) known: Vec<Object>,
    /// Labels of each namespace that an object is in.
    pub(super) namespaces: BTreeMap<String, BTreeMap<String, String>>,
    /// The LLMProxies, in the order of the files.
    pub(super) proxies: Vec<ObjectKey>,
    /// Resources that cannot be read: their faults are told already.
    pub(super) malformed: BTreeSet<Key>,
    /// What is wrong.
    pub(super) faults: Vec<Fault>,
    places: BTreeMap<String, Place>,
    /// The fields of each object whose faults its manifest alone shows.
    blamed: BTreeSet<(String, String)>,
}

impl Objects {
    /// Reads the objects of `files`.
    #[must_use]
    pub(super) fn read(files: Files, schemas: &Schemas) -> Self {
        let mut all = Self {
            faults: files.faults,
            ..Self::default()
        };
        for (file, text) in files.texts {
            let json = file
                .extension()
                .is_some_and(|it| it.eq_ignore_ascii_case("json"));
            let documents = if json {
                Document::from_json(&text)
            } else {
                Document::from_yaml(&text)
            };
            match documents {
                Ok(documents) => {
                    for document in documents.into_iter().flat_map(Document::objects) {
                        all.add(&file, document, schemas);
                    }
                }
                Err(fault) => {
                    let mut told = Fault::of_file(&file, fault.message);
                    told.line = fault.line;
                    all.faults.push(told);
                }
            }
        }
        all
    }

    /// The fault `message` of the object called `object`, at `field`.
    pub(super) fn blame(&mut self, object: &str, field: &str, message: impl Into<String>) {
        if let Some(place) = self.places.get(object) {
            self.faults.push(place.fault(object, field, message));
        }
    }

    /// Whether the manifest alone shows a fault of that field, of the list that it is an element of, or of its regex, where
    /// compiling blames what the regex stands in.
    pub(super) fn is_blamed(&self, object: &str, field: &str) -> bool {
        let list = field
            .strip_suffix(']')
            .and_then(|field| field.rsplit_once('['));
        let fields = [
            Some(field.to_owned()),
            Some(format!("{field}.regex")),
            list.map(|(list, _)| list.to_owned()),
        ];
        let mut fields = fields.into_iter().flatten();
        fields.any(|field| self.blamed.contains(&(object.to_owned(), field)))
    }

    /// Whether the object's manifest alone shows a fault.
    pub(super) fn is_faulty(&self, object: &str) -> bool {
        let first = (object.to_owned(), String::new());
        let next = self.blamed.range(first..).next();
        next.is_some_and(|(blamed, _)| blamed == object)
    }

    fn add(&mut self, file: &Path, document: Document, schemas: &Schemas) {
        self.count += 1;
        let value = &document.value;
        let text = |path: &str| {
            value
                .pointer(path)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let (kind, name) = (text("/kind").to_owned(), text("/metadata/name").to_owned());
        let namespace = Some(text("/metadata/namespace")).filter(|it| !it.is_empty());
        let namespace = namespace.unwrap_or(DEFAULT_NAMESPACE).to_owned();
        let declared = (kind == "Namespace" && text("/apiVersion") == "v1").then(|| labels(value));
        // As much of its name as there is.
        let object = match &declared {
            _ if name.is_empty() => kind.clone(),
            Some(_) => format!("{kind} {name}"),
            None => format!("{kind} {namespace}/{name}"),
        };
        let Read { manifest, faults } = match &declared {
            Some(_) => Read {
                manifest: None,
                faults: Vec::new(),
            },
            None if kind == "Namespace" => Read {
                manifest: None,
                faults: vec![manifest::Fault {
                    object: object.clone(),
                    field: "apiVersion".into(),
                    message: format!("is {:?}; it must be \"v1\"", text("/apiVersion")),
                }],
            },
            None => schemas.read(value),
        };
        let place = Place {
            file: file.to_owned(),
            document,
        };
        if let Some(earlier) = self.places.get(&object) {
            let first = earlier.file.display();
            let told = format!("it stands in {first} already; remove one of the two");
            return self.faults.push(place.fault(&object, "", told));
        }
        let key = kind
            .parse()
            .ok()
            .map(|kind: Kind| Key::new(kind, &namespace, &name));
        let key = key.filter(|_| !name.is_empty());
        if let Some(Key {
            kind: Kind::Proxy,
            object,
        }) = &key
        {
            self.proxies.push(object.clone());
        }
        match (manifest, key) {
            (Some(read), _) => self.known.push(read),
            (None, Some(key)) => {
                let message = "its manifest has faults".to_owned();
                self.malformed.insert(key.clone());
                self.known.push(Object::Malformed {
                    key,
                    generation: 0,
                    message,
                });
            }
            (None, None) => {}
        }
        for manifest::Fault { field, message, .. } in faults {
            self.faults.push(place.fault(&object, &field, message));
            self.blamed.insert((object.clone(), field));
        }
        match declared {
            Some(labels) => self
                .namespaces
                .entry(name.clone())
                .or_default()
                .extend(labels),
            None => drop(self.namespaces.entry(namespace).or_default()),
        }
        // Without a name nothing can be its double.
        if !name.is_empty() {
            self.places.insert(object, place);
        }
    }
}

fn labels(namespace: &Value) -> BTreeMap<String, String> {
    let labels = namespace
        .pointer("/metadata/labels")
        .and_then(Value::as_object);
    let texts = labels.into_iter().flatten();
    texts
        .filter_map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned())))
        .collect()
}
