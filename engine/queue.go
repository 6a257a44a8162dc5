package engine

import (
	"avssnative/engine/device"
)

// Where a device queues what it is asked (device.Queue), a walk waits once a layer, and not for every batch: while it waited nothing would be queued.
// What went wrong without having been queued is known at once, so that want of memory is still met batch by batch.

// mostQueued is how many batches, or tiles of the head, are on their way at a time: what they leave for the host takes memory, and progress is
// shown when it is there.
const mostQueued = 32

// asked is what is known of the operations asked for so far: all of it, where the device does not queue them.
func asked(d device.Device) error {
	if q, queues := d.(device.Queue); queues {
		return q.Failed()
	}
	return d.Sync()
}

// queues says whether so many batches on their way may become more.
func queues(d device.Device, onTheirWay int) bool {
	_, queues := d.(device.Queue)
	return queues && onTheirWay < mostQueued
}
