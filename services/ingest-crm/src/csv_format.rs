//! How to read the text of CRM exports, as far as it is configurable.

use clap::Args as ClapArgs;
use encoding_rs::Encoding;

use crate::{
    column_names::{ColumnNames, ColumnsOption, Preset},
    csv_records::RecordFormat,
    quoting::Quoting,
};

/// The longest record. Anything longer is an unclosed quote.
const MAX_RECORD_BYTES: usize = 1024 * 1024;

/// How the text of exports is read.
#[derive(Debug, Clone, ClapArgs)]
#[group(skip)]
pub struct CsvOptions {
    /// How exports are encoded: auto (UTF-8, UTF-16 with a mark, and what plainly is
    /// windows-1252), or a name such as utf-8, windows-1252, windows-1250, utf-16le
    #[arg(long, env = "CRM_ENCODING", value_name = "NAME", default_value = "auto", value_parser = parse_encoding)]
    pub crm_encoding: CsvEncoding,

    /// What separates the fields of exports: auto, comma, semicolon, tab, pipe, or
    /// the character itself
    #[arg(long, env = "CRM_CSV_DELIMITER", value_name = "DELIMITER", default_value = "auto", value_parser = parse_delimiter)]
    pub crm_csv_delimiter: CsvDelimiter,

    /// How exports write a quote inside quotes: double ("") or backslash (\"). auto
    /// takes a row by backslashes if it is none otherwise
    #[arg(long, env = "CRM_CSV_QUOTING", value_name = "QUOTING", default_value = "auto")]
    pub crm_csv_quoting: Quoting,

    /// The headings of the columns that exports give other names, for example
    /// company_id="Record ID",name="Account Name". The columns are company_id, name,
    /// country, industry_tag and last_contact_at
    #[arg(
        long,
        env = "CRM_COLUMNS",
        value_name = "COLUMN=HEADING,...",
        default_value = "",
        hide_default_value = true
    )]
    pub crm_columns: ColumnsOption,

    /// Use the headings that this CRM exports; --crm-columns takes precedence
    #[arg(long, env = "CRM_COLUMNS_PRESET", value_name = "CRM", default_value = "none")]
    pub crm_columns_preset: Preset,

    /// What exports write where there is no value, beside nothing and \N: for example NULL,n/a
    #[arg(long, env = "CRM_NULL", value_name = "TEXT,...", value_delimiter = ',')]
    pub crm_null: Vec<String>,
}

/// A configured encoding, or one to detect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CsvEncoding(pub(crate) Option<&'static Encoding>);

/// A configured delimiter, or one to detect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CsvDelimiter(pub(crate) Option<u8>);

/// How MySQL and Postgres write NULL.
const DATABASE_NULL: &str = "\\N";

/// The format of exports, resolved from the options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CsvFormat {
    pub(crate) records: RecordFormat,
    pub(crate) columns: ColumnNames,
    /// The values that mean no value.
    pub(crate) nulls: Vec<String>,
}

impl CsvOptions {
    /// The format that the options describe.
    pub(crate) fn format(&self) -> CsvFormat {
        CsvFormat {
            records: RecordFormat {
                encoding: self.crm_encoding.0,
                delimiter: self.crm_csv_delimiter.0,
                quoting: self.crm_csv_quoting,
                max_record_bytes: MAX_RECORD_BYTES,
            },
            columns: ColumnNames::new(self.crm_columns.clone(), self.crm_columns_preset),
            nulls: std::iter::once(DATABASE_NULL.to_owned()).chain(self.crm_null.clone()).collect(),
        }
    }
}

impl Default for CsvFormat {
    /// Detects everything, and expects columns under their own names.
    fn default() -> Self {
        CsvOptions {
            crm_encoding: CsvEncoding(None),
            crm_csv_delimiter: CsvDelimiter(None),
            crm_csv_quoting: Quoting::Auto,
            crm_columns: ColumnsOption::default(),
            crm_columns_preset: Preset::None,
            crm_null: Vec::new(),
        }
        .format()
    }
}

fn parse_encoding(text: &str) -> Result<CsvEncoding, String> {
    if text.trim().eq_ignore_ascii_case("auto") {
        return Ok(CsvEncoding(None));
    }
    match Encoding::for_label(text.as_bytes()) {
        Some(encoding) if encoding != encoding_rs::REPLACEMENT => Ok(CsvEncoding(Some(encoding))),
        _ => Err("it is no encoding's name; examples are auto, utf-8, windows-1252, windows-1250, \
                  iso-8859-2, utf-16le and shift_jis"
            .to_owned()),
    }
}

fn parse_delimiter(text: &str) -> Result<CsvDelimiter, String> {
    let delimiter = match text.to_lowercase().as_str() {
        "auto" => return Ok(CsvDelimiter(None)),
        "comma" => b',',
        "semicolon" => b';',
        "tab" | "\\t" => b'\t',
        "pipe" => b'|',
        _ => match text.as_bytes() {
            [byte] if byte.is_ascii_punctuation() && *byte != b'"' || *byte == b'\t' => *byte,
            _ => {
                return Err("write auto, comma, semicolon, tab, pipe, or one character that is no letter, \
                            digit, quote or space"
                    .to_owned());
            }
        },
    };
    Ok(CsvDelimiter(Some(delimiter)))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct CommandLine {
        #[command(flatten)]
        options: CsvOptions,
    }

    fn parse(arguments: &[&str]) -> Result<CsvOptions, clap::Error> {
        CommandLine::try_parse_from(["ingest-crm"].iter().chain(arguments)).map(|line| line.options)
    }

    #[test]
    fn without_options_everything_is_found_out() {
        assert_eq!(parse(&[]).unwrap().format(), CsvFormat::default());
    }

    #[test]
    fn encodings_go_by_any_name_that_the_web_knows() {
        for (name, encoding) in [
            ("AUTO", None),
            ("cp1250", Some(encoding_rs::WINDOWS_1250)),
            ("latin2", Some(encoding_rs::ISO_8859_2)),
            ("utf-16le", Some(encoding_rs::UTF_16LE)),
            ("UTF8", Some(encoding_rs::UTF_8)),
        ] {
            assert_eq!(parse(&["--crm-encoding", name]).unwrap().crm_encoding.0, encoding, "{name}");
        }
        assert!(parse(&["--crm-encoding", "cp9999"]).unwrap_err().to_string().contains("windows-1252"));
    }

    #[test]
    fn a_delimiter_is_a_name_or_one_sign() {
        for (text, delimiter) in
            [("auto", None), ("pipe", Some(b'|')), (";", Some(b';')), ("\\t", Some(b'\t')), ("^", Some(b'^'))]
        {
            assert_eq!(parse(&["--crm-csv-delimiter", text]).unwrap().crm_csv_delimiter.0, delimiter);
        }
        for text in ["\"", "a", "||", " ", ""] {
            assert!(parse(&["--crm-csv-delimiter", text]).is_err(), "{text}");
        }
    }

    #[test]
    fn a_mapping_that_makes_no_sense_is_refused_with_the_form() {
        let refused = parse(&["--crm-columns", "id=\"Record ID\""]).unwrap_err().to_string();
        assert!(refused.contains("there is no column id"), "{refused}");
        assert!(refused.contains("company_id, name, country, industry_tag, last_contact_at"), "{refused}");
        assert!(parse(&["--crm-columns", "company_id=\"Record ID\",name=Account Name"]).is_ok());
        assert!(parse(&["--crm-columns-preset", "hubspot"]).is_ok());
    }
}
