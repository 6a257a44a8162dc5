// Package reference is the device "reference": every operation in plain Go over float64, in the order a reader would write it, slow, and what the
// other devices are held against. Importing the package registers the device.
package reference
