//! Plausible company names, awkward enough to need quoting in a CSV file.

use rand::{Rng, RngExt as _, seq::IndexedRandom as _};

/// A country and how its companies are named.
#[derive(Debug)]
pub(crate) struct Country {
    /// ISO 3166-1 alpha-2.
    pub(crate) code: &'static str,
    /// How common it is among the companies, relative to the others.
    weight: u32,
    stems: &'static [&'static str],
    legal_forms: &'static [&'static str],
}

/// What a company does.
#[derive(Debug)]
pub(crate) struct Trade {
    word: &'static str,
    /// The CRM's industry classification.
    pub(crate) industry_tag: &'static str,
}

const COUNTRIES: [Country; 14] = [
    Country {
        code: "US",
        weight: 30,
        stems: &[
            "Summit",
            "Granite",
            "O'Brien & Sons",
            "Blue Ridge",
            "Cascade",
            "Liberty",
            "Harbor",
            "Redwood",
        ],
        legal_forms: &[", Inc.", " LLC", " Corp.", ", L.P."],
    },
    Country {
        code: "GB",
        weight: 12,
        stems: &["Ashworth", "Kingsway", "Thames", "Blackwood & Hale", "Pennine", "Albion"],
        legal_forms: &[" Ltd", " plc", " LLP"],
    },
    Country {
        code: "DE",
        weight: 14,
        stems: &["Müller", "Schäfer & Söhne", "Nordlicht", "Größmann", "Rheintal", "Hanse", "Böhm"],
        legal_forms: &[" GmbH", " AG", " GmbH & Co. KG", " SE"],
    },
    Country {
        code: "FR",
        weight: 8,
        stems: &["Lefèvre", "Côte d'Azur", "Étoile", "Garçon et Fils", "Lumière"],
        legal_forms: &[" SARL", " SAS", " S.A."],
    },
    Country {
        code: "NL",
        weight: 5,
        stems: &["Van der Berg", "Polder", "Oranje", "IJssel"],
        legal_forms: &[" B.V.", " N.V."],
    },
    Country {
        code: "SE",
        weight: 4,
        stems: &["Ångström", "Björk", "Skärgård", "Malmö"],
        legal_forms: &[" AB"],
    },
    Country {
        code: "FI", weight: 3, stems: &["Järvi", "Pohjola", "Hämeen"], legal_forms: &[" Oy", " Oyj"]
    },
    Country {
        code: "PL",
        weight: 4,
        stems: &["Łódź", "Wiśniewski", "Bałtyk"],
        legal_forms: &[" sp. z o.o.", " S.A."],
    },
    Country {
        code: "ES",
        weight: 4,
        stems: &["Muñoz", "Peña Hermanos", "Ibérica"],
        legal_forms: &[", S.L.", ", S.A."],
    },
    Country {
        code: "BR",
        weight: 4,
        stems: &["São João", "Irmãos Gonçalves", "Ipê"],
        legal_forms: &[" Ltda.", " S.A."],
    },
    Country {
        code: "IN",
        weight: 5,
        stems: &["Sharma", "Deccan", "Ganga", "Patel Bros."],
        legal_forms: &[" Pvt. Ltd.", " Ltd."],
    },
    Country {
        code: "JP",
        weight: 3,
        stems: &["さくら", "富士", "Tanaka"],
        legal_forms: &[" 株式会社", " K.K.", ", Co., Ltd."],
    },
    Country {
        code: "SG",
        weight: 2,
        stems: &["Merlion", "Straits", "Tan & Lim"],
        legal_forms: &[" Pte. Ltd."],
    },
    Country {
        code: "AU",
        weight: 2,
        stems: &["Wattle", "Kangaroo Point", "Southern Cross"],
        legal_forms: &[" Pty Ltd"],
    },
];

const TRADES: [Trade; 14] = [
    Trade { word: "Software", industry_tag: "saas" },
    Trade { word: "Cloud", industry_tag: "saas" },
    Trade { word: "Analytics", industry_tag: "saas" },
    Trade { word: "Logistics", industry_tag: "logistics" },
    Trade { word: "Shipping", industry_tag: "logistics" },
    Trade { word: "Capital", industry_tag: "fintech" },
    Trade { word: "Insurance", industry_tag: "insurance" },
    Trade { word: "Foods", industry_tag: "retail" },
    Trade { word: "Outfitters", industry_tag: "retail" },
    Trade { word: "Health", industry_tag: "healthcare" },
    Trade { word: "Robotics", industry_tag: "manufacturing" },
    Trade { word: "Steel", industry_tag: "manufacturing" },
    Trade { word: "Academy", industry_tag: "education" },
    Trade { word: "Solar", industry_tag: "energy" },
];

impl Country {
    pub(crate) fn draw(rng: &mut impl Rng) -> &'static Self {
        let [first, ..] = &COUNTRIES;
        COUNTRIES.choose_weighted(rng, |country| country.weight).unwrap_or(first)
    }
}

impl Trade {
    pub(crate) fn draw(rng: &mut impl Rng) -> &'static Self {
        let [first, ..] = &TRADES;
        TRADES.choose(rng).unwrap_or(first)
    }
}

/// A name such as `Müller Logistics GmbH` or `Cascade "Foods", Inc.`. As in reality,
/// two companies may share one.
pub(crate) fn draw_name(country: &Country, trade: &Trade, rng: &mut impl Rng) -> String {
    let stem = country.stems.choose(rng).copied().unwrap_or_default();
    let legal_form = country.legal_forms.choose(rng).copied().unwrap_or_default();
    let word = trade.word;
    match rng.random_range(0..20) {
        0 => format!("{stem} \"{word}\"{legal_form}"),
        1..=4 => format!("{stem}{legal_form}"),
        _ => format!("{stem} {word}{legal_form}"),
    }
}
