//! Formats, by the words that Converse has for them, and media types.

/// Each image format.
pub const IMAGES: [(&str, &str); 4] = [
    ("png", "image/png"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
];

/// Each document format.
pub const DOCUMENTS: [(&str, &str); 9] = [
    ("pdf", "application/pdf"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    (
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    ("xls", "application/vnd.ms-excel"),
    (
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
    ("html", "text/html"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
];

/// Each sound format that is common to other dialects.
pub const SOUNDS: [(&str, &str); 9] = [
    ("mp3", "audio/mp3"),
    ("wav", "audio/wav"),
    ("opus", "audio/opus"),
    ("aac", "audio/aac"),
    ("flac", "audio/flac"),
    ("ogg", "audio/ogg"),
    ("m4a", "audio/m4a"),
    ("webm", "audio/webm"),
    ("mp3", "audio/mpeg"),
];

/// The media type of a format.
#[must_use]
pub fn media_type(table: &[(&str, &'static str)], format: &str) -> Option<&'static str> {
    table
        .iter()
        .find(|(word, _)| *word == format)
        .map(|(_, media_type)| *media_type)
}

/// The format of a media type, its parameters aside.
#[must_use]
pub fn format(table: &[(&'static str, &str)], media_type: &str) -> Option<&'static str> {
    let bare = media_type.split(';').next().unwrap_or_default().trim();
    let bare = if bare == "image/jpg" {
        "image/jpeg"
    } else {
        bare
    };
    table
        .iter()
        .find(|(_, known)| *known == bare)
        .map(|(word, _)| *word)
}
