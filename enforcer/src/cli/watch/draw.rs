//! The board on a terminal.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Style, Stylize as _},
    text::{Line, Span},
    widgets::{Block, Cell, Paragraph, Row, Sparkline, Table},
};

use super::{Board, board::Counts, event::Violation};

/// Draws the board of `instance` over the whole frame.
pub fn draw(frame: &mut Frame<'_>, board: &Board, instance: &str) {
    let [head, tops, recent, foot] = Layout::vertical([
        Constraint::Length(5),
        Constraint::Percentage(45),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    draw_head(frame, head, board, instance);
    let [destinations, workloads, countries] = Layout::horizontal([
        Constraint::Percentage(45),
        Constraint::Percentage(35),
        Constraint::Percentage(20),
    ])
    .areas(tops);
    draw_top(frame, destinations, "Destinations", &board.destinations);
    draw_top(frame, workloads, "Workloads", &board.workloads);
    draw_top(frame, countries, "Countries", &board.countries);
    draw_recent(frame, recent, board);
    draw_foot(frame, foot, board);
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, board: &Board, instance: &str) {
    let block = Block::bordered().title(format!(" enforcer: {instance} ").bold());
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let [numbers, rate] =
        Layout::horizontal([Constraint::Length(24), Constraint::Fill(1)]).areas(inner);
    let mut lines = vec![
        Line::from(vec![
            Span::from(board.total.to_string()).bold(),
            " refused".into(),
        ]),
        Line::from(format!("{:.1} a second", board.rate())),
    ];
    if board.missed > 0 {
        lines.push(Line::from(format!("{} events missed", board.missed)).yellow());
    }
    frame.render_widget(Paragraph::new(lines), numbers);
    let history = board.history();
    let shown = history.len().saturating_sub(usize::from(rate.width));
    let bars = Sparkline::default()
        .data(history.get(shown..).unwrap_or_default())
        .style(Style::new().fg(Color::Red));
    frame.render_widget(bars, rate);
}

fn draw_top(frame: &mut Frame<'_>, area: Rect, title: &str, counts: &Counts) {
    let top = counts.top(usize::from(area.height.saturating_sub(2)));
    let rows = top.into_iter().map(|(name, count)| {
        Row::new([
            Cell::from(name.to_owned()),
            Cell::from(Line::from(count.to_string()).right_aligned()),
        ])
    });
    let table = Table::new(rows, [Constraint::Fill(1), Constraint::Length(8)])
        .block(Block::bordered().title(format!(" {title} ")));
    frame.render_widget(table, area);
}

fn draw_recent(frame: &mut Frame<'_>, area: Rect, board: &Board) {
    let rows = board.recent.iter().map(row);
    let widths = [
        Constraint::Length(8),
        Constraint::Length(10),
        Constraint::Fill(2),
        Constraint::Fill(2),
        Constraint::Length(2),
        Constraint::Fill(2),
        Constraint::Length(6),
    ];
    let heads = [
        "TIME",
        "VERDICT",
        "WORKLOAD",
        "DESTINATION",
        "",
        "RULE",
        "COUNT",
    ];
    let table = Table::new(rows, widths)
        .header(Row::new(heads).dim())
        .block(Block::bordered().title(" Last "));
    frame.render_widget(table, area);
}

fn row(violation: &Violation) -> Row<'static> {
    let paint = match &*violation.verdict {
        "deny" => Color::Red,
        "hold" => Color::Blue,
        _ => Color::Yellow,
    };
    Row::new([
        Cell::from(violation.time().to_owned()),
        Cell::from(violation.verdict.clone()).style(Style::new().fg(paint)),
        Cell::from(violation.workload.clone()),
        Cell::from(violation.to.clone()),
        Cell::from(violation.country.clone()),
        Cell::from(violation.because.clone()),
        Cell::from(violation.count.to_string()),
    ])
}

fn draw_foot(frame: &mut Frame<'_>, area: Rect, board: &Board) {
    let daemon = board.daemon.as_deref().unwrap_or_default();
    let line = Line::from(format!(" q quit  c start anew  {daemon}")).dim();
    frame.render_widget(line, area);
}
