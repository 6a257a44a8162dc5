package cuda

import (
	"slices"
	"unsafe"

	"avssnative/engine/device"
)

// placed is a layout of sequences in the forms that kernels read, in device memory. The last ones used are kept: a pass uses one after the
// other for many operations.
type placed struct {
	layout device.Layout // a copy
	places *block        // convolve.cu: a row's position, start, prefix, prefix rows
	spans  *block        // delta.cu: a sequence's first row, rows, prefix, prefix rows
	starts *block        // measure.cu: first rows
	runs   rowRuns       // measure.cu
	tiles  map[int]*queryTiles
}

// rowRuns are the runs of at most runRows rows by which long sequences are merged: with a block a sequence most multiprocessors would have nothing
// to do. None where no sequence is longer than one run.
type rowRuns struct {
	bounds *block // first rows of the runs, and the end
	of     *block // first runs of the sequences, and the end
	count  int
}

const runRows = 64

// runsOf cuts sequences into runs, each sequence from its own start; long says whether one has several.
func runsOf(start []int32) (bounds, of []int32, long bool) {
	for i := 0; i+1 < len(start); i++ {
		of, long = append(of, int32(len(bounds))), long || start[i+1]-start[i] > runRows
		for row := start[i]; row < start[i+1]; row += runRows {
			bounds = append(bounds, row)
		}
	}
	return append(bounds, start[len(start)-1]), append(of, int32(len(bounds))), long
}

// queryTiles are runs of at most so many rows of one sequence (mask.cuh).
type queryTiles struct {
	block *block
	count int
}

func (t *queryTiles) at() address[queryTile] { return address[queryTile](t.block.at) }

type queryTile struct{ row, rows, position, start, prefix, prefixed, total, _ int32 }

const keptLayouts = 16

// layout checks a layout of so many rows.
func (a *arguments) layout(l *device.Layout, rows int) {
	if l == nil || len(l.Start) == 0 {
		a.want(false, "no layout")
		return
	}
	a.want(l.Start[0] == 0 && l.Rows() == rows, "layout of %d rows from %d, want %d", l.Rows(), l.Start[0], rows)
	a.want(l.Prefix == nil || len(l.Prefix) == l.Sequences(), "%d prefixes for %d sequences", len(l.Prefix), l.Sequences())
	for i := range l.Sequences() {
		a.want(l.Start[i] <= l.Start[i+1], "layout descends at sequence %d", i)
		if l.Prefix != nil && a.err == nil {
			p := l.Prefix[i]
			a.want(p >= -1 && int(p) < l.Sequences() && int(p) != i, "sequence %d continues sequence %d of %d", i, p, l.Sequences())
			if a.err == nil && p >= 0 {
				a.want(l.Prefix[p] < 0, "sequence %d continues %d, which continues another", i, p)
			}
		}
	}
}

// place gives the device's form of a layout.
func (d *gpu) place(l *device.Layout) (*placed, error) {
	for i, p := range d.layouts {
		if slices.Equal(p.layout.Start, l.Start) && slices.Equal(p.layout.Prefix, l.Prefix) && slices.Equal(p.layout.Keys, l.Keys) {
			d.layouts = append(append(d.layouts[:i:i], d.layouts[i+1:]...), p)
			return p, nil
		}
	}
	own := device.Layout{Start: slices.Clone(l.Start), Prefix: slices.Clone(l.Prefix), Keys: slices.Clone(l.Keys)}
	p := &placed{layout: own, tiles: map[int]*queryTiles{}}
	places, spans := make([][4]int32, l.Rows()), make([][4]int32, l.Sequences())
	for i := range l.Sequences() {
		first, end := l.PrefixOf(i)
		prefixed := int32(end - first)
		spans[i] = [4]int32{l.Start[i], l.Start[i+1] - l.Start[i], int32(first), prefixed}
		for row := l.Start[i]; row < l.Start[i+1]; row++ {
			places[row] = [4]int32{prefixed + row - l.Start[i], l.Start[i], int32(first), prefixed}
		}
	}
	if err := p.upload(d, places, spans); err != nil {
		return nil, err
	}
	if len(d.layouts) == keptLayouts {
		old := d.layouts[0]
		d.layouts = slices.Clone(d.layouts[1:])
		var err error
		if d.release(&err, old.blocks()...); err != nil {
			return nil, err
		}
	}
	d.layouts = append(d.layouts, p)
	return p, nil
}

// upload fills a layout's blocks; none is left where one cannot be had.
func (p *placed) upload(d *gpu, places, spans [][4]int32) (err error) {
	defer func() {
		if err != nil {
			d.release(&err, p.blocks()...)
		}
	}()
	if p.places, err = upload(d, places); err != nil {
		return err
	}
	if p.spans, err = upload(d, spans); err != nil {
		return err
	}
	if p.starts, err = upload(d, p.layout.Start); err != nil {
		return err
	}
	bounds, of, long := runsOf(p.layout.Start)
	if !long {
		return nil
	}
	p.runs.count = len(bounds) - 1
	if p.runs.bounds, err = upload(d, bounds); err != nil {
		return err
	}
	p.runs.of, err = upload(d, of)
	return err
}

func (p *placed) blocks() []*block {
	list := []*block{p.places, p.spans, p.starts, p.runs.bounds, p.runs.of}
	for _, t := range p.tiles {
		list = append(list, t.block)
	}
	return list
}

// placeOf is place for an operation that is about to write a tensor.
func (d *gpu) placeOf(to *tensor, l *device.Layout) (*placed, error) {
	if err := to.wrote(); err != nil {
		return nil, err
	}
	return d.place(l)
}

// queries gives the tiles of at most so many queries, a sequence's last ones first: under a causal mask they see most keys, and what begins last
// should take least.
func (p *placed) queries(d *gpu, most int) (*queryTiles, error) {
	if t := p.tiles[most]; t != nil {
		return t, nil
	}
	var list []queryTile
	l := &p.layout
	for i := range l.Sequences() {
		first, end := l.PrefixOf(i)
		own, before := l.Start[i+1]-l.Start[i], int32(l.Before(i))
		keys := device.KeyRows{Prefix: int32(first), PrefixRows: int32(end - first), Own: l.Start[i], OwnRows: own}
		if l.Keys != nil {
			keys = l.Keys[i]
		}
		for at := int32(0); at < own; at += int32(most) {
			// Positions that are gone are counted as rows before the prefix's, which nobody reads.
			list = append(list, queryTile{row: l.Start[i] + at, rows: min(int32(most), own-at), position: before + at, start: keys.Own,
				prefix: keys.Prefix - keys.First, prefixed: keys.First + keys.PrefixRows, total: int32(keys.Positions())})
		}
	}
	slices.SortStableFunc(list, func(a, b queryTile) int { return int(b.position - a.position) })
	b, err := upload(d, list)
	if err != nil {
		return nil, err
	}
	t := &queryTiles{block: b, count: len(list)}
	p.tiles[most] = t
	return t, nil
}

var _ = [1]struct{}{}[unsafe.Sizeof(queryTile{})-32] // mask.cuh's QueryTile
