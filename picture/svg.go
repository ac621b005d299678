package picture

import (
	"fmt"
	"strings"
)

// SVG returns the graph as a picture that needs no other file.
func (g *Graph) SVG() []byte {
	l := g.layout()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" font-family="sans-serif" font-size="12">`+"\n", l.width, l.height, l.width, l.height)
	fmt.Fprintf(&b, "<title>%s</title>\n", xmlText(g.Name))
	b.WriteString(`<rect width="100%" height="100%" fill="#fff"/>` + "\n")
	at := g.index()
	for _, w := range l.wires {
		l.draw(&b, &w)
	}
	for _, e := range l.loops {
		loop(&b, &l.vertices[at[e.From]], e)
	}
	for _, id := range g.Start {
		if n, ok := at[id]; ok {
			v := &l.vertices[n]
			x, top := v.middle(), v.y-v.height/2
			if len(v.up) > 0 { // beside what leads here
				x -= min(30, v.box/3)
			}
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="5" fill="#333"/>`+"\n", x, top-22)
			fmt.Fprintf(&b, `<path d="M%.1f %.1fV%.1f" stroke="#555"/>`+"\n", x, top-17, top)
			tip(&b, x, top, 0, -1)
		}
	}
	for i := range g.Nodes {
		box(&b, &l.vertices[i], g.Nodes[i].Label)
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

func xmlText(s string) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' || r == 0xFFFE || r == 0xFFFF {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(clean)
}

func box(b *strings.Builder, v *vertex, label string) {
	fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="6" fill="#f4f6fb" stroke="#4a5b8c"/>`+"\n", v.middle()-v.box/2, v.y-v.height/2, v.box, v.height)
	lines := strings.Split(label, "\n")
	for i, line := range lines {
		style := ` fill="#555"`
		if i == 0 {
			style = ` font-weight="bold"`
		}
		y := v.y + (float64(i)-float64(len(lines)-1)/2)*lineHeight + 4
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="middle"%s>%s</text>`+"\n", v.middle(), y, style, xmlText(line))
	}
}

var strokes = [...]string{Solid: "", Bold: ` stroke-width="2.4"`, Dashed: ` stroke-dasharray="6 4"`, Dotted: ` stroke-dasharray="2 3"`}

// draw draws an edge as a curve through the ranks it passes.
func (l *layout) draw(b *strings.Builder, w *wire) {
	from, to := &l.vertices[w.through[0]], &l.vertices[w.through[len(w.through)-1]]
	x, y := from.middle()+from.port(w.first, len(from.down)), from.y+from.height/2
	startX, startY := x, y
	path := fmt.Sprintf("M%.1f %.1f", x, y)
	labelX, labelY := x, y+w.label
	for i, n := range w.through[1:] {
		v := &l.vertices[n]
		toX, toY := v.middle(), v.y
		if v == to {
			toX, toY = v.middle()+v.port(w.last, len(v.up)), v.y-v.height/2
		}
		if i == 0 {
			labelX = across(x, y, toX, toY, labelY)
		}
		path += fmt.Sprintf("C%.1f %.1f %.1f %.1f %.1f %.1f", x, (y+toY)/2, toX, (y+toY)/2, toX, toY)
		x, y = toX, toY
	}
	fmt.Fprintf(b, `<path d="%s" stroke="#555" fill="none"%s/>`+"\n", path, strokes[w.edge.Style])
	if w.turned {
		tip(b, startX, startY, 0, 1)
	} else {
		tip(b, x, y, 0, -1)
	}
	text(b, labelX, labelY, "middle", w.edge.Label)
}

// across returns the x at which the curve from one point down to another is at height at.
func across(x, y, toX, toY, at float64) float64 {
	low, high := 0.0, 1.0
	for range 20 {
		t := (low + high) / 2
		if y+(toY-y)*(1.5*t*(1-t)+t*t*t) < at {
			low = t
		} else {
			high = t
		}
	}
	return x + (toX-x)*(3*low*low-2*low*low*low)
}

// tip draws the head of an arrow whose point is at x, y, and that comes from the direction dx, dy.
func tip(b *strings.Builder, x, y, dx, dy float64) {
	const long, wide = 8, 4
	fmt.Fprintf(b, `<path d="M%.1f %.1fL%.1f %.1fL%.1f %.1fz" fill="#555"/>`+"\n",
		x, y, x+dx*long-dy*wide, y+dy*long+dx*wide, x+dx*long+dy*wide, y+dy*long-dx*wide)
}

// port returns where on the border of v, from its middle, the n-th of all edges is.
func (v *vertex) port(n, all int) float64 {
	return (float64(n) - float64(all-1)/2) * min(24, v.box/float64(all+1))
}

// loop draws an edge from a node to itself.
func loop(b *strings.Builder, v *vertex, e *Edge) {
	x, y := v.middle()+v.box/2, v.y
	fmt.Fprintf(b, `<path d="M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f" stroke="#555" fill="none"%s/>`+"\n",
		x, y-8, x+loopWidth, y-18, x+loopWidth, y+8, x, y+8, strokes[e.Style])
	tip(b, x, y+8, 1, 0)
	text(b, x+loopWidth, y, "start", e.Label)
}

// text writes a label with a rim, so that it can be read on a line; y is its middle.
func text(b *strings.Builder, x, y float64, anchor, label string) {
	if label == "" {
		return
	}
	lines := strings.Split(label, "\n")
	for i, line := range lines {
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s" font-size="11" fill="#333" stroke="#fff" stroke-width="3" paint-order="stroke">%s</text>`+"\n",
			x, y+4+(float64(i)-float64(len(lines)-1)/2)*labelHeight, anchor, xmlText(line))
	}
}
