package main

import (
	"fmt"
	"image/color"
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// drawn writes a picture of what was held, a strip a quantity over the same time.
func drawn(path string, samples []sample) error {
	const width, height = 18 * vg.Centimeter, 4 * vg.Centimeter
	canvas := vgsvg.New(width, height*vg.Length(len(quantities)))
	whole := draw.New(canvas)
	tiles := draw.Tiles{Rows: len(quantities), Cols: 1}
	var strips [][]*plot.Plot
	for _, q := range quantities {
		points := make(plotter.XYs, len(samples))
		for i, s := range samples {
			points[i] = plotter.XY{X: s.at.Minutes(), Y: q.of(s)}
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		line.Color, line.Width = color.RGBA{0, 114, 178, 255}, vg.Points(1)
		p := plot.New()
		p.Title.Text, p.Y.Min = q.name, 0
		p.Add(plotter.NewGrid(), line)
		p.Y.Min, p.Y.Max = 0, p.Y.Max*1.1+1
		strips = append(strips, []*plot.Plot{p})
	}
	strips[len(strips)-1][0].X.Label.Text = "minutes"
	for row, canvases := range plot.Align(strips, tiles, whole) {
		strips[row][0].Draw(canvases[0])
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := canvas.WriteTo(file); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}
