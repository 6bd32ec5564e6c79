//! An expression over several lines.

use crate::syntax::{Ast, AstKind, print};

/// Longer than this goes over several lines.
const WIDTH: usize = 72;

/// The canonical text with a line for each condition where it is long. Reads back as the same tree.
pub fn lines(ast: &Ast) -> String {
    let text = print(ast);
    // A line break within quotes belongs to the text there.
    if text.contains('\n') || text.chars().count() <= WIDTH {
        return text;
    }
    let (parts, word) = match &ast.kind {
        AstKind::And(parts) => (parts, "and "),
        AstKind::Or(parts) => (parts, "or "),
        _ => return text,
    };
    let part = |p: &Ast| {
        let one = Ast {
            kind: if word == "and " { AstKind::And(vec![p.clone()]) } else { AstKind::Or(vec![p.clone()]) },
            span: p.span,
        };
        let text = print(&one);
        let is_group = matches!(p.kind, AstKind::And(_) | AstKind::Or(_));
        if !is_group || text.chars().count() <= WIDTH {
            return text;
        }
        format!("(\n  {}\n)", lines(p).replace('\n', "\n  "))
    };
    parts.iter().map(part).collect::<Vec<_>>().join(&format!("\n{word}"))
}
