//! How the text of an export is encoded.

use encoding_rs::WINDOWS_1252;

/// How a record's text is encoded. Decided for each record, since exports get
/// stitched together from several sources.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Encoding {
    Utf8,
    /// What Windows programs of western Europe write; every byte means something.
    Windows1252,
}

impl Encoding {
    /// The encoding of a record with these fields.
    pub(crate) fn of<'field>(fields: &(impl Iterator<Item = &'field [u8]> + Clone)) -> Self {
        if fields.clone().all(|field| str::from_utf8(field).is_ok()) { Self::Utf8 } else { Self::Windows1252 }
    }

    /// The text of some bytes of the record.
    pub(crate) fn decode(self, bytes: &[u8]) -> String {
        match self {
            Self::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Self::Windows1252 => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
        }
    }
}
