// Package cpu is the device "cpu": the C kernels of kernels/cpu, on all threads. Which instructions they use is chosen when the program starts.
// Importing the package registers the device.
package cpu
