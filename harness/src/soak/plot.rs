//! Samples as a picture.

use std::path::Path;

use anyhow::anyhow;
use plotters::prelude::*;

use super::Sample;

/// Writes answers per second, memory and descriptors over time as an SVG.
///
/// # Errors
/// The file cannot be written.
pub fn plot(samples: &[Sample], file: &Path) -> anyhow::Result<()> {
    let seconds = |sample: &Sample| sample.at.as_secs_f64();
    let pairs = samples.windows(2).map(|pair| {
        let time = seconds(&pair[1]) - seconds(&pair[0]);
        (seconds(&pair[1]), float(pair[1].answers - pair[0].answers) / time)
    });
    let of =
        |value: fn(&Sample) -> f64| samples.iter().map(|sample| (seconds(sample), value(sample))).collect();
    let curves: [(&str, Vec<(f64, f64)>); 3] = [
        ("answers per second", pairs.collect()),
        ("memory, MB", of(|sample| float(sample.memory) / 1024.0)),
        ("open descriptors", of(|sample| float(sample.descriptors))),
    ];
    let root = SVGBackend::new(file, (800, 600)).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, (title, curve)) in root.split_evenly((3, 1)).into_iter().zip(curves) {
        draw(&area, title, curve).map_err(|error| anyhow!("{}: {error}", file.display()))?;
    }
    root.present().map_err(|error| anyhow!("{}: {error}", file.display()))
}

fn draw<B: DrawingBackend>(
    area: &DrawingArea<B, plotters::coord::Shift>,
    title: &str,
    curve: Vec<(f64, f64)>,
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    let last = curve.last().map_or(1.0, |(second, _)| *second);
    let most = curve.iter().map(|(_, value)| *value).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 14))
        .margin(8)
        .x_label_area_size(20)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..last, 0.0..most * 1.1)?;
    chart.configure_mesh().y_labels(4).light_line_style(TRANSPARENT).draw()?;
    chart.draw_series(LineSeries::new(curve, BLUE))?;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn float(number: u64) -> f64 {
    number as f64
}
