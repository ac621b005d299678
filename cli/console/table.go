package console

import (
	"io"
	"slices"
	"strings"
)

// Table collects rows and prints them with their columns aligned, two spaces apart. The zero value is
// a table without a header; every cell is cleaned.
type Table struct {
	Header []string
	// Right holds the columns (from 0) that align on the right: numbers.
	Right map[int]bool
	// Width bounds a line in cells by shortening the last column; 0: no bound.
	Width int
	// Style dims the header and is handed to Paint.
	Style Style
	// Paint colours a cell after alignment; nil: none.
	Paint func(s Style, column int, cell string) string

	rows  [][]string
	least []int // widths of what was flushed
}

// Add appends a row.
func (t *Table) Add(cells ...string) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = Clean(c)
	}
	t.rows = append(t.rows, row)
}

// Len is the number of rows.
func (t *Table) Len() int { return len(t.rows) }

// WriteTo prints the table.
func (t *Table) WriteTo(w io.Writer) (int64, error) {
	widths := t.widths()
	var b strings.Builder
	if t.Header != nil {
		b.WriteString(t.Style.Dim(t.line(t.Header, widths, false)) + "\n")
	}
	for _, row := range t.rows {
		b.WriteString(t.line(row, widths, true) + "\n")
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

// Flush prints the table so far. Rows that are added later come without the header, in columns at least as wide.
func (t *Table) Flush(w io.Writer) error {
	_, err := t.WriteTo(w)
	t.least, t.rows, t.Header = t.widths(), nil, nil
	return err
}

func (t *Table) widths() []int {
	widths := slices.Clone(t.least)
	for _, row := range append([][]string{t.Header}, t.rows...) {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], Width(c))
		}
	}
	return widths
}

func (t *Table) line(row []string, widths []int, paint bool) string {
	var b strings.Builder
	used := 0
	for i, c := range row {
		if i > 0 {
			b.WriteString("  ")
			used += 2
		}
		last := i == len(row)-1
		if last && t.Width > 0 {
			c = Truncate(c, max(t.Width-used, 8))
		}
		pad := strings.Repeat(" ", max(widths[i]-Width(c), 0))
		used += max(widths[i], Width(c))
		if paint && t.Paint != nil {
			c = t.Paint(t.Style, i, c)
		}
		switch {
		case t.Right[i]:
			b.WriteString(pad + c)
		case last:
			b.WriteString(c)
		default:
			b.WriteString(c + pad)
		}
	}
	return strings.TrimRight(b.String(), " ")
}
