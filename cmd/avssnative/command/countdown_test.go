package command

import (
	"context"
	"sync"
	"time"
)

// countdown is a context that is cancelled once it has been asked `left` times whether it is; a negative number never comes to an end, and
// counts how often it was asked.
type countdown struct {
	context.Context
	mutex  sync.Mutex
	left   int
	closed chan struct{}
}

func (c *countdown) tick() bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.closed == nil {
		c.closed = make(chan struct{})
	}
	if c.left == 0 {
		return true
	}
	if c.left--; c.left == 0 {
		close(c.closed)
		return true
	}
	return false
}

func (c *countdown) Err() error {
	if c.tick() {
		return context.Canceled
	}
	return nil
}

func (c *countdown) Done() <-chan struct{} {
	c.tick()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.closed
}

func (c *countdown) Deadline() (time.Time, bool) { return time.Time{}, false }
