// Package device is what a device is: the operations that a walk through a model asks for (Device), the tensors and weights that they take, the
// types in which weights are stored, and the devices there are (Register, Open, List). It computes nothing.
//
// A device registers itself when its package is imported:
//
//	import _ "avssnative/engine/cpu"
package device
