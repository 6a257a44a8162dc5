package command

import "fmt"

// busy says what a device does that takes long and computes nothing, as compiling kernels. The next step of the job takes the bar back.
func (p *progress) busy(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		p.bar.Describe(what)
		return
	}
	fmt.Fprintln(p.out, what)
}
