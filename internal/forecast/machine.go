package forecast

import (
	"slices"
	"strings"

	"avssnative/failure"
)

// Machine is what computes: its peak rates, as its maker states them.
type Machine struct {
	Name      string  `json:"name"`
	FLOPs     float64 `json:"flops"`     // bf16 products with float32 sums a second, without sparsity
	Bandwidth float64 `json:"bandwidth"` // of its memory, bytes a second
	Memory    int64   `json:"memory_bytes"`
	Source    string  `json:"source,omitempty"`
}

// Machines are those whose rates are known here.
var Machines = []Machine{
	{"a100-80g", 312e12, 2.039e12, 80e9, "NVIDIA A100 data sheet, SXM"},
	{"h100-80g", 989e12, 3.35e12, 80e9, "NVIDIA H100 data sheet, SXM"},
	{"h200-141g", 989e12, 4.8e12, 141e9, "NVIDIA H200 data sheet, SXM"},
	{"l40s-48g", 362e12, 864e9, 48e9, "NVIDIA L40S data sheet"},
	{"rtx3090-24g", 71e12, 936e9, 24e9, "NVIDIA GA102 whitepaper, float32 sums"},
	{"rtx4090-24g", 165e12, 1.008e12, 24e9, "NVIDIA AD102 whitepaper, float32 sums"},
}

// FindMachine finds one by name; the error (failure.NotFound) lists them.
func FindMachine(name string) (Machine, error) {
	at := slices.IndexFunc(Machines, func(m Machine) bool { return m.Name == name })
	if at >= 0 {
		return Machines[at], nil
	}
	var names []string
	for _, m := range Machines {
		names = append(names, m.Name)
	}
	return Machine{}, failure.NotFound.Errorf("forecast: device %q: its rates are not known here; known: %s; for any other give rates of its own", name, strings.Join(names, ", "))
}
