//! One picture per table: bars, whose lengths are shares of the longest one that they compare with.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use plotters::prelude::{
    Color as _, DrawingArea, EmptyElement, IntoDrawingArea as _, IntoFont as _, RGBColor, Rectangle,
    SVGBackend, Text, TextStyle, WHITE,
};

use crate::table::{Table, in_unit};

/// Colours that are told apart without seeing red or green (Okabe and Ito).
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
];

const TEXT: RGBColor = RGBColor(40, 40, 40);

/// The measures of a picture, in pixels.
const WIDTH: i32 = 960;
const LABELS: i32 = 330;
const LONGEST: i32 = 400;
const TOP: i32 = 76;
const BAR: i32 = 18;
const GAP: i32 = 14;
const SIZE: i32 = 16;

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Writes the picture of a table.
pub(crate) fn draw(table: &Table, about: &str, path: &Path) -> Result<()> {
    let bars: usize = table.rows.iter().map(|row| row.values.len().max(1)).sum();
    let height = TOP + i32::try_from(bars)? * BAR + i32::try_from(table.rows.len())? * GAP + 40;
    let mut svg = String::new();
    {
        let size = (u32::try_from(WIDTH)?, u32::try_from(height)?);
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        paint(table, about, &area, height)?;
        area.present().map_err(failed)?;
    }
    fs::create_dir_all(path.parent().context("a picture needs a folder")?)?;
    Ok(fs::write(path, svg)?)
}

fn paint(table: &Table, about: &str, area: &Area<'_>, height: i32) -> Result<()> {
    area.fill(&WHITE).map_err(failed)?;
    write(area, &table.title, (16, 14), SIZE + 4, TEXT)?;
    let sides = table.sides();
    let mut x = 16;
    for (number, side) in sides.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        area.draw(&Rectangle::new([(x, 48), (x + 12, 60)], colour.filled())).map_err(failed)?;
        write(area, side, (x + 18, 47), SIZE, TEXT)?;
        x += 40 + i32::try_from(side.chars().count())? * 8;
    }
    let mut y = TOP;
    for row in &table.rows {
        let longest = table.longest(row);
        write(area, &shortened(&row.what), (16, y + 2), SIZE, TEXT)?;
        if !row.ratio.is_empty() {
            write(area, &row.ratio, (WIDTH - 150, y + 2), SIZE, TEXT)?;
        }
        for (side, value) in &row.values {
            let number = sides.iter().position(|known| known == side).unwrap_or_default();
            let share = if longest > 0.0 { value / longest } else { 0.0 };
            #[expect(clippy::cast_possible_truncation, reason = "pixels")]
            let end = LABELS + ((share * f64::from(LONGEST)) as i32).max(1);
            let bar = Rectangle::new(
                [(LABELS, y + 1), (end, y + BAR - 2)],
                COLOURS[number % COLOURS.len()].filled(),
            );
            area.draw(&bar).map_err(failed)?;
            write(area, &in_unit(*value, &row.unit), (end + 6, y + 2), SIZE, TEXT)?;
            y += BAR;
        }
        if row.values.is_empty() {
            y += BAR;
        }
        y += GAP;
    }
    write(area, about, (16, height - 24), SIZE - 3, RGBColor(110, 110, 110))
}

fn write(area: &Area<'_>, text: &str, at: (i32, i32), size: i32, colour: RGBColor) -> Result<()> {
    let style = TextStyle::from(("sans-serif", size).into_font()).color(&colour);
    let text = EmptyElement::at(at) + Text::new(text.to_owned(), (0, 0), style);
    area.draw(&text).map_err(failed)
}

/// As much of a label as fits beside the bars.
fn shortened(label: &str) -> String {
    const FITS: usize = 44;
    if label.chars().count() <= FITS {
        return label.to_owned();
    }
    label.chars().take(FITS - 1).chain(['…']).collect()
}

fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("cannot draw: {error}")
}
