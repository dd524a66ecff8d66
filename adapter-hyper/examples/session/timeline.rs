//! The drawn timeline: a row for each lease, one for the requests.

use perennial_core::{Event, LeaseId};

const COLUMNS: usize = 84;

#[derive(Default)]
pub(crate) struct Timeline {
    marks: Vec<Mark>,
}

struct Mark {
    at: f64,
    row: Row,
    sign: char,
}

#[derive(Clone, Copy, PartialEq)]
enum Row {
    Lease(LeaseId),
    Requests,
}

impl Timeline {
    pub(crate) fn note(&mut self, at: f64, event: &Event) {
        let mut mark = |row, sign| self.marks.push(Mark { at, row, sign });
        match event {
            Event::RenewalStarted { method, .. } => mark(Row::Requests, sign_of(method)),
            Event::Renewed { lease_id, .. } => mark(Row::Lease(*lease_id), '├'),
            Event::Rejected { lease_id, .. } => mark(Row::Lease(*lease_id), '✗'),
            Event::Failed { .. } => mark(Row::Requests, '!'),
            Event::Expired { lease_id } => mark(Row::Lease(*lease_id), '┤'),
            Event::SignedOut => {
                mark(Row::Lease(LeaseId::Access), '┤');
                mark(Row::Lease(LeaseId::Aws), '┤');
            }
            _ => {}
        }
    }

    pub(crate) fn draw(&self, end: f64) -> String {
        let rows = [
            ("access token", Row::Lease(LeaseId::Access)),
            ("AWS credentials", Row::Lease(LeaseId::Aws)),
            ("requests", Row::Requests),
        ];
        let mut text = String::new();
        for (name, row) in rows {
            if !self.marks.iter().any(|mark| mark.row == row && mark.sign != '┤') {
                continue;
            }
            text += &format!("{name:>16}  {}\n", self.row(row, end));
        }
        let scale: String =
            (0..=4).map(|quarter| format!("{:<21}", format!("{:.0} s", end * f64::from(quarter) / 4.0))).collect();
        text += &format!("{:>16}  {}\n", "", scale.trim_end());
        text + "\n├─ valid from here   ✗ refused by the API   ┤ gone   S sign-in   R refresh   A session refresh   ! failed\n"
    }

    /// Valid times are drawn through; of several marks at one moment each has a column of its own.
    fn row(&self, row: Row, end: f64) -> String {
        let mut cells = vec![' '; COLUMNS];
        let mut line = ' ';
        let mut from = 0;
        for mark in self.marks.iter().filter(|mark| mark.row == row) {
            let column = ((mark.at / end) * (COLUMNS - 1) as f64) as usize;
            let column = column.max(from).min(COLUMNS - 1);
            cells[from.min(column)..column].fill(line);
            cells[column] = mark.sign;
            line = if mark.sign == '├' { '─' } else { ' ' };
            from = column + 1;
        }
        cells[from.min(COLUMNS)..].fill(line);
        cells.into_iter().collect::<String>().trim_end().to_owned()
    }
}

fn sign_of(method: &str) -> char {
    match method {
        "refresh" => 'R',
        "sign-in" => 'S',
        "session refresh" => 'A',
        _ => '·',
    }
}
