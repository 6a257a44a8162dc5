package devicetest

import (
	"testing"

	"avssnative/engine/device"
)

// Bench times a device on the large cases of the table: Device/operation/shape, in GFLOP/s where arithmetic counts, else in GB/s of the
// least that must be read and written.
func Bench(b *testing.B, open func(testing.TB) device.Device) {
	device := open(b)
	for _, c := range table() {
		if !c.large {
			continue
		}
		b.Run(c.operation+"/"+c.name, func(b *testing.B) {
			r := &rig{device: device}
			defer r.release()
			s := c.prepare(r, c.all())
			s.call()
			if err := device.Sync(); err != nil || len(r.failures) > 0 {
				b.Fatal(err, r.failures)
			}
			for b.Loop() {
				s.call()
				if err := device.Sync(); err != nil {
					b.Fatal(err)
				}
			}
			seconds := b.Elapsed().Seconds() / float64(b.N)
			if c.flops > 0 {
				b.ReportMetric(c.flops/seconds/1e9, "GFLOP/s")
			} else {
				b.ReportMetric(c.bytes/seconds/1e9, "GB/s")
			}
		})
	}
}
