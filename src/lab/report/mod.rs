//! Reports: tables and line plots, as text for a terminal, as an SVG file, and as one HTML page
//! that needs nothing but itself: no script, no font, no picture from elsewhere. `evenly simulate`,
//! `evenly bench` and the comparison of policies write them.
//!
//! ```text
//! Page -> sections: heading, text, and a Table or some Plots
//!                                         |            |
//!                                       table         plot -> draw -> scale (positions, ticks)
//! ```
//!
//! The same values give the same bytes, on any machine: no clock, no map without order, and `libm`
//! for logarithms. All text goes through `markup`, so no name can break out of its place. Nothing
//! is measured or judged here.

mod draw;
mod markup;
mod page;
mod plot;
mod scale;
mod table;

#[cfg(test)]
mod tests;

pub use page::Page;
pub use plot::{Axis, POINTS_MAX, Plot, Series};
pub use scale::Scale;
pub use table::Table;
