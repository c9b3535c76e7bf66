//! Detects the encoding of an export, and decodes it to UTF-8.
//!
//! Whatever a file's encoding, the CSV reader receives UTF-8, in which a byte
//! without a meaning is [`SPOILED`]: it spoils only the field that contains it.
//! Decoding comes first because in some encodings a delimiter's byte is half of
//! a character.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// Replaces what cannot be decoded; UTF-8 text never contains this byte.
pub(crate) const SPOILED: u8 = 0xff;

/// How many bytes to sample to detect an encoding, from the first that is not ASCII.
const SAMPLE_BYTES: usize = 64 * 1024;

/// How many bytes to check for a byte order mark, or for UTF-16 without one.
const MARK_BYTES: usize = 4;

/// The encoding of a file, as detected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Only ASCII so far.
    Ascii,
    /// Given by the configuration or a byte order mark.
    Reported(&'static Encoding),
    /// UTF-8, because some of its characters are, or because nothing else is
    /// clear. In the latter case, `perhaps` is the possible alternative.
    Utf8 { perhaps: Option<&'static Encoding> },
    /// Clearly Windows-1252, which Windows programs of western Europe write.
    Windows1252,
}

impl Found {
    /// The encoding's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ascii | Self::Utf8 { .. } => UTF_8.name(),
            Self::Reported(encoding) => encoding.name(),
            Self::Windows1252 => WINDOWS_1252.name(),
        }
    }

    /// Whether a decoded field can be trusted. In a file detected as
    /// Windows-1252, text that is also valid UTF-8 shows that some parts are
    /// not Windows-1252.
    pub(crate) fn trusts(self, text: &str) -> bool {
        if self != Self::Windows1252 || text.is_ascii() {
            return true;
        }
        let (bytes, _, lossy) = WINDOWS_1252.encode(text);
        lossy || str::from_utf8(&bytes).is_err()
    }

    /// How to handle bytes that cannot be decoded, for the end of a sentence.
    pub(crate) fn way_out(self) -> String {
        match self {
            Self::Utf8 { perhaps: Some(other) } => format!(
                "if the file is written in another encoding, name it, perhaps --crm-encoding {}",
                other.name().to_lowercase()
            ),
            Self::Reported(encoding) if encoding != UTF_8 => {
                "if the file is not written in it, name another --crm-encoding".to_owned()
            }
            Self::Windows1252 => {
                "it mixes Windows-1252 and UTF-8: export it as UTF-8, or name its --crm-encoding".to_owned()
            }
            _ => "if the file is written in another encoding, name it with --crm-encoding, for example windows-1250"
                .to_owned(),
        }
    }
}

/// Decodes a file to UTF-8 in chunks. Chunk boundaries make no difference.
pub(crate) struct TextDecoder {
    configured: Option<&'static Encoding>,
    found: Found,
    state: State,
}

enum State {
    /// The first bytes, which may be a byte order mark.
    Beginning(Vec<u8>),
    /// Only ASCII so far.
    Ascii,
    /// From the first byte that is not ASCII.
    Sampling(Vec<u8>),
    Utf8,
    Decoding(Box<Decoder>),
}

impl TextDecoder {
    /// For a file in this encoding, or in one to detect. A byte order mark always takes precedence.
    pub(crate) const fn new(configured: Option<&'static Encoding>) -> Self {
        Self { configured, found: Found::Ascii, state: State::Beginning(Vec::new()) }
    }

    /// The file's encoding, as detected so far.
    pub(crate) const fn found(&self) -> Found {
        self.found
    }

    /// Decodes the next bytes and appends the result.
    pub(crate) fn push(&mut self, bytes: &[u8], text: &mut Vec<u8>) {
        match &mut self.state {
            State::Beginning(beginning) => {
                beginning.extend_from_slice(bytes);
                if beginning.len() >= MARK_BYTES {
                    self.begin(text);
                }
            }
            State::Ascii => match bytes.iter().position(|byte| !byte.is_ascii()) {
                None => text.extend_from_slice(bytes),
                Some(at) => {
                    let (ascii, sample) = bytes.split_at(at);
                    text.extend_from_slice(ascii);
                    self.state = State::Sampling(Vec::new());
                    self.push(sample, text);
                }
            },
            State::Sampling(sample) => {
                let (now, later) = bytes.split_at(bytes.len().min(SAMPLE_BYTES - sample.len()));
                sample.extend_from_slice(now);
                if sample.len() == SAMPLE_BYTES {
                    self.decide(text);
                    self.push(later, text);
                }
            }
            State::Utf8 => text.extend_from_slice(bytes),
            State::Decoding(decoder) => decode(decoder, bytes, false, text),
        }
    }

    /// Ends the file.
    pub(crate) fn finish(&mut self, text: &mut Vec<u8>) {
        if matches!(self.state, State::Beginning(_)) {
            self.begin(text);
        }
        if matches!(self.state, State::Sampling(_)) {
            self.decide(text);
        }
        if let State::Decoding(decoder) = &mut self.state {
            decode(decoder, &[], true, text);
        }
    }

    fn begin(&mut self, text: &mut Vec<u8>) {
        let State::Beginning(beginning) = std::mem::replace(&mut self.state, State::Ascii) else { return };
        let marked = Encoding::for_bom(&beginning);
        let reported = marked.or_else(|| Some((self.configured.or_else(|| without_mark(&beginning))?, 0)));
        let mut from = 0;
        if let Some((encoding, mark)) = reported {
            self.found = Found::Reported(encoding);
            from = mark;
            self.state = if encoding == UTF_8 {
                State::Utf8
            } else {
                State::Decoding(Box::new(encoding.new_decoder_without_bom_handling()))
            };
        }
        self.push(beginning.get(from..).unwrap_or_default(), text);
    }

    fn decide(&mut self, text: &mut Vec<u8>) {
        let State::Sampling(sample) = std::mem::replace(&mut self.state, State::Utf8) else { return };
        self.found = judge(&sample);
        if self.found == Found::Windows1252 {
            self.state = State::Decoding(Box::new(WINDOWS_1252.new_decoder_without_bom_handling()));
        }
        self.push(&sample, text);
    }
}

/// UTF-16 without a byte order mark, detected by the zeros of its first two characters.
fn without_mark(beginning: &[u8]) -> Option<&'static Encoding> {
    match beginning.get(..MARK_BYTES)? {
        [first, 0, second, 0] if *first != 0 && *second != 0 => Some(UTF_16LE),
        [0, first, 0, second] if *first != 0 && *second != 0 => Some(UTF_16BE),
        _ => None,
    }
}

/// Detects a file's encoding from a sample. One UTF-8 character makes it UTF-8:
/// other text hardly ever has one by accident. It is Windows-1252 only if
/// nothing contradicts it, because Polish or Czech text in Windows-1250 also
/// reads as Windows-1252, only wrongly.
fn judge(sample: &[u8]) -> Found {
    if sample.utf8_chunks().any(|chunk| !chunk.valid().is_ascii()) {
        return Found::Utf8 { perhaps: None };
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(sample, true);
    let guess = detector.guess(None, Utf8Detection::Deny);
    if guess == WINDOWS_1252 && is_plain_windows_1252(sample) {
        return Found::Windows1252;
    }
    Found::Utf8 { perhaps: Some(guess).filter(|guess| *guess != WINDOWS_1252) }
}

/// Whether every byte is a letter or a sign of western Europe, and each sign is
/// in a usual place: a `£` or `³` in the middle of a word is a letter in
/// another encoding.
fn is_plain_windows_1252(sample: &[u8]) -> bool {
    let text = WINDOWS_1252.decode_without_bom_handling(sample).0;
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let after = characters.peek().copied().unwrap_or(' ');
        let is_in_a_word = before.is_alphabetic() || after.is_alphabetic();
        let fits = match c {
            '\u{80}'..='\u{9f}' => false,
            '\u{aa}' | '\u{ba}' => !after.is_alphabetic(),
            '€' | '£' | '¥' | '¢' | '§' | '°' | '±' | '²' | '³' | '¹' | '¼' | '½' | '¾' | '×' | '÷' | '·'
            | '‰' => !is_in_a_word,
            '¡' | '¿' => !before.is_alphabetic(),
            'ƒ' | 'ˆ' | '¤' | '¦' | '¨' | '¯' | '¸' | '¬' | 'µ' | '¶' => false,
            _ => true,
        };
        if !fits {
            return false;
        }
        before = c;
    }
    true
}

/// Appends the decoded text of `bytes`; what cannot be decoded becomes [`SPOILED`].
fn decode(decoder: &mut Decoder, mut bytes: &[u8], is_last: bool, text: &mut Vec<u8>) {
    loop {
        let room = decoder.max_utf8_buffer_length_without_replacement(bytes.len()).unwrap_or(bytes.len());
        let from = text.len();
        text.resize(from + room, 0);
        let (result, read, written) = decoder.decode_to_utf8_without_replacement(
            bytes,
            text.get_mut(from..).unwrap_or_default(),
            is_last,
        );
        text.truncate(from + written);
        spoil_controls(text, from);
        bytes = bytes.get(read..).unwrap_or_default();
        match result {
            DecoderResult::InputEmpty => return,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => text.push(SPOILED),
        }
    }
}

/// Single-byte encodings decode undefined bytes to C1 controls.
fn spoil_controls(text: &mut Vec<u8>, from: usize) {
    let is_control = |pair: &[u8]| matches!(pair, [0xc2, 0x80..=0x9f]);
    if !text.get(from..).unwrap_or_default().windows(2).any(is_control) {
        return;
    }
    let decoded = text.split_off(from);
    let mut rest = &*decoded;
    while let Some((first, others)) = rest.split_first() {
        if rest.get(..2).is_some_and(is_control) {
            text.push(SPOILED);
            rest = rest.get(2..).unwrap_or_default();
        } else {
            text.push(*first);
            rest = others;
        }
    }
}

#[cfg(test)]
mod tests;
